"""The plain form of conditions and orders: frozen values that planner, predicates and explanations work on.

User-facing expression objects (`expressions`) only build these; nothing here has operators, so nodes compare and hash
by value. A column is named by the table class that declared it and by its name. Constants are as the caller gave
them; they are brought to the column's type when a query binds the nodes. Immutable, so any number of threads may
share them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Operator = Literal["<", "<=", ">", ">=", "==", "!="]


class ColumnNode(NamedTuple):
    """A column: the class that declared it, and its name."""

    table: type
    name: str


@dataclass(frozen=True, slots=True)
class Compare:
    """The column's value stands in this relation to a constant; order comparisons of null are false."""

    column: ColumnNode
    operator: Operator
    value: object


@dataclass(frozen=True, slots=True)
class IsIn:
    """The column's value is one of the constants."""

    column: ColumnNode
    values: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class StartsWith:
    """The column's text begins with a constant."""

    column: ColumnNode
    text: str


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


Node = Compare | IsIn | StartsWith | Not | AllOf | AnyOf


class OrderNode(NamedTuple):
    """One term of an order; nulls are the lowest values."""

    column: ColumnNode
    descending: bool


class AssignmentNode(NamedTuple):
    """A column and the constant it is set to."""

    column: ColumnNode
    value: object
