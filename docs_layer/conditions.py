"""Conditions bound to a table: constants brought to the columns' types, negation pushed down, columns merged.

Owns the meaning of conditions. After binding the only leaf is `Within`, a column and a set of its values; `~` is gone.
Meaning of constants: they are compared by value (`year > 2020.5` on an int column is `year >= 2021`), and a
constant that can have no place in the column's order is a `QueryError`: a bool for a number, NaN for an int, a
datetime without a time zone for aware ones. Pure functions over immutable values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

from docs_layer.errors import NoSuchField, QueryError, shown_value
from docs_layer.intervals import (
    EVERYTHING,
    HIGHEST,
    LOWEST,
    NOTHING,
    Cut,
    IntervalSet,
    between,
    complement,
    intersection,
    union,
)
from docs_layer.key_encoding import KINDS, UnencodableError, component_decoder, component_encoder
from docs_layer.nodes import AllOf, AnyOf, ColumnNode, Compare, IsIn, Node, Not, StartsWith

_INT_LIMIT: Final = 1 << 63
_DECIMAL_NAN: Final = Decimal("NaN")
_LAST_CODE_POINT: Final = 0x10FFFF
_FIRST_SURROGATE: Final = 0xD800
_BEHIND_SURROGATES: Final = 0xE000
LOWEST_VALUE: Final = Cut(LOWEST.encoded, 1)
"""Just behind null, below every value."""
NULL_SET: Final[IntervalSet] = between(LOWEST, LOWEST_VALUE)
VALUE_SET: Final[IntervalSet] = complement(NULL_SET)
"""Everything but null."""


class ColumnShape(NamedTuple):
    """What binding must know of a column."""

    name: str
    kind: str
    nullable: bool


@dataclass(frozen=True, slots=True)
class Within:
    """The column's value lies in a set."""

    column: ColumnShape
    values: IntervalSet


@dataclass(frozen=True, slots=True)
class Every:
    """All parts hold; without parts, always."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """At least one part holds; without parts, never."""

    parts: tuple[Condition, ...]


Condition = Within | Every | Some
ALWAYS: Final = Every(())
NEVER: Final = Some(())


@dataclass(frozen=True, slots=True)
class Scope:
    """The table that conditions are bound to.

    Attributes:
        table: Its name, for errors.
        owner: Its class; columns of its bases are its columns too.
        columns: Its columns by name.
    """

    table: str
    owner: type
    columns: Mapping[str, ColumnShape]

    def column(self, node: ColumnNode) -> ColumnShape:
        """Return the column that a node names.

        Raises:
            QueryError: It belongs to another table.
            NoSuchField: The stored table lacks it.
        """
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
        case Compare() | IsIn() | StartsWith():
            column = scope.column(node.column)
            return _leaf(column, _values(node, column, scope.table))


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


def conjuncts(condition: Condition) -> tuple[Condition, ...]:
    """Return the parts that must all hold."""
    return condition.parts if isinstance(condition, Every) else (condition,)


def _values(node: Compare | IsIn | StartsWith, column: ColumnShape, table: str) -> IntervalSet:
    """Return the set of values for which a leaf holds."""
    if isinstance(node, StartsWith):
        return _beginning(node.text, column, table)
    if isinstance(node, IsIn):
        return union(_equal(value, column, table) for value in node.values)
    if node.operator == "==":
        return _equal(node.value, column, table)
    if node.operator == "!=":
        return complement(_equal(node.value, column, table))
    if node.value is None:
        raise QueryError(f"{table}.{column.name}: null is not ordered; write .is_null() or ~column.is_null()")
    below, above = _cuts(node.value, column, table)
    match node.operator:
        case "<":
            return between(LOWEST_VALUE, below)
        case "<=":
            return between(LOWEST_VALUE, above)
        case ">":
            return between(above, HIGHEST)
        case ">=":
            return between(below, HIGHEST)


def _equal(value: object, column: ColumnShape, table: str) -> IntervalSet:
    return NULL_SET if value is None else between(*_cuts(value, column, table))


def _beginning(text: object, column: ColumnShape, table: str) -> IntervalSet:
    if column.kind != "str" or not isinstance(text, str):
        raise QueryError(f"{table}.{column.name}: starts_with is for a str column and a str, not {shown_value(text)}")
    low = _cuts(text, column, table)[0]
    last = text.rstrip(chr(_LAST_CODE_POINT))
    high = HIGHEST
    if last:
        following = ord(last[-1]) + 1
        following = _BEHIND_SURROGATES if following == _FIRST_SURROGATE else following
        high = _cuts(last[:-1] + chr(following), column, table)[0]
    return between(low, high)


def _cuts(value: object, column: ColumnShape, table: str) -> tuple[Cut, Cut]:
    """Return the cuts below and above a constant; they are equal if no value of the column equals it."""
    if column.kind not in KINDS:
        raise QueryError(f"{table}.{column.name}: a {column.kind} has no order; it can only be compared with None")
    try:
        if column.kind in _NUMBERS:
            return _NUMBERS[column.kind](value)
        encoded = component_encoder(column.kind)(value)
    except (UnencodableError, _NoNumberError) as error:
        raise QueryError(
            f"{table}.{column.name} is of kind {column.kind}: it cannot be compared with {shown_value(value)}"
        ) from error
    # What is read back is the value as rows hold it: an instant in UTC, bytes for a bytearray, a plain str.
    canonical, _ = component_decoder(column.kind, False)(encoded, 0)
    return Cut(encoded, 0, canonical), Cut(encoded, 1, canonical)


class _NoNumberError(Exception):
    """The constant is no number that the column can be compared with."""


def _is_nan(value: float | Decimal) -> bool:
    """Whether a number is a NaN of any kind; `math.isnan` fails for those that signal and for huge ints."""
    return value.is_nan() if isinstance(value, Decimal) else value != value  # noqa: PLR0124 - only NaN differs


def _int_cuts(value: object) -> tuple[Cut, Cut]:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)) or _is_nan(value):
        raise _NoNumberError
    if value >= _INT_LIMIT:
        return HIGHEST, HIGHEST
    if value < -_INT_LIMIT:
        return LOWEST_VALUE, LOWEST_VALUE
    floor = math.floor(value)
    encoded = component_encoder("int")(floor)
    above = Cut(encoded, 1, floor)
    return (Cut(encoded, 0, floor) if floor == value else above), above


def _float_cuts(value: object) -> tuple[Cut, Cut]:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise _NoNumberError
    try:
        near = math.nan if _is_nan(value) else float(value)  # one object, since NaN is equal to nothing else
    except OverflowError:
        near = math.inf if value > 0 else -math.inf
    encoded = component_encoder("float")(near)
    exact = Decimal(near) if isinstance(value, Decimal) else near
    if near != near or exact == value:  # noqa: PLR0124 - NaN is equal to itself here
        return Cut(encoded, 0, near), Cut(encoded, 1, near)
    between_floats = Cut(encoded, 0 if exact > value else 1, near)
    return between_floats, between_floats


def _decimal_cuts(value: object) -> tuple[Cut, Cut]:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise _NoNumberError
    if isinstance(value, float) and _is_nan(value):
        raise _NoNumberError
    exact = value if isinstance(value, Decimal) else Decimal(value)
    if exact.is_nan():
        exact = _DECIMAL_NAN
    encoded = component_encoder("decimal")(exact)
    return Cut(encoded, 0, exact), Cut(encoded, 1, exact)


_NUMBERS: Final[Mapping[str, Callable[[object], tuple[Cut, Cut]]]] = {
    "int": _int_cuts,
    "float": _float_cuts,
    "decimal": _decimal_cuts,
}
