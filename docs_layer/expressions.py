"""What a program writes in `where`, `order_by` and `update`: `Book.year > 2020`, `-Book.year`, `Book.year.to(2024)`.

Expressions are generic in the table that owns them, so that a column of another table is an error for static checkers.
They hold plain nodes (see `nodes`) and nothing else. None has one meaning everywhere: `==` and `!=` compare with null,
every other comparison or test of a null is false, and `~` is the plain opposite. Immutable, so any number of threads
may share them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Generic, NoReturn, overload

from typing_extensions import TypeVar

from docs_layer.errors import QueryError
from docs_layer.nodes import (
    AllOf,
    AnyOf,
    AssignmentNode,
    CallNode,
    ColumnNode,
    Compare,
    ElementNode,
    HasElement,
    IsIn,
    Matches,
    Node,
    Not,
    Operator,
    OrderNode,
    RootNode,
    StepNode,
    TextTest,
    ValueNode,
)

Owner = TypeVar("Owner")
Kind = TypeVar("Kind")
Target = TypeVar("Target")
KeyKind = TypeVar("KeyKind")
Item = TypeVar("Item")


class Expression(Generic[Owner]):
    """A condition on rows of one table; combine with `&`, `|` and `~`."""

    __slots__ = ("node",)

    def __init__(self, node: Node) -> None:
        self.node = node

    def __and__(self, other: Expression[Owner]) -> Expression[Owner]:
        return Expression(AllOf((*_parts(self.node, AllOf), *_parts(expression_node(other), AllOf))))

    def __or__(self, other: Expression[Owner]) -> Expression[Owner]:
        return Expression(AnyOf((*_parts(self.node, AnyOf), *_parts(expression_node(other), AnyOf))))

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

    def nulls_first(self) -> Order[Owner]:
        """Return the same order with nulls before all values."""
        return Order(self.node._replace(nulls="first"))

    def nulls_last(self) -> Order[Owner]:
        """Return the same order with nulls behind all values."""
        return Order(self.node._replace(nulls="last"))

    def __repr__(self) -> str:
        placed = f".nulls_{self.node.nulls}()" if self.node.nulls else ""
        return f"{'-' if self.node.descending else ''}{shown_node(self.node.column)}{placed}"


class Assignment(Generic[Owner]):
    """A value and what becomes of it, for `update`."""

    __slots__ = ("node",)

    def __init__(self, node: AssignmentNode) -> None:
        self.node = node

    def __repr__(self) -> str:
        column, value, operator = self.node
        given = () if operator == "unset" else value if isinstance(value, tuple) else (value,)
        shown = [shown_node(one) if isinstance(one, ValueNode) else repr(one) for one in (column, *given)]
        return f"{'set_' if operator == 'set' else operator}({', '.join(shown)})"


class Comparable(Generic[Owner, Kind]):
    """Whatever has a value in each row: compares by operators, which every name of a document leaves free."""

    __slots__ = ("_node",)

    def __init__(self, node: ValueNode) -> None:
        self._node = node

    def __lt__(self, other: Kind | Comparable[Owner, Any]) -> Expression[Owner]:
        return _compared(self, "<", other)

    def __le__(self, other: Kind | Comparable[Owner, Any]) -> Expression[Owner]:
        return _compared(self, "<=", other)

    def __gt__(self, other: Kind | Comparable[Owner, Any]) -> Expression[Owner]:
        return _compared(self, ">", other)

    def __ge__(self, other: Kind | Comparable[Owner, Any]) -> Expression[Owner]:
        return _compared(self, ">=", other)

    def __eq__(self, other: Kind | Comparable[Owner, Any]) -> Expression[Owner]:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the condition that the value equals a constant; `== None` means "is null"."""
        return _compared(self, "==", other)

    def __ne__(self, other: Kind | Comparable[Owner, Any]) -> Expression[Owner]:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the condition that the value differs from a constant; null differs from every value."""
        return _compared(self, "!=", other)

    def __hash__(self) -> int:
        return hash(self._node)

    def __neg__(self) -> Order[Owner]:
        return Order(OrderNode(self._node, descending=True))

    def __bool__(self) -> NoReturn:
        raise QueryError(_NO_TRUTH)

    def __iter__(self) -> NoReturn:
        raise TypeError(f"{self!r} stands for a value of each row: it cannot be iterated over")

    def __repr__(self) -> str:
        return shown_node(self._node)


class Value(Comparable[Owner, Kind]):
    """A value of each row of a table: a column, or what is computed from one."""

    __slots__ = ()

    @property
    def node(self) -> ValueNode:
        """The plain form."""
        return self._node

    def __getitem__(self, step: str | int) -> Value[Owner, Any]:
        """Return what lies inside: the item of a dict, the field of a struct, or the place in a list; null if absent.

        `at` does the same for static checkers that should know the type.
        """
        return Value(StepNode(self._node, _step(step)))

    def in_(self, values: Iterable[Kind]) -> Expression[Owner]:
        """Return the condition that the value is one of `values`, which may include None; read at once."""
        return Expression(IsIn(self._node, tuple(values)))

    def between(self, low: Kind, high: Kind) -> Expression[Owner]:
        """Return the condition `low <= value <= high`."""
        return (self >= low) & (self <= high)

    def is_null(self) -> Expression[Owner]:
        """Return the condition that there is no value, the same as `== None`."""
        return Expression(Compare(self._node, "==", None))

    def starts_with(
        self: Value[Owner, str] | Value[Owner, str | None], text: str, *, ignore_case: bool = False
    ) -> Expression[Owner]:
        """Return the condition that the text begins with `text`, by code points; an index serves it if case counts."""
        return _matches(self, "starts_with", text, ignore_case)

    def ends_with(
        self: Value[Owner, str] | Value[Owner, str | None], text: str, *, ignore_case: bool = False
    ) -> Expression[Owner]:
        """Return the condition that the text ends with `text`."""
        return _matches(self, "ends_with", text, ignore_case)

    def contains(
        self: Value[Owner, str] | Value[Owner, str | None], text: str, *, ignore_case: bool = False
    ) -> Expression[Owner]:
        """Return the condition that `text` stands somewhere in the text; for an element of a list see `has`."""
        return _matches(self, "contains", text, ignore_case)

    def like(
        self: Value[Owner, str] | Value[Owner, str | None], pattern: str, *, ignore_case: bool = False
    ) -> Expression[Owner]:
        r"""Return the condition that the whole text fits a pattern.

        `%` stands for any text, `_` for one character, a backslash takes the next character as it is. Case counts
        unless `ignore_case` is given; an index serves what stands before the first wildcard.
        """
        return _matches(self, "like", pattern, ignore_case)

    def matches(
        self: Value[Owner, str] | Value[Owner, str | None], pattern: str, *, ignore_case: bool = False
    ) -> Expression[Owner]:
        """Return the condition that a regular expression (of `re`) is found in the text.

        Raises:
            QueryError: When the query is built, for a pattern that `re` does not take.
        """
        return _matches(self, "regex", pattern, ignore_case)

    @overload
    def has(self: Value[Owner, list[Item]], element: Item) -> Expression[Owner]: ...
    @overload
    def has(self: Value[Owner, list[Item] | None], element: Item) -> Expression[Owner]: ...
    def has(self: Value[Owner, Any], element: Any) -> Expression[Owner]:
        """Return the condition that a list has an element equal to `element`."""
        return Expression(HasElement(self._node, Compare(RootNode(), "==", element)))

    def nulls_first(self) -> Order[Owner]:
        """Return the ascending order of this value with nulls before all others."""
        return Order(OrderNode(self._node, descending=False, nulls="first"))

    def nulls_last(self) -> Order[Owner]:
        """Return the ascending order of this value with nulls behind all others."""
        return Order(OrderNode(self._node, descending=False, nulls="last"))


class Column(Value[Owner, Kind]):
    """A column of a table, as `Book.year` on the class."""

    __slots__ = ()

    def __init__(self, node: ColumnNode) -> None:
        super().__init__(node)

    @property
    def node(self) -> ColumnNode:
        """The plain form."""
        return column_node(self)

    def to(self, value: Kind) -> Assignment[Owner]:
        """Return the assignment of a constant, for `update`."""
        return Assignment(AssignmentNode(column_node(self), value))


class Path(Comparable[Any, Any]):
    """A way into a document, as `f.user.age` or `f["odd key"][0]`; every name is free for the document's own.

    Compares by operators; everything else is a function of `operations`, such as `like(f.name, "A%")`.
    """

    __slots__ = ()

    def __getattr__(self, name: str) -> Path:
        if name.startswith("_"):
            raise AttributeError(name)
        return Path(StepNode(self._node, name))

    def __getitem__(self, step: str | int) -> Path:
        return Path(StepNode(self._node, _step(step)))


f = Path(RootNode())
"""The document of a collection, or the element that `any_` and `all_` look at."""


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


def column_node(column: Column[Any, Any]) -> ColumnNode:
    """Return the node of a column. Raises `QueryError` for anything else."""
    node = getattr(column, "_node", None)
    if not isinstance(node, ColumnNode):
        raise QueryError(f"a column such as Book.year is needed, not {column!r}")
    return node


def value_node(value: object) -> ValueNode:
    """Return the node of whatever has a value in each row. Raises `QueryError` for anything else."""
    if not isinstance(value, Comparable):
        raise QueryError(f"a column such as Book.year or a path such as f.user.age is needed, not {value!r}")
    node: ValueNode = value._node  # noqa: SLF001 - hidden from paths, whose names are all free
    return node


def expression_node(expression: object) -> Node:
    """Return the node of an expression. Raises `QueryError` for anything else."""
    if not isinstance(expression, Expression):
        raise QueryError(f"an expression such as Book.year > 2020 is needed, not {expression!r}")
    return expression.node


def shown_node(node: ValueNode) -> str:
    """Return a value as a program writes it."""
    match node:
        case ColumnNode():
            return f"{node.table.__name__}.{node.name}"
        case RootNode():
            return "f"
        case StepNode():
            return f"{shown_node(node.of)}[{node.step!r}]"
        case CallNode():
            return f"{node.function}({shown_node(node.of)})"
        case ElementNode():
            return f"{'all_' if node.every else 'any_'}({shown_node(node.of)})"


def _compared(left: Comparable[Any, Any], operator: Operator, right: object) -> Expression[Any]:
    """Compare with a constant, or with another value of the same row."""
    other = value_node(right) if isinstance(right, Comparable) else right
    return Expression(Compare(value_node(left), operator, other))


def _matches(value: Value[Any, Any], test: TextTest, text: str, ignore_case: bool) -> Expression[Any]:
    return Expression(Matches(value.node, test, text, ignore_case))


def _step(step: object) -> str | int:
    if isinstance(step, bool) or not isinstance(step, (str, int)):
        raise QueryError(f"a step into a value is a name or a place in a list, not {step!r}")
    return step


def _parts(node: Node, kind: type[AllOf | AnyOf]) -> tuple[Node, ...]:
    """Return the operands of a chain, so that a chain of any length is one node and not a tower of them."""
    return node.parts if isinstance(node, kind) else (node,)
