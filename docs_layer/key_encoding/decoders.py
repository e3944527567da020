"""Bytes of one component back to its value, and to the offset behind it.

Owns the reading of what `encoders` writes. Decoders exist for the invertible kinds and for floats; skippers for all,
so that a primary key can be cut out of an index entry whatever stands before it. Bytes that no encoder writes raise
`MalformedKeyError`. Pure functions; any thread may use them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from docs_layer.key_encoding.codes import INVERTED, NULL_BYTES, Decoder, MalformedKeyError, Skipper, TypeCode
from docs_layer.key_encoding.encoders import DAYS_BIAS, EPOCH, EPOCH_NAIVE, INT_BIAS, WORD
from docs_layer.key_encoding.number_order import float_of_order, skip_decimal, skip_number

_WORD_BODY: Final = struct.Struct(">Q")
_HALF_WORD_BODY: Final = struct.Struct(">I")
_INTERVAL_BODY: Final = struct.Struct(">III")


def _text_of(body: bytes) -> str:
    return body[:-1].replace(b"\0\xff", b"\0").decode()


def _bytes_of(body: bytes) -> bytes:
    return body[:-1].replace(b"\0\xff", b"\0")


def _int_of(body: bytes) -> int:
    value: int = _WORD_BODY.unpack(body)[0] - INT_BIAS
    return value


def _float_of(body: bytes) -> float:
    return float_of_order(_WORD_BODY.unpack(body)[0])


def _interval_of_microseconds(body: bytes) -> timedelta:
    return timedelta(microseconds=_int_of(body))


def _datetime_of(body: bytes) -> datetime:
    return EPOCH + _interval_of_microseconds(body)


def _datetime_naive_of(body: bytes) -> datetime:
    return EPOCH_NAIVE + _interval_of_microseconds(body)


def _date_of(body: bytes) -> date:
    return date.fromordinal(_HALF_WORD_BODY.unpack(body)[0])


def _time_of(body: bytes) -> time:
    seconds, microsecond = divmod(_WORD_BODY.unpack(body)[0], 1_000_000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return time(hour, minute, second, microsecond)


def _timedelta_of(body: bytes) -> timedelta:
    days, seconds, microseconds = _INTERVAL_BODY.unpack(body)
    return timedelta(days - DAYS_BIAS, seconds, microseconds)


def _uuid_of(body: bytes) -> UUID:
    return UUID(bytes=body)


_VALUE_OF: Final[dict[TypeCode, Callable[[bytes], Any]]] = {
    TypeCode.FALSE: lambda _: False,
    TypeCode.TRUE: lambda _: True,
    TypeCode.INT: _int_of,
    TypeCode.FLOAT: _float_of,
    TypeCode.STR: _text_of,
    TypeCode.BYTES: _bytes_of,
    TypeCode.DATETIME: _datetime_of,
    TypeCode.DATETIME_NAIVE: _datetime_naive_of,
    TypeCode.DATE: _date_of,
    TypeCode.TIME: _time_of,
    TypeCode.TIMEDELTA: _timedelta_of,
    TypeCode.UUID: _uuid_of,
}

_KIND_CODES: Final[dict[str, frozenset[int]]] = {
    "int": frozenset({TypeCode.INT}),
    "float": frozenset({TypeCode.FLOAT}),
    "decimal": frozenset({TypeCode.DECIMAL}),
    "str": frozenset({TypeCode.STR}),
    "bytes": frozenset({TypeCode.BYTES}),
    "bool": frozenset({TypeCode.FALSE, TypeCode.TRUE}),
    "datetime": frozenset({TypeCode.DATETIME}),
    "datetime_naive": frozenset({TypeCode.DATETIME_NAIVE}),
    "date": frozenset({TypeCode.DATE}),
    "time": frozenset({TypeCode.TIME}),
    "timedelta": frozenset({TypeCode.TIMEDELTA}),
    "uuid": frozenset({TypeCode.UUID}),
    "any": frozenset(TypeCode) - {TypeCode.NULL, TypeCode.INT, TypeCode.FLOAT, TypeCode.DECIMAL},
}

_BODY_SIZE_BYTES: Final[dict[int, int]] = {
    TypeCode.FALSE: 0,
    TypeCode.TRUE: 0,
    TypeCode.INT: 8,
    TypeCode.FLOAT: 8,
    TypeCode.DATETIME: 8,
    TypeCode.DATETIME_NAIVE: 8,
    TypeCode.DATE: 4,
    TypeCode.TIME: 8,
    TypeCode.TIMEDELTA: 12,
    TypeCode.UUID: 16,
}


_NESTING: Final = frozenset({TypeCode.LIST, TypeCode.DICT})


def _skip_terminated(key: bytes, offset: int) -> int:
    """Give the offset behind the 00 that no FF follows."""
    end = key.find(b"\0", offset)
    while end >= 0:
        if key[end + 1 : end + 2] != b"\xff":
            return end + 1
        end = key.find(b"\0", end + 2)
    raise MalformedKeyError(key, offset, "a string does not end")


def _skip_items(key: bytes, offset: int) -> int:
    """Give the offset behind the terminator of the list or dict whose items begin here; nesting costs no stack."""
    open_lists = 1
    while open_lists:
        code = key[offset] if offset < len(key) else -1
        if code == 0:
            open_lists -= 1
            offset += 1
        elif code in _NESTING:
            open_lists += 1
            offset += 1
        else:
            offset = _skip_code(key, offset, code)
    return offset


def _skip_code(key: bytes, offset: int, code: int) -> int:
    """Give the offset behind the ascending component at `offset`, whose code is `code`."""
    if code == TypeCode.NULL:
        return offset + 1
    size_bytes = _BODY_SIZE_BYTES.get(code)
    if size_bytes is not None:
        end = offset + 1 + size_bytes
        if end > len(key):
            raise MalformedKeyError(key, offset, "the component is cut off")
        return end
    if code in (TypeCode.STR, TypeCode.BYTES):
        return _skip_terminated(key, offset + 1)
    if code == TypeCode.NUMBER:
        return skip_number(key, offset + 1)
    if code == TypeCode.DECIMAL:
        return skip_decimal(key, offset + 1)
    if code in _NESTING:
        return _skip_items(key, offset + 1)
    raise MalformedKeyError(key, offset, "no component begins here")


def component_skipper(kind: str, descending: bool = False) -> Skipper:
    """Give the function that finds the end of one component, for every kind.

    Result: a function from a key and the offset of a component to the offset behind it; it raises
    `MalformedKeyError`. Cost: below 1 µs; descending ones copy the key first.
    Errors: `ValueError` for an unknown kind.
    """
    if kind not in _KIND_CODES:
        raise ValueError(f"unknown kind of key column: {kind!r}")
    allowed = _KIND_CODES[kind] | {TypeCode.NULL}

    def skip(key: bytes, offset: int) -> int:
        code = key[offset] if 0 <= offset < len(key) else -1
        if code not in allowed:
            raise MalformedKeyError(key, offset, f"no component of kind {kind} begins here")
        return _skip_code(key, offset, code)

    def skip_descending(key: bytes, offset: int) -> int:
        try:
            return skip(key.translate(INVERTED), offset)
        except MalformedKeyError as error:
            raise MalformedKeyError(key, error.position, error.reason) from error

    return skip_descending if descending else skip


def _decode_int(key: bytes, offset: int) -> tuple[int | None, int]:
    """Decode one ascending int with a single unpack: 0.2 µs instead of 1 (most primary keys are ints)."""
    try:
        code, body = WORD.unpack_from(key, offset)
    except struct.error:
        code = body = 0
    if code == TypeCode.INT:
        return body - INT_BIAS, offset + WORD.size
    if key[offset : offset + 1] == NULL_BYTES:
        return None, offset + 1
    raise MalformedKeyError(key, offset, "no component of kind int begins here")


def component_decoder(kind: str, descending: bool = False) -> Decoder:
    """Give the function that decodes one component.

    Arguments: `kind`, one of `INVERTIBLE_KINDS` or "float" (which gives back 0.0 for -0.0); `descending` as encoded.
    Result: a function from a key and the offset of a component to (value or None, offset behind it); it raises
    `MalformedKeyError`. Aware datetimes come back in UTC. Cost: about 1 µs.
    Errors: `ValueError` for a kind whose encoding does not hold the whole value.
    """
    if kind in ("decimal", "any"):
        raise ValueError(f"keys of kind {kind} cannot be decoded: equal values of different form share one key")
    if kind == "int" and not descending:
        return _decode_int
    skip = component_skipper(kind, descending)

    def decode(key: bytes, offset: int) -> tuple[Any, int]:
        end = skip(key, offset)
        component = key[offset:end]
        if descending:
            component = component.translate(INVERTED)
        code = component[0]
        if code == TypeCode.NULL:
            return None, end
        try:
            return _VALUE_OF[TypeCode(code)](component[1:]), end
        except (ValueError, OverflowError) as error:
            raise MalformedKeyError(key, offset, f"no value of kind {kind}: {error}") from error

    return decode
