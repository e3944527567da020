"""Blocks in plain Python: encode, check, search in the raw bytes, decode. Owns the bytes of a block.

The bytes of a block (all integers little-endian, lengths in bytes):

    block         = header key-prefix key-lengths value-lengths keys values
    header        = flags u8, key-width u8, value-width u8, zero u8,
                    entry-count u32 (at least 1), prefix-length u32, key-length u32, value-length u32
    key-prefix    = what all keys begin with, stored once
    key-lengths   = one integer of key-width bytes an entry: length of the key without the prefix
    value-lengths = one integer of value-width bytes an entry; the largest integer of that width marks a tombstone
    keys          = the keys without the prefix, joined, strictly ascending
    values        = the values, joined in the same order; a tombstone has none

A width is 1, 2 or 4; or it is 0: then the column of lengths is absent, all entries have the one length in the header,
and the value-length FFFFFFFF says that all are tombstones. With another width the length in the header is 0. Flag 1:
some value-lengths mark tombstones. The other flags are 0.

Example: keys `a1`, `a2` with values `x` and a tombstone:

    01 00 01 00  02000000  01000000  01000000  00000000  61  01 ff  31 32  78

All functions are pure, so any number of threads may call them.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import accumulate
from struct import Struct, unpack_from
from typing import Final, NamedTuple

from lsm.errors import CorruptionError
from lsm.runs import MISSING, Missing, Run, Value

_HEADER: Final = Struct("<BBBBIIII")
_ALL_TOMBSTONES: Final = 0xFFFFFFFF
_SOME_TOMBSTONES: Final = 1
_TYPE_CODES: Final = {1: "B", 2: "H", 4: "I"}
_BIG_ENDIAN: Final = sys.byteorder == "big"

_FIND_BYTES: Final = 4096
"""In key columns up to this size `bytes.find` beats a binary search in bytecode."""
_UNPACK_COUNT: Final = 4096
"""Up to this many pieces are cut by one `struct` format; beyond, the format would take more memory than the pieces."""


class PlainBlock(NamedTuple):
    """A block whose lengths were all checked, with what a search in its raw bytes needs. Made by `parse_block` only.

    `content` is the whole block; all positions count from its start. Entry `i` has the key `prefix` + the i-th piece
    of the key column, and the i-th piece of the value column. Pieces of a column are either all `..._length` bytes
    long, or lie between the i-th and the following one of `..._bounds`, which is None in the first case.
    """

    content: bytes
    entry_count: int
    prefix: bytes
    key_start: int
    key_length: int
    key_bounds: Sequence[int] | None
    value_start: int
    value_length: int
    value_bounds: Sequence[int] | None
    tombstones: frozenset[int] | range

    @property
    def memory_bytes(self) -> int:
        """About how much memory the block takes, in bytes."""
        bounds = (self.key_bounds is not None) + (self.value_bounds is not None)
        return 400 + len(self.content) + self.entry_count * 4 * bounds + len(self.tombstones) * 64


def encode_block(keys: Sequence[bytes], values: Sequence[Value]) -> bytes:
    """Return the bytes of a block; see `Kernel.encode_block`."""
    prefix = shared_prefix(keys[0], keys[-1])
    flags = 0
    present: Sequence[bytes]
    try:
        value_lengths = list(map(len, values))  # type: ignore[arg-type]  # a tombstone raises, and takes the other way
        present = values  # type: ignore[assignment]  # the line above proved that there is no tombstone
        value_width, value_length = _common(value_lengths)
    except TypeError:
        present = [value for value in values if value is not None]
        value_width, value_length, value_lengths = _lengths_with_tombstones(values)
        flags = _SOME_TOMBSTONES if value_width else 0
    if prefix:
        skipped = len(prefix)
        keys = [key[skipped:] for key in keys]
    key_lengths = list(map(len, keys))
    key_width, key_length = _common(key_lengths)
    header = _HEADER.pack(flags, key_width, value_width, 0, len(keys), len(prefix), key_length, value_length)
    columns = (_pack_lengths(key_width, key_lengths), _pack_lengths(value_width, value_lengths))
    return b"".join((header, prefix, *columns, *keys, *present))


def shared_prefix(first: bytes, last: bytes) -> bytes:
    """Return the longest common prefix of two keys, and so of all keys between them. Costs a few slices."""
    if first[:1] != last[:1]:
        return b""
    low, high = 0, min(len(first), len(last))
    while low < high:
        middle = (low + high + 1) // 2
        if first[:middle] == last[:middle]:
            low = middle
        else:
            high = middle - 1
    return first[:low]


def _common(lengths: list[int]) -> tuple[int, int]:
    """Return (0, the one length), or (the width that holds all lengths below its largest integer, 0)."""
    longest = max(lengths)
    if min(lengths) == longest:
        return 0, longest
    return _width(longest), 0


def _width(longest: int) -> int:
    return 1 if longest < 0xFF else 2 if longest < 0xFFFF else 4


def _lengths_with_tombstones(values: Sequence[Value]) -> tuple[int, int, list[int]]:
    """Return width, common length and lengths of values of which at least one is a tombstone."""
    longest = max((len(value) for value in values if value is not None), default=-1)
    if longest < 0:
        return 0, _ALL_TOMBSTONES, []
    width = _width(longest)
    mark = (1 << 8 * width) - 1
    return width, 0, [mark if value is None else len(value) for value in values]


def _pack_lengths(width: int, lengths: list[int]) -> bytes:
    if not width:
        return b""
    column = array(_TYPE_CODES[width], lengths)
    if _BIG_ENDIAN:
        column.byteswap()
    return column.tobytes()


def parse_block(content: bytes, path: str, offset: int) -> PlainBlock:
    """Check every length and return the block; see `Kernel.parse_block`."""
    try:
        return _parse_block(content)
    except ValueError as error:
        raise CorruptionError(path, offset, f"block: {error}") from error


def _parse_block(content: bytes) -> PlainBlock:
    """Return the block; a `ValueError` says which length does not fit."""
    size = len(content)
    if size < _HEADER.size:
        raise ValueError("shorter than its header")
    flags, key_width, value_width, zero, count, prefix_length, key_length, value_length = _HEADER.unpack_from(content)
    if flags > _SOME_TOMBSTONES or zero or not count or (flags and not value_width):
        raise ValueError("impossible header")
    keys_at = _HEADER.size + prefix_length
    values_at = keys_at + key_width * count
    key_start = values_at + value_width * count
    if key_start > size:
        raise ValueError("lengths reach beyond the end")
    key_bounds, value_start = _read_column(content, keys_at, key_width, count, key_start, key_length)
    if not key_width and not key_length and count != 1:
        raise ValueError("several empty keys")
    tombstones: frozenset[int] | range = frozenset()
    if flags:
        if value_length:
            raise ValueError("two kinds of lengths for one column")
        value_bounds, end, tombstones = _read_marked_column(content, values_at, value_width, count, value_start)
    elif not value_width and value_length == _ALL_TOMBSTONES:
        value_bounds, end, value_length, tombstones = None, value_start, 0, range(count)
    else:
        value_bounds, end = _read_column(content, values_at, value_width, count, value_start, value_length)
    if end != size:
        raise ValueError(f"entries end at {end} of {size} bytes")
    prefix = content[_HEADER.size : keys_at]
    return PlainBlock(
        content, count, prefix, key_start, key_length, key_bounds, value_start, value_length, value_bounds, tombstones
    )


def _read_column(
    content: bytes, lengths_at: int, width: int, count: int, start: int, length: int
) -> tuple[Sequence[int] | None, int]:
    """Return the bounds of a column's pieces (None: one common length) and the end of the column."""
    if not width:
        end = start + length * count
        if end > len(content):
            raise ValueError("a column reaches beyond the end")
        return None, end
    if length:
        raise ValueError("two kinds of lengths for one column")
    return _bounds(content, _unpack_lengths(content, lengths_at, width, count), start)


