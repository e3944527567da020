"""The plain form of what a program writes: frozen values that planner, predicates and explanations work on.

User-facing objects (`expressions`, `operations`, `relations`) only build these; nothing here has operators, so nodes
compare and hash by value. A column is named by the table class that declared it and by its name. Constants are as the
caller gave them; they are brought to the column's type when a query binds the nodes. Immutable, so any number of
threads may share them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Operator = Literal["<", "<=", ">", ">=", "==", "!="]
Function = Literal["lower", "upper", "length"]
"""What `CallNode` computes: text in lower or upper case, or the length of text, bytes, a list or a dict."""
TextTest = Literal["starts_with", "ends_with", "contains", "like", "regex"]
Nulls = Literal["first", "last"]


class ColumnNode(NamedTuple):
    """A column: the class that declared it, and its name."""

    table: type
    name: str


@dataclass(frozen=True, slots=True)
class RootNode:
    """What `f` stands for: the document of a collection, or the element that `any_` and `all_` look at."""


@dataclass(frozen=True, slots=True)
class StepNode:
    """A value inside another one: the item of a dict, the field of a struct (str), or the place in a list (int)."""

    of: ValueNode
    step: str | int


@dataclass(frozen=True, slots=True)
class CallNode:
    """A function of another value; null for a value that it has no meaning for."""

    function: Function
    of: ValueNode


@dataclass(frozen=True, slots=True)
class ElementNode:
    """Each element of a list: a condition on it holds if it holds for any of them, or for every one."""

    of: ValueNode
    every: bool


ValueNode = ColumnNode | RootNode | StepNode | CallNode | ElementNode


@dataclass(frozen=True, slots=True)
class Compare:
    """The value stands in this relation to a constant, or to another value; order comparisons of null are false."""

    column: ValueNode
    operator: Operator
    value: object


@dataclass(frozen=True, slots=True)
class IsIn:
    """The value is one of the constants."""

    column: ValueNode
    values: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Matches:
    """The value is text that answers a test; false for null and for what is no text."""

    column: ValueNode
    test: TextTest
    text: str
    ignore_case: bool = False


@dataclass(frozen=True, slots=True)
class Exists:
    """There is a value, be it null: the path leads somewhere in the document."""

    column: ValueNode


@dataclass(frozen=True, slots=True)
class HasElement:
    """At least one element of the list answers a condition, in which `RootNode` stands for the element."""

    column: ValueNode
    part: Node


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite; two-valued, so it holds for a null that an order comparison refuses."""

    part: Node


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part holds; holds without parts."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds; does not hold without parts."""

    parts: tuple[Node, ...]


Node = Compare | IsIn | Matches | Exists | HasElement | Not | AllOf | AnyOf


class OrderNode(NamedTuple):
    """One term of an order; nulls are the lowest values unless `nulls` places them."""

    column: ValueNode
    descending: bool
    nulls: Nulls | None = None


AssignmentOperator = Literal["set", "increment", "push", "remove", "unset"]


class AssignmentNode(NamedTuple):
    """What happens to a column, or to a value inside of one; `value` may be a node that is read from the row."""

    column: ValueNode
    value: object
    operator: AssignmentOperator = "set"


def column_of(node: ValueNode) -> ColumnNode | RootNode:
    """Return the column, or the document, that a value lies in."""
    while not isinstance(node, (ColumnNode, RootNode)):
        node = node.of
    return node
