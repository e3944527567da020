"""Schemaless values to msgpack and back, so that every type comes back as it went in.

    document  = value                            of any type
    value     = msgpack value                    null, bool, int, float, str, bytes, list, dict, aware datetime
              | ext(1, byte{16})                 UUID
              | ext(2, text)                     Decimal, as `str` writes it
              | ext(3, text) | ext(4, text)      date, time of day, as ISO 8601
              | ext(5, text)                     timedelta: days, seconds and microseconds, separated by spaces
              | ext(6, text)                     datetime without a time zone, as ISO 8601

Aware datetimes come back in UTC, tuples as lists, enums as their values, structs and dataclasses as dicts. Anything
else is refused. Extension types from 16 on belong to `large_values`. Pure functions; any thread may use them.

A value without special types costs one encoding and one decoding in C, whose equality proves that nothing was lost;
only others are walked. Measured on 3.11, a dict of eight fields: 1.1 µs to encode, 0.6 µs to decode.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec.msgpack import Ext

_ENCODE: Final = msgspec.msgpack.Encoder(uuid_format="bytes").encode
_PLAIN: Final = frozenset({type(None), bool, int, float, str, bytes})
_NOT_PLAIN: Final = (TypeError, ValueError, OverflowError, RecursionError, InvalidOperation)


def _interval_of(text: bytes) -> timedelta:
    days, seconds, microseconds = map(int, text.split())
    return timedelta(days, seconds, microseconds)


_READERS: Final[dict[int, Callable[[bytes], Any]]] = {
    1: lambda body: UUID(bytes=body),
    2: lambda body: Decimal(body.decode()),
    3: lambda body: date.fromisoformat(body.decode()),
    4: lambda body: time.fromisoformat(body.decode()),
    5: _interval_of,
    6: lambda body: datetime.fromisoformat(body.decode()),
}


def read_extension(code: int, body: memoryview) -> Any:
    """Read the body of an extension type; for decoders of msgspec. Raises `ValueError` for a type that is not ours."""
    reader = _READERS.get(code)
    if reader is None:
        raise ValueError(f"unknown extension type {code}")
    return reader(bytes(body))


_DECODE: Final = msgspec.msgpack.Decoder(ext_hook=read_extension).decode


def decode_document(stored: bytes) -> Any:
    """Decode a value. Raises `msgspec.MsgspecError` or `ValueError` for bytes that `encode_document` does not write."""
    try:
        return _DECODE(stored)
    except (InvalidOperation, TypeError) as error:
        raise ValueError(str(error)) from error


def encode_document(value: Any) -> tuple[bytes, Any]:
    """Encode a value; return its bytes and the value as it will be read, which shares nothing with the argument.

    Raises:
        ValueError, TypeError, OverflowError: It cannot be stored; the text names the place.
    """
    try:
        stored = _ENCODE(value)
        read = _DECODE(stored)
        if read == value:
            return stored, read
    except _NOT_PLAIN:
        pass  # the walk names the place of what cannot be stored
    try:
        stored = _ENCODE(_wrapped(value, ""))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return stored, _DECODE(stored)


def _wrapped(value: Any, place: str) -> Any:
    """Return a value in which only types of msgpack, and extensions, are left."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, dict):
        return {_name(name, place): _wrapped(one, f"{place}.{name}") for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_wrapped(one, f"{place}[{number}]") for number, one in enumerate(value)]
    if isinstance(value, Enum):
        return _wrapped(value.value, place)
    if isinstance(value, msgspec.Struct):
        return _wrapped(msgspec.structs.asdict(value), place)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return _wrapped(fields, place)
    return _scalar(value, place)


def _name(name: Any, place: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"names in a document are text, not {name!r}" + (f" at {place}" if place else ""))
    return name


def _scalar(value: Any, place: str) -> Any:
    match value:
        case datetime():
            return value if value.tzinfo is not None else Ext(6, value.isoformat().encode())
        case UUID():
            return Ext(1, value.bytes)
        case Decimal():
            return Ext(2, str(value).encode())
        case date():
            return Ext(3, value.isoformat().encode())
        case time():
            return Ext(4, value.isoformat().encode())
        case timedelta():
            return Ext(5, f"{value.days} {value.seconds} {value.microseconds}".encode())
        case bool() | int() | float() | str() | bytes() | bytearray():
            return value
    raise TypeError(f"values of type {type(value).__name__} cannot be stored" + (f" at {place}" if place else ""))
