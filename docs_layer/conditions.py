"""Conditions bound to a table: constants brought to the columns' types, negation pushed down, columns merged.

Owns the meaning of conditions. Whatever compares one value with constants becomes `Within`, a set of its values; the
other leaves test text, look into lists, or compare two values. `~` is gone: a leaf carries it.

None: `== None` is "is null", and null differs from every value; every other comparison or test of a null is
false, so its negation is true. A null list has no elements.

Constants are compared by value (`year > 2020.5` on an int column is `year >= 2021`; see `constants`). Values without a
declared type (paths, elements) have the mixed order of `key_encoding`; there an order comparison holds only for values
of the constant's own type (ints, floats and decimals are one), while equality and `order_by` take all of them.

Pure functions over immutable values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from docs_layer.constants import LOWEST_VALUE, constant_cuts, own_type
from docs_layer.errors import NoSuchField, QueryError, shown_value
from docs_layer.intervals import (
    EVERYTHING,
    HIGHEST,
    LOWEST,
    NOTHING,
    IntervalSet,
    between,
    complement,
    intersection,
    union,
)
from docs_layer.key_encoding import KINDS
from docs_layer.nodes import (
    AllOf,
    AnyOf,
    CallNode,
    ColumnNode,
    Compare,
    ElementNode,
    Exists,
    HasElement,
    IsIn,
    Matches,
    Node,
    Not,
    Operator,
    RootNode,
    StepNode,
    TextTest,
    ValueNode,
)
from docs_layer.text_tests import begins, like_prefix, pattern_of
from docs_layer.values import ELEMENT, MIXED_KINDS, ColumnShape, called, inside

NULL_SET: Final[IntervalSet] = between(LOWEST, LOWEST_VALUE)
VALUE_SET: Final[IntervalSet] = complement(NULL_SET)
"""Everything but null."""


@dataclass(frozen=True, slots=True)
class Within:
    """The column's value lies in a set."""

    column: ColumnShape
    values: IntervalSet


@dataclass(frozen=True, slots=True)
class TextMatch:
    """The column's value is text that answers a test, or is not."""

    column: ColumnShape
    test: TextTest
    text: str
    ignore_case: bool
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Present:
    """A path leads somewhere, be it to null, or does not."""

    column: ColumnShape
    negated: bool = False


