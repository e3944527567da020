"""Constants of a program as places in the order of a column.

Owns what a constant means beside a column of each kind: numbers are compared by value, so a float lies between two
ints; what can have no place in the column's order is a `QueryError`: a bool for a number, NaN for an int, a datetime
without a time zone for aware ones. Pure functions over immutable values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from typing import Final

from docs_layer.errors import QueryError, shown_value
from docs_layer.intervals import HIGHEST, LOWEST, Cut
from docs_layer.key_encoding import KINDS, TypeCode, UnencodableError, component_decoder, component_encoder
from docs_layer.values import MIXED_KINDS, UNORDERED, ColumnShape, encode_loosely

LOWEST_VALUE: Final = Cut(LOWEST.encoded, 1)
"""Just behind null, below every value."""
_INT_LIMIT: Final = 1 << 63
_DECIMAL_NAN: Final = Decimal("NaN")


def constant_cuts(value: object, column: ColumnShape, table: str) -> tuple[Cut, Cut]:
    """Return the cuts below and above a constant; they are equal if no value of the column equals it.

    Raises:
        QueryError: The constant has no place in the column's order; names both.
    """
    if isinstance(value, Enum):
        value = value.value
    if column.kind in MIXED_KINDS:
        return _mixed_cuts(value, column, table)
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


def own_type(value: object) -> tuple[Cut, Cut]:
    """Return the cuts around all values of a constant's type in the mixed order."""
    code = encode_loosely(value)[0]
    first = TypeCode.FALSE if code == TypeCode.TRUE else code
    last = TypeCode.TRUE if code == TypeCode.FALSE else code
    return Cut(bytes([first]), 0), Cut(bytes([last + 1]), 0)


def _mixed_cuts(value: object, column: ColumnShape, table: str) -> tuple[Cut, Cut]:
    encoded = encode_loosely(value)
    if encoded == UNORDERED:
        raise QueryError(f"{table}.{column.name} cannot be compared with {shown_value(value)}, which has no order")
    return Cut(encoded, 0, value), Cut(encoded, 1, value)


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
