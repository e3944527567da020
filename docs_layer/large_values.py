"""Values that lie outside of their rows, so that reading the other columns never reads them.

    row with large values   = 00, layout, size, array, directory
    layout                  = one byte, as in `row_codec`
    size                    = 4 bytes, big-endian: length of `array`
    array                   = msgpack array of the row with nil in place of the large values
    directory               = msgpack array of [field number, length of the value's msgpack in bytes]
    chunk                   = at most 65,536 bytes of the value's msgpack
    key of a chunk          = prefix of the area, primary key, field number and chunk number as int components

A value moves out of its row when its msgpack takes more than 4,096 bytes; the columns of the primary key never do. The
first byte tells such rows from others, whose first byte is a layout from 1 up. Chunks are written and deleted together
with their row and in its transaction. Pure functions and an immutable class; any thread may use them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from docs_layer.errors import CorruptionError
from docs_layer.key_encoding import component_decoder, component_encoder, entries_with
from docs_layer.store import Reader, Transaction

INLINE_LIMIT_BYTES: Final = 4096
CHUNK_BYTES: Final = 1 << 16

FIRST_LAYOUT: Final = b"\1"
"""Rows with large values are below it, all others are not."""

_MARK: Final = 0
_HEADER_BYTES: Final = 6
_NIL: Final = b"\xc0"
_SHORT_ARRAY_LIMIT: Final = 16
_ENCODE: Final = msgspec.msgpack.Encoder().encode
_DECODE_PARTS: Final = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_DECODE_DIRECTORY: Final = msgspec.msgpack.Decoder(list[tuple[int, int]]).decode
_encode_int: Final = component_encoder("int")
_decode_int: Final = component_decoder("int")


class LargeRow(NamedTuple):
    """A row taken apart.

    Attributes:
        layout: Number of its layout.
        array: Its msgpack array, with nil in place of the large values.
        sizes: Lengths of the large values by field number.
    """

    layout: int
    array: bytes
    sizes: Mapping[int, int]


def has_large_values(stored: bytes) -> bool:
    """Return whether a stored row has values outside of it."""
    return stored < FIRST_LAYOUT


def read_large_row(stored: bytes) -> LargeRow:
    """Take a stored row with large values apart. Raises `ValueError` or `msgspec.MsgspecError` for other bytes."""
    end = _HEADER_BYTES + int.from_bytes(stored[2:_HEADER_BYTES], "big")
    if stored[0] != _MARK or len(stored) <= end:
        raise ValueError("not a row with large values")
    return LargeRow(stored[1], stored[_HEADER_BYTES:end], dict(_DECODE_DIRECTORY(stored[end:])))


class LargeValues:
    """Moves large values of one table out of its rows and back.

    Attributes:
        prefix: Of the keys of its chunks.
    """

    __slots__ = ("_layouts", "_names", "_table", "prefix")

    def __init__(
        self,
        table: str,
        prefix: bytes,
        layouts: Mapping[int, Sequence[int]],
        key: Sequence[int],
        names: Mapping[int, str],
    ) -> None:
        """Prepare a table.

        Args:
            table: Name for errors.
            prefix: Of the keys of its chunks.
            layouts: Field numbers by layout number.
            key: Numbers of the fields of the primary key.
            names: Column names by field number.
        """
        self.prefix = prefix
        self._table = table
        self._names = names
        self._layouts = {
            number: tuple(0 if field in key else field for field in fields) for number, fields in layouts.items()
        }

    def split(self, stored: bytes) -> tuple[bytes, dict[int, bytes]]:
        """Return a row as it is stored, and the msgpack of the values that go out of it, by field number."""
        if len(stored) <= INLINE_LIMIT_BYTES:
            return stored, {}
        parts = [bytes(part) for part in _DECODE_PARTS(stored[1:])]
        fields = self._layouts[stored[0]]
        large = {
            field: part for field, part in zip(fields, parts, strict=True) if field and len(part) > INLINE_LIMIT_BYTES
        }
        if not large:
            return stored, {}
        array = _array([_NIL if field in large else part for field, part in zip(fields, parts, strict=True)])
        directory = _ENCODE([[field, len(part)] for field, part in large.items()])
        return bytes([_MARK, stored[0]]) + len(array).to_bytes(4, "big") + array + directory, large

    def open(self, stored: bytes) -> tuple[bytes, frozenset[str]]:
        """Return a stored row with nil in place of its large values, and the names of their columns.

        Raises:
            CorruptionError: It is no such row.
        """
        row = self._take_apart(stored)
        large = frozenset(self._names[field] for field in row.sizes if field in self._names)
        return bytes([row.layout]) + row.array, large

    def _take_apart(self, stored: bytes) -> LargeRow:
        try:
            return read_large_row(stored)
        except (ValueError, IndexError, msgspec.MsgspecError) as error:
            raise CorruptionError(f"table {self._table}", f"not a row: {error} ({stored[:40].hex()})") from error

    def join(self, stored: bytes, values: Mapping[int, bytes]) -> bytes:
        """Return a row with its large values in it: a layout byte and a msgpack array. Raises `CorruptionError`."""
        row = self._take_apart(stored)
        try:
            parts = [bytes(part) for part in _DECODE_PARTS(row.array)]
            pairs = list(zip(self._layouts[row.layout], parts, strict=True))
        except (ValueError, KeyError, msgspec.MsgspecError) as error:
            raise CorruptionError(f"table {self._table}", f"not a row: {error} ({stored[:40].hex()})") from error
        return bytes([row.layout]) + _array([values.get(field, part) if field else part for field, part in pairs])

    def load(self, reader: Reader, primary: bytes, stored: bytes) -> dict[int, bytes]:
        """Read the large values of a row by field number.

        Raises:
            CorruptionError: Chunks are missing.

        Cost: one scan of the chunks.
        """
        row = self._take_apart(stored)
        parts: dict[int, list[bytes]] = {field: [] for field in row.sizes}
        begin = len(self.prefix) + len(primary)
        for chunk in reader.scan(*entries_with(self.prefix + primary)):
            for key, value in zip(chunk.keys, chunk.values, strict=True):
                parts.setdefault(self._field_of(key, begin), []).append(value)
        values = {field: b"".join(chunks) for field, chunks in parts.items()}
        if {field: len(value) for field, value in values.items()} != row.sizes:
            raise CorruptionError(f"table {self._table}", "a value stored out of line is not whole", key=primary)
        return values

    def write(
        self, transaction: Transaction, primary: bytes, old: Mapping[int, bytes], new: Mapping[int, bytes]
    ) -> None:
        """Write the large values of a row that differ from those it had."""
        for field in old:
            if old[field] != new.get(field):
                transaction.delete_range(*entries_with(self.prefix + primary + _encode_int(field)))
        for field, value in new.items():
            if old.get(field) != value:
                begin = self.prefix + primary + _encode_int(field)
                for number, offset in enumerate(range(0, len(value), CHUNK_BYTES)):
                    transaction.put(begin + _encode_int(number), value[offset : offset + CHUNK_BYTES])

    def delete(self, transaction: Transaction, primary: bytes) -> None:
        """Delete all large values of a row."""
        transaction.delete_range(*entries_with(self.prefix + primary))

    def _field_of(self, key: bytes, offset: int) -> int:
        field, _ = _decode_int(key, offset)
        return int(field)


def _array(parts: Sequence[bytes]) -> bytes:
    size = len(parts)
    header = bytes([0x90 | size]) if size < _SHORT_ARRAY_LIMIT else b"\xdc" + size.to_bytes(2, "big")
    return header + b"".join(parts)


class Pending(NamedTuple):
    """Stands in a row for a value that was not read yet.

    Attributes:
        stored: The row as it is stored.
    """

    stored: bytes
