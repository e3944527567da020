"""Values to the bytes of one component, per kind; the grammar stands in the package's docstring.

Owns the bodies of all components. Every function is pure, takes None for null, and raises `UnencodableError` for a
value that its kind does not hold. Any thread may use them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from docs_layer.key_encoding.codes import INVERTED, NULL_BYTES, Encoder, TypeCode, UnencodableError
from docs_layer.key_encoding.number_order import decimal_bytes, float_order, number_bytes

INT_BIAS: Final = 1 << 63
WORD: Final = struct.Struct(">BQ")
HALF_WORD: Final = struct.Struct(">BI")
INTERVAL: Final = struct.Struct(">BIII")
DAYS_BIAS: Final = 1 << 31
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_NAIVE: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - the zero of naive values
LEAST_MICROSECOND: Final = -62_135_596_800_000_000
GREATEST_MICROSECOND: Final = 253_402_300_799_999_999
LIST_DEPTH_LIMIT: Final = 64

_WRONG_TYPE: Final = (AttributeError, TypeError, ValueError, OverflowError, struct.error)
_FALSE: Final = bytes([TypeCode.FALSE])
_TRUE: Final = bytes([TypeCode.TRUE])
_DECIMAL: Final = bytes([TypeCode.DECIMAL])
_NUMBER: Final = bytes([TypeCode.NUMBER])
_STR: Final = bytes([TypeCode.STR])
_BYTES: Final = bytes([TypeCode.BYTES])
_UUID: Final = bytes([TypeCode.UUID])
_LIST: Final = bytes([TypeCode.LIST])
_DICT: Final = bytes([TypeCode.DICT])


def int_encoder(descending: bool) -> Callable[[int | None], bytes]:
    """Give the encoder of 64-bit signed ints: code and 8 bytes. About 0.13 µs a call."""
    pack = WORD.pack
    code = TypeCode.INT ^ (0xFF if descending else 0)
    # The descending body is the complement of value + 2**63.
    bias = INT_BIAS - 1 if descending else INT_BIAS
    null = NULL_BYTES.translate(INVERTED) if descending else NULL_BYTES

    def encode_ascending(value: int | None) -> bytes:
        try:
            return pack(code, value + bias)  # type: ignore[operator]  # None is rare: the handler takes it
        except _WRONG_TYPE as error:
            return _null_or_raise(value, null, "int", error)

    def encode_descending(value: int | None) -> bytes:
        try:
            return pack(code, bias - value)  # type: ignore[operator]  # None is rare: the handler takes it
        except _WRONG_TYPE as error:
            return _null_or_raise(value, null, "int", error)

    return encode_descending if descending else encode_ascending


def _null_or_raise(value: object, null: bytes, kind: str, error: Exception) -> bytes:
    if value is None:
        return null
    raise UnencodableError(kind, value, "not an int of 64 bits") from error


def encode_float(value: float | None) -> bytes:
    """Encode a float by its order; -0.0 as 0.0, every NaN as the one above +infinity."""
    if value is None:
        return NULL_BYTES
    try:
        return WORD.pack(TypeCode.FLOAT, float_order(value))
    except _WRONG_TYPE as error:
        raise UnencodableError("float", value, "not a float") from error


def encode_decimal(value: Decimal | None) -> bytes:
    """Encode a Decimal by class, exponent and digits; equal ones share the bytes."""
    if value is None:
        return NULL_BYTES
    try:
        return _DECIMAL + decimal_bytes(value)
    except _WRONG_TYPE as error:
        raise UnencodableError("decimal", value, f"not a Decimal that can be a key ({error})") from error


def encode_str(value: str | None) -> bytes:
    """Encode text by code points; lone surrogates are refused."""
    if value is None:
        return NULL_BYTES
    try:
        return _STR + value.encode().replace(b"\0", b"\0\xff") + b"\0"
    except UnicodeEncodeError as error:
        raise UnencodableError("str", value, f"a lone surrogate at index {error.start}") from error
    except _WRONG_TYPE as error:
        raise UnencodableError("str", value, "not a str") from error


def encode_bytes(value: bytes | None) -> bytes:
    """Encode bytes (also `bytearray`) in their own order."""
    if value is None:
        return NULL_BYTES
    try:
        return _BYTES + value.replace(b"\0", b"\0\xff") + b"\0"
    except _WRONG_TYPE as error:
        raise UnencodableError("bytes", value, "not bytes") from error


def encode_bool(value: bool | None) -> bytes:
    """Encode False before True; the code is the whole component."""
    if value is None:
        return NULL_BYTES
    if value is True:
        return _TRUE
    if value is False:
        return _FALSE
    raise UnencodableError("bool", value, "not a bool")


def _microseconds(interval: timedelta) -> int:
    return (interval.days * 86_400 + interval.seconds) * 1_000_000 + interval.microseconds


def encode_datetime(value: datetime | None) -> bytes:
    """Encode an aware datetime as microseconds since 1970 in UTC: equal instants share the bytes."""
    if value is None:
        return NULL_BYTES
    try:
        instant = _microseconds(value - EPOCH)
    except _WRONG_TYPE as error:
        raise UnencodableError("datetime", value, "not a datetime with a time zone") from error
    # With an offset a datetime may lie outside the years 1 to 9999 of UTC, and could not be decoded.
    if not LEAST_MICROSECOND <= instant <= GREATEST_MICROSECOND:
        raise UnencodableError("datetime", value, "outside the years 1 to 9999 of UTC")
    return WORD.pack(TypeCode.DATETIME, instant + INT_BIAS)


def encode_datetime_naive(value: datetime | None) -> bytes:
    """Encode a datetime without a time zone as microseconds since 1970."""
    if value is None:
        return NULL_BYTES
    try:
        return WORD.pack(TypeCode.DATETIME_NAIVE, _microseconds(value - EPOCH_NAIVE) + INT_BIAS)
    except _WRONG_TYPE as error:
        raise UnencodableError("datetime_naive", value, "not a datetime without a time zone") from error


def encode_date(value: date | None) -> bytes:
    """Encode a date by its ordinal number; datetimes are refused because they would lose their time."""
    if value is None:
        return NULL_BYTES
    if isinstance(value, datetime) or not isinstance(value, date):
        raise UnencodableError("date", value, "not a date")
    return HALF_WORD.pack(TypeCode.DATE, value.toordinal())


def encode_time(value: time | None) -> bytes:
    """Encode a time of day without a time zone as microseconds since midnight."""
    if value is None:
        return NULL_BYTES
    if not isinstance(value, time) or value.tzinfo is not None:
        raise UnencodableError("time", value, "not a time of day without a time zone")
    seconds = (value.hour * 60 + value.minute) * 60 + value.second
    return WORD.pack(TypeCode.TIME, seconds * 1_000_000 + value.microsecond)


def encode_timedelta(value: timedelta | None) -> bytes:
    """Encode an interval as days, seconds and microseconds, which keeps the whole range of the type."""
    if value is None:
        return NULL_BYTES
    try:
        return INTERVAL.pack(TypeCode.TIMEDELTA, value.days + DAYS_BIAS, value.seconds, value.microseconds)
    except _WRONG_TYPE as error:
        raise UnencodableError("timedelta", value, "not a timedelta") from error


def encode_uuid(value: UUID | None) -> bytes:
    """Encode a UUID by its 16 bytes."""
    if value is None:
        return NULL_BYTES
    if not isinstance(value, UUID):
        raise UnencodableError("uuid", value, "not a UUID")
    return _UUID + value.bytes


def _encode_number(value: float | Decimal) -> bytes:
    try:
        return _NUMBER + number_bytes(value)
    except ValueError as error:
        raise UnencodableError("any", value, str(error)) from error


def _encode_moment(value: datetime) -> bytes:
    return encode_datetime_naive(value) if value.tzinfo is None else encode_datetime(value)


_SCHEMALESS: Final[dict[type, Encoder]] = {
    bool: encode_bool,
    int: _encode_number,
    float: _encode_number,
    Decimal: _encode_number,
    str: encode_str,
    bytes: encode_bytes,
    datetime: _encode_moment,
    date: encode_date,
    time: encode_time,
    timedelta: encode_timedelta,
    UUID: encode_uuid,
}


def encode_any(value: object, depth: int = 0) -> bytes:
    """Encode a value of any kind, or a list or dict of such values, in the order of the type codes."""
    if value is None:
        return NULL_BYTES
    encode = _SCHEMALESS.get(type(value))
    if encode is not None:
        return encode(value)
    if isinstance(value, (list, tuple)):
        return _encode_list(value, depth)
    if isinstance(value, dict):
        return _encode_dict(value, depth)
    for base in type(value).__mro__:
        if base in _SCHEMALESS:
            return _SCHEMALESS[base](value)
    raise UnencodableError("any", value, f"values of type {type(value).__name__} have no order")


def _encode_list(value: Sequence[object], depth: int) -> bytes:
    if depth >= LIST_DEPTH_LIMIT:
        raise UnencodableError("any", value, f"lists nested deeper than {LIST_DEPTH_LIMIT}")
    return _LIST + b"".join([encode_any(item, depth + 1) for item in value]) + b"\0"


def _encode_dict(value: Mapping[object, object], depth: int) -> bytes:
    """Encode keys and values in the order of the keys, so that equal dicts share the bytes."""
    if depth >= LIST_DEPTH_LIMIT:
        raise UnencodableError("any", value, f"dicts nested deeper than {LIST_DEPTH_LIMIT}")
    items = sorted((encode_any(key, depth + 1), encode_any(item, depth + 1)) for key, item in value.items())
    return _DICT + b"".join([part for item in items for part in item]) + b"\0"


_ASCENDING: Final[dict[str, Encoder]] = {
    "float": encode_float,
    "decimal": encode_decimal,
    "str": encode_str,
    "bytes": encode_bytes,
    "bool": encode_bool,
    "datetime": encode_datetime,
    "datetime_naive": encode_datetime_naive,
    "date": encode_date,
    "time": encode_time,
    "timedelta": encode_timedelta,
    "uuid": encode_uuid,
    "any": encode_any,
}


def component_encoder(kind: str, descending: bool = False) -> Encoder:
    """Give the function that encodes one component.

    Arguments: `kind`, one of `KINDS`; `descending`, for the reverse order.
    Result: a function from a value or None to bytes; it raises `UnencodableError` for a value of another type or out
    of range. Its cost is 0.15 to 0.5 µs, for decimals some µs.
    Errors: `ValueError` for an unknown kind.
    """
    if kind == "int":
        return int_encoder(descending)
    if kind not in _ASCENDING:
        raise ValueError(f"unknown kind of key column: {kind!r}")
    encode = _ASCENDING[kind]
    if not descending:
        return encode

    def encode_descending(value: object) -> bytes:
        return encode(value).translate(INVERTED)

    return encode_descending