def _read_marked_column(
    content: bytes, lengths_at: int, width: int, count: int, start: int
) -> tuple[Sequence[int] | None, int, frozenset[int]]:
    """Do the same for a column in which the largest integer marks a tombstone; return also where the marks are."""
    lengths = _unpack_lengths(content, lengths_at, width, count)
    mark = (1 << 8 * width) - 1
    tombstones = frozenset([index for index, length in enumerate(lengths) if length == mark])
    for index in tombstones:
        lengths[index] = 0
    return *_bounds(content, lengths, start), tombstones


def _unpack_lengths(content: bytes, at: int, width: int, count: int) -> array[int]:
    code = _TYPE_CODES.get(width)
    if code is None:
        raise ValueError(f"impossible width {width}")
    lengths = array(code, content[at : at + width * count])
    if _BIG_ENDIAN:
        lengths.byteswap()
    return lengths


def _bounds(content: bytes, lengths: array[int], start: int) -> tuple[Sequence[int], int]:
    # The sum is checked first: below the size of the content, no bound can exceed 32 bits.
    end = start + sum(lengths)
    if end > len(content):
        raise ValueError("a column reaches beyond the end")
    return array("I", accumulate(lengths, initial=start)), end


def search_block(block: PlainBlock, key: bytes) -> bytes | Missing | None:
    """Return the value of a key; see `Kernel.search_block`."""
    content, _, prefix, start, length, bounds, value_start, value_length, value_bounds, tombstones = block
    if prefix:
        if not key.startswith(prefix):
            return MISSING
        key = key[len(prefix) :]
    # The joined keys may hold these bytes also across the border of two keys; the binary search settles that case.
    index = -1
    if value_start - start <= _FIND_BYTES:
        position = content.find(key, start, value_start)
        if position < 0:
            return MISSING
        if bounds is None:
            if len(key) == length and not (position - start) % (length or 1):
                index = (position - start) // (length or 1)
        else:
            index = bisect_left(bounds, position)
            if bounds[index] != position or bounds[index + 1] != position + len(key):
                index = -1
    if index < 0:
        index = _search(block, key)
        if index < 0:
            return MISSING
    if tombstones and index in tombstones:
        return None
    if value_bounds is None:
        position = value_start + index * value_length
        return content[position : position + value_length]
    return content[value_bounds[index] : value_bounds[index + 1]]


