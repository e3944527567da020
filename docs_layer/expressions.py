"""What a program writes in `where`, `order_by` and `update`: `Book.year > 2020`, `-Book.year`, `Book.year.to(2024)`.

Expressions are generic in the table that owns them, so that a column of another table is an error for static checkers.
They hold plain nodes (see `nodes`) and nothing else. None has one meaning everywhere: `==` and `!=` compare with null,
order comparisons of a null are false. Immutable, so any number of threads may share them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Generic, NoReturn

from typing_extensions import TypeVar

from docs_layer.errors import QueryError
from docs_layer.nodes import (
    AllOf,
    AnyOf,
    AssignmentNode,
    ColumnNode,
    Compare,
    IsIn,
    Node,
    Not,
    Operator,
    OrderNode,
    StartsWith,
)

Owner = TypeVar("Owner")
Kind = TypeVar("Kind")
Target = TypeVar("Target")
KeyKind = TypeVar("KeyKind")


class Expression(Generic[Owner]):
    """A condition on rows of one table; combine with `&`, `|` and `~`."""

    __slots__ = ("node",)

    def __init__(self, node: Node) -> None:
        self.node = node

    def __and__(self, other: Expression[Owner]) -> Expression[Owner]:
        return Expression(AllOf((*_parts(self.node, AllOf), *_parts(_node_of(other), AllOf))))

    def __or__(self, other: Expression[Owner]) -> Expression[Owner]:
        return Expression(AnyOf((*_parts(self.node, AnyOf), *_parts(_node_of(other), AnyOf))))

    def __invert__(self) -> Expression[Owner]:
        return Expression(Not(self.node))

    def __bool__(self) -> NoReturn:
        raise QueryError(_NO_TRUTH)

    def __repr__(self) -> str:
        return f"<expression {self.node}>"


class Order(Generic[Owner]):
    """One term of `order_by`; nulls are the lowest values, so they come first ascending and last descending."""

    __slots__ = ("node",)

    def __init__(self, node: OrderNode) -> None:
        self.node = node

    def __repr__(self) -> str:
        return f"{'-' if self.node.descending else ''}{self.node.column.table.__name__}.{self.node.column.name}"


class Assignment(Generic[Owner]):
    """A column and its new value, for `update`."""

    __slots__ = ("node",)

    def __init__(self, node: AssignmentNode) -> None:
        self.node = node

    def __repr__(self) -> str:
        return f"{self.node.column.table.__name__}.{self.node.column.name}.to({self.node.value!r})"


class Value(Generic[Owner, Kind]):
    """Something that has a value in each row of a table: a column."""

    __slots__ = ("node",)

    def __init__(self, node: ColumnNode) -> None:
        self.node = node

    def __lt__(self, other: Kind) -> Expression[Owner]:
        return self._compare("<", other)

    def __le__(self, other: Kind) -> Expression[Owner]:
        return self._compare("<=", other)

    def __gt__(self, other: Kind) -> Expression[Owner]:
        return self._compare(">", other)

    def __ge__(self, other: Kind) -> Expression[Owner]:
        return self._compare(">=", other)

    def __eq__(self, other: Kind) -> Expression[Owner]:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the condition that the value equals a constant; `== None` means "is null"."""
        return self._compare("==", other)

    def __ne__(self, other: Kind) -> Expression[Owner]:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the condition that the value differs from a constant; null differs from every value."""
        return self._compare("!=", other)

    def __hash__(self) -> int:
        return hash(self.node)

    def __neg__(self) -> Order[Owner]:
        return Order(OrderNode(self.node, descending=True))

    def __bool__(self) -> NoReturn:
        raise QueryError(_NO_TRUTH)

    def in_(self, values: Iterable[Kind]) -> Expression[Owner]:
        """Return the condition that the value is one of `values`, which may include None; read at once."""
        return Expression(IsIn(self.node, tuple(values)))

    def between(self, low: Kind, high: Kind) -> Expression[Owner]:
        """Return the condition `low <= value <= high`."""
        return (self >= low) & (self <= high)

    def is_null(self) -> Expression[Owner]:
        """Return the condition that there is no value, the same as `== None`."""
        return Expression(Compare(self.node, "==", None))

    def starts_with(self: Value[Owner, str] | Value[Owner, str | None], prefix: str) -> Expression[Owner]:
        """Return the condition that the text begins with `prefix`, by code points; false for null."""
        return Expression(StartsWith(self.node, prefix))

    def to(self, value: Kind) -> Assignment[Owner]:
        """Return the assignment of a constant, for `update`."""
        return Assignment(AssignmentNode(self.node, value))

    def _compare(self, operator: Operator, other: object) -> Expression[Owner]:
        return Expression(Compare(self.node, operator, other))


class Column(Value[Owner, Kind]):
    """A column of a table, as `Book.year` on the class."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{self.node.table.__name__}.{self.node.name}"


class RefColumn(Column[Owner, KeyKind], Generic[Owner, Target, KeyKind]):
    """A column that holds the primary key of a row of another table."""

    __slots__ = ()


class Relation(Generic[Owner, Target]):
    """A declared way from one table to another, as `Author.books` on the class; never a column.

    Attributes:
        owner: The class that declared it.
        name: Its name there.
        column: Name of the referring column: of `owner` when following one, of the other table when `many`.
        many: Whether it leads to any number of rows.
    """

    __slots__ = ("column", "many", "name", "owner")

    def __init__(self, owner: type[Any], name: str, column: str, *, many: bool) -> None:
        self.owner = owner
        self.name = name
        self.column = column
        self.many = many

    def __repr__(self) -> str:
        return f"{self.owner.__name__}.{self.name}"


_NO_TRUTH = (
    "an expression has no truth value of its own: combine with &, | and ~ (each side in parentheses) instead of "
    "and, or and not, and write .between(low, high) instead of low < column < high"
)


def _parts(node: Node, kind: type[AllOf | AnyOf]) -> tuple[Node, ...]:
    """Return the operands of a chain, so that a chain of any length is one node and not a tower of them."""
    return node.parts if isinstance(node, kind) else (node,)


def _node_of(expression: object) -> Node:
    if not isinstance(expression, Expression):
        raise QueryError(f"an expression can only be combined with an expression, not with {expression!r}")
    return expression.node