@dataclass(frozen=True, slots=True)
class SomeElement:
    """At least one element of a list answers a condition over `ELEMENT` and what lies in it, or none does."""

    column: ColumnShape
    part: Condition
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Compared:
    """Two values of a row stand in a relation, or do not; order comparisons with a null are false."""

    left: ColumnShape
    operator: Operator
    right: ColumnShape
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Every:
    """All parts hold; without parts, always."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """At least one part holds; without parts, never."""

    parts: tuple[Condition, ...]


Leaf = TextMatch | Present | SomeElement | Compared
"""The leaves that are no sets of values."""
Condition = Within | Leaf | Every | Some
ALWAYS: Final = Every(())
NEVER: Final = Some(())


@dataclass(frozen=True, slots=True)
class Scope:
    """The table that conditions are bound to.

    Attributes:
        table: Its name, for errors.
        owner: Its class; columns of its bases are its columns too.
        columns: Its columns by name.
        root: What `f` stands for, if it stands for anything.
        keys: Columns that are seen as parts of the document that `f` stands for.
    """

    table: str
    owner: type
    columns: Mapping[str, ColumnShape]
    root: ColumnShape | None = None
    keys: frozenset[str] = frozenset()

    def column(self, node: ValueNode) -> ColumnShape:
        """Return the column, or what is computed from one, that a node names.

        Raises:
            QueryError: It belongs to another table, or is an element where a single value is needed.
            NoSuchField: The stored table lacks it.
        """
        match node:
            case ColumnNode():
                return self._named(node)
            case RootNode():
                if self.root is None:
                    raise QueryError(f"{self.table}: f stands for a document or an element; a table has columns")
                return self.root
            case StepNode(of=RootNode(), step=str(name)) if name in self.keys:
                return self.columns[name]
            case StepNode():
                return inside(self.column(node.of), node.step, self.table)
            case CallNode():
                return called(node.function, self.column(node.of), self.table)
            case ElementNode():
                raise QueryError(f"{self.table}: any_ and all_ make conditions; they have no single value")

    def _named(self, node: ColumnNode) -> ColumnShape:
        if not issubclass(self.owner, node.table):
            raise QueryError(f"{node.table.__name__}.{node.name} is no column of {self.table}")
        if node.name not in self.columns:
            raise NoSuchField(self.table, node.name, self.columns)
        return self.columns[node.name]


def bind(node: Node, scope: Scope) -> Condition:
    """Bind a condition to a table.

    Raises:
        QueryError: A column of another table, or a constant that the column's kind cannot be compared with.
    """
    match node:
        case Not():
            return negate(bind(node.part, scope))
        case AllOf():
            return every(bind(part, scope) for part in node.parts)
        case AnyOf():
            return some(bind(part, scope) for part in node.parts)
        case HasElement():
            return _some_element(node, scope)
        case Compare() | IsIn() | Matches() | Exists():
            lifted = _lifted(node)
            return _bound_leaf(node, scope) if lifted is None else bind(lifted, scope)


def _bound_leaf(node: Compare | IsIn | Matches | Exists, scope: Scope) -> Condition:
    column = scope.column(node.column)
    match node:
        case Exists():
            return Present(column) if column.source is not None else ALWAYS
        case Matches():
            return _text_condition(node, column, scope.table)
        case Compare() if isinstance(node.value, ValueNode):
            return _compared(column, node.operator, scope.column(node.value), scope.table)
        case _:
            return _leaf(column, _values(node, column, scope.table))


def _lifted(node: Compare | IsIn | Matches | Exists) -> Node | None:
    """Turn a condition on each element of a list into one on the list; None if it is on a single value."""
    way: list[StepNode | CallNode] = []
    value = node.column
    while isinstance(value, (StepNode, CallNode)):
        way.append(value)
        value = value.of
    if not isinstance(value, ElementNode):
        return None
    inner: ValueNode = RootNode()
    for step in reversed(way):
        inner = replace(step, of=inner)
    part = replace(node, column=inner)
    return Not(HasElement(value.of, Not(part))) if value.every else HasElement(value.of, part)


def _some_element(node: HasElement, scope: Scope) -> Condition:
    lifted = _lifted(Exists(node.column))
    if lifted is not None:
        raise QueryError(f"{scope.table}: any_ and all_ of lists in lists: write any_(f.x, any_(f.y) == 1)")
    column = scope.column(node.column)
    if column.kind not in {"list", "any"}:
        raise QueryError(f"{scope.table}.{column.name}: a {column.kind} has no elements")
    part = bind(node.part, Scope(f"an element of {scope.table}.{column.name}", _NoTable, {}, ELEMENT))
    return NEVER if part == NEVER else SomeElement(column, part)


class _NoTable:
    """Owner of no columns: the scope of elements."""


def _text_condition(node: Matches, column: ColumnShape, table: str) -> Condition:
    """Bind a test of text; what it says about the beginning becomes a set of values, which an index can serve."""
    if column.kind not in {"str", "any"} or not isinstance(node.text, str):
        word = node.test if node.test != "regex" else "matches"
        raise QueryError(f"{table}.{column.name}: {word} is for a str column and a str, not {shown_value(node.text)}")
    try:
        pattern_of(node.test, node.text, node.ignore_case)
    except re.error as error:
        raise QueryError(f"{table}.{column.name}: {node.text!r} is no regular expression: {error}") from error
    match = TextMatch(column, node.test, node.text, node.ignore_case)
    if node.ignore_case or node.test not in {"starts_with", "like"}:
        return match
    prefix, rest = (node.text, "%") if node.test == "starts_with" else like_prefix(node.text)
    if not rest:
        return _leaf(column, _equal(prefix, column, table))
    if not prefix and rest != "%":
        return match
    beginning = _leaf(column, begins(prefix, column.kind, lambda text: constant_cuts(text, column, table)))
    return beginning if rest == "%" else every([beginning, match])


def _compared(left: ColumnShape, operator: Operator, right: ColumnShape, table: str) -> Condition:
    """Bind a comparison of two values; they must have one order."""
    numbers = {"int", "float", "decimal"}
    for shape in (left, right):
        if shape.kind not in KINDS and shape.kind not in MIXED_KINDS:
            raise QueryError(f"{table}.{shape.name}: a {shape.kind} has no order")
    kinds = {left.kind, right.kind}
    if len(kinds) > 1 and not kinds <= numbers and MIXED_KINDS.isdisjoint(kinds):
        raise QueryError(f"{table}: {left.name} ({left.kind}) cannot be compared with {right.name} ({right.kind})")
    return Compared(left, operator, right)


def _leaf(column: ColumnShape, values: IntervalSet) -> Condition:
    """Return the condition that a column lies in a set, in its simplest form; null is no value of some columns."""
    if not column.nullable:
        values = intersection(values, VALUE_SET)
    if values == NOTHING:
        return NEVER
    return ALWAYS if values == (EVERYTHING if column.nullable else VALUE_SET) else Within(column, values)


def every(parts: Iterable[Condition]) -> Condition:
    """Return the condition that all parts hold, with one leaf for each column."""
    parts = tuple(parts)
    if len(parts) == 1:
        return parts[0]
    found: dict[ColumnShape, list[IntervalSet]] = {}
    others: list[Condition] = []
    for part in parts:
        for single in part.parts if isinstance(part, Every) else (part,):
            if isinstance(single, Within):
                found.setdefault(single.column, []).append(single.values)
            else:
                others.append(single)
    sets = {column: intersection(*values) for column, values in found.items()}
    if NEVER in others or NOTHING in sets.values():
        return NEVER
    leaves: list[Condition] = [Within(column, values) for column, values in sets.items() if values != EVERYTHING]
    merged = leaves + others
    return merged[0] if len(merged) == 1 else Every(tuple(merged))


def some(parts: Iterable[Condition]) -> Condition:
    """Return the condition that at least one part holds, with one leaf for each column."""
    return negate(every(negate(part) for part in parts))


def negate(condition: Condition) -> Condition:
    """Return the opposite; it holds for a null where the condition does not."""
    match condition:
        case Within():
            return _leaf(condition.column, complement(condition.values))
        case Every():
            return Some(tuple(negate(part) for part in condition.parts))
        case Some():
            return every(negate(part) for part in condition.parts)
        case TextMatch() | Present() | SomeElement() | Compared():
            return replace(condition, negated=not condition.negated)


def conjuncts(condition: Condition) -> tuple[Condition, ...]:
    """Return the parts that must all hold."""
    return condition.parts if isinstance(condition, Every) else (condition,)


def implies(condition: Condition, other: Condition) -> bool:
    """Return whether another condition surely holds wherever this one does; False where that is not easily seen."""
    parts = conjuncts(condition)
    sets = {part.column: part.values for part in parts if isinstance(part, Within)}
    for wanted in conjuncts(other):
        if wanted in parts:
            continue
        if not isinstance(wanted, Within) or wanted.column not in sets:
            return False
        given = sets[wanted.column]
        if intersection(given, wanted.values) != given:
            return False
    return True


def columns_of(condition: Condition) -> frozenset[str]:
    """Return the names of the table's columns that a condition looks at."""
    match condition:
        case Within() | TextMatch() | Present() | SomeElement():
            return frozenset({condition.column.column})
        case Compared():
            return frozenset({condition.left.column, condition.right.column})
        case Every() | Some():
            return frozenset().union(*map(columns_of, condition.parts))


def _values(node: Compare | IsIn, column: ColumnShape, table: str) -> IntervalSet:
    """Return the set of values for which a leaf holds."""
    if isinstance(node, IsIn):
        return union(_equal(value, column, table) for value in node.values)
    if node.operator == "==":
        return _equal(node.value, column, table)
    if node.operator == "!=":
        return complement(_equal(node.value, column, table))
    if node.value is None:
        raise QueryError(f"{table}.{column.name}: null is not ordered; write .is_null() or ~column.is_null()")
    below, above = constant_cuts(node.value, column, table)
    lowest, highest = own_type(node.value) if column.kind in MIXED_KINDS else (LOWEST_VALUE, HIGHEST)
    match node.operator:
        case "<":
            return between(lowest, below)
        case "<=":
            return between(lowest, above)
        case ">":
            return between(above, highest)
        case ">=":
            return between(below, highest)


def _equal(value: object, column: ColumnShape, table: str) -> IntervalSet:
    return NULL_SET if value is None else between(*constant_cuts(value, column, table))