def _search(block: PlainBlock, key: bytes) -> int:
    """Return the index of a key (given without the prefix) by binary search, or -1."""
    piece = _piece(block)
    index = bisect_left(range(block.entry_count), key, key=piece)
    return index if index < block.entry_count and piece(index) == key else -1


def _piece(block: PlainBlock) -> Callable[[int], bytes]:
    """Return a function from an index to the key there, without the prefix."""
    content, start, length, bounds = block.content, block.key_start, block.key_length, block.key_bounds
    if bounds is None:
        return lambda index: content[start + index * length : start + index * length + length]
    return lambda index: content[bounds[index] : bounds[index + 1]]


def decode_block(block: PlainBlock) -> Run:
    """Return all entries; see `Kernel.decode_block`."""
    return _decode(block, 0, block.entry_count)


def decode_part(block: PlainBlock, start: bytes | None, stop: bytes | None) -> Run:
    """Return the entries from `start` up to `stop`; see `Kernel.decode_part`."""
    low = 0 if start is None else _lower_bound(block, start)
    high = block.entry_count if stop is None else _lower_bound(block, stop)
    return _decode(block, low, high) if low < high else ([], [])


def _lower_bound(block: PlainBlock, key: bytes) -> int:
    """Return how many keys of the block are below `key`."""
    prefix = block.prefix
    if key.startswith(prefix):
        return bisect_left(range(block.entry_count), key[len(prefix) :], key=_piece(block))
    return 0 if key < prefix else block.entry_count


def _decode(block: PlainBlock, low: int, high: int) -> Run:
    content, _, prefix, key_start, key_length, key_bounds, start, length, bounds, tombstones = block
    keys = _pieces(content, key_start, key_length, key_bounds, low, high)
    if prefix:
        keys = [prefix + key for key in keys]
    if len(tombstones) == block.entry_count:
        return keys, [None] * (high - low)
    values: list[Value] = list(_pieces(content, start, length, bounds, low, high))
    for index in tombstones:
        if low <= index < high:
            values[index - low] = None
    return keys, values


def _pieces(content: bytes, start: int, length: int, bounds: Sequence[int] | None, low: int, high: int) -> list[bytes]:
    """Return the pieces `low` to `high` of a column."""
    if bounds is not None:
        first = bounds[low]
        return [content[first : (first := last)] for last in bounds[low + 1 : high + 1]]
    start += low * length
    if high - low <= _UNPACK_COUNT:
        return list(unpack_from(f"{length}s" * (high - low), content, start))
    if not length:
        return [b""] * (high - low)
    return [content[at : at + length] for at in range(start, start + (high - low) * length, length)]
