"""Type codes, kinds and the two errors of the key encoding: the numbers that are on disk.

Owns the assignment of codes. They lie in 10..EF, so that they also do so when every byte is inverted: 00, 01 and FF
stay free for terminators, for the end marker and for the bounds of ranges. A code is never changed and never given
to anything else; a new kind takes a number that is still free. Holds no state; any thread may use it.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, Final, TypeAlias

from docs_layer.errors import CorruptionError, DatabaseError, shown_value

Encoder: TypeAlias = Callable[[Any], bytes]
"""Value or None to the bytes of one component."""
Decoder: TypeAlias = Callable[[bytes, int], tuple[Any, int]]
"""Key and offset of a component to its value and the offset behind it."""
Skipper: TypeAlias = Callable[[bytes, int], int]
"""Key and offset of a component to the offset behind it."""


class TypeCode(IntEnum):
    """First byte of an ascending component. In a schemaless column this is also the order of the types."""

    NULL = 0x10
    FALSE = 0x18
    TRUE = 0x19
    INT = 0x20
    FLOAT = 0x24
    DECIMAL = 0x28
    NUMBER = 0x2C
    STR = 0x30
    BYTES = 0x38
    DATETIME = 0x40
    DATETIME_NAIVE = 0x44
    DATE = 0x48
    TIME = 0x4C
    TIMEDELTA = 0x50
    UUID = 0x58
    LIST = 0x60
    DICT = 0x68


KINDS: Final = (
    "int",
    "float",
    "decimal",
    "str",
    "bytes",
    "bool",
    "datetime",
    "datetime_naive",
    "date",
    "time",
    "timedelta",
    "uuid",
    "any",
)
"""Kinds of columns. `datetime` holds aware values, `datetime_naive` those without a zone, `any` is schemaless."""

INVERTIBLE_KINDS: Final = frozenset(KINDS) - {"float", "decimal", "any"}
"""Kinds whose components give back an equal value of the same type (the others share one key among -0.0 and 0.0,
among `Decimal("1.0")` and `Decimal("1.00")`, among 1 and 1.0)."""

OPEN_ENDED_KINDS: Final = frozenset({"str", "bytes", "any"})
"""Kinds where a descending component may be a byte prefix of another: as the last of a key they need the end marker."""

END_MARKER: Final = b"\x01"
"""Ends a key whose last component is descending and of an open-ended kind."""

INVERTED: Final = bytes(255 - byte for byte in range(256))
"""Translation table that turns an ascending component into the descending one, and back."""

NULL_BYTES: Final = bytes([TypeCode.NULL])


class UnencodableError(DatabaseError, ValueError):
    """A value has no place in the order of its column's kind: wrong type, out of range, lone surrogate.

    Attributes:
        kind: The kind of the column.
        value: The value that was given.
        reason: What is wrong, in words.
    """

    def __init__(self, kind: str, value: object, reason: str) -> None:
        super().__init__(f"{shown_value(value)} cannot be a key of kind {kind}: {reason}")
        self.kind = kind
        self.value = value
        self.reason = reason


class MalformedKeyError(CorruptionError):
    """Bytes that are no key of the expected kinds: damage, or a reader with the wrong schema.

    Attributes:
        key: The whole key.
        position: Where in the key the component that is wrong begins.
        reason: What is wrong, in words.
    """

    def __init__(self, key: bytes, position: int, reason: str) -> None:
        super().__init__("key", f"{reason}, at byte {position}", key=key)
        self.position = position
        self.reason = reason
