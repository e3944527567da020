"""A list of changes that becomes visible and durable as one, and its bytes in the log.

The body of a log frame is this list, column by column, so that a batch is encoded and decoded by a few calls in C:

    body          := key_length*n value_length*n keys values         n stands in the frame's header
    key_length    := u32                                             all integers little-endian
    value_length  := u32     n < 2^31: a put of n bytes
                           | FFFFFFFF: a deletion, nothing in the values column
                           | 80000000 + n: a range deletion; key is its start, value (n bytes) its stop, exclusive
    keys, values  := the bytes, one after the other

Example: put b"k" = b"vv" is  01000000 02000000 6b 7676.
Entry i has the sequence number first + i; a range deletion has one as well and hides only what comes before it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise

from lsm.errors import InvalidArgumentError
from lsm.keys import RESERVED, checked_value, checked_values, internal_key, internal_keys, internal_range
from lsm.options import MAXIMUM_KEY_BYTES, MAXIMUM_VALUE_BYTES
from lsm.runs import Value

DELETION = 0xFFFFFFFF
RANGE_DELETION = 0x80000000
_PAIR = struct.Struct("<II")


class WriteBatch:
    """Puts, deletes and range deletes in order; `Database.write` applies all of them or none.

    Keys and values are checked and copied when they are added, so a batch that exists is writable. Not safe for use by
    several threads at once. A batch may be written more than once.
    """

    __slots__ = ("keys", "ranges", "size_bytes", "values")

    def __init__(self) -> None:
        self.keys: list[bytes] = []
        """Internal keys, in order of addition."""
        self.values: list[Value] = []
        """For each key its value, None for a deletion, the stop key for a range deletion."""
        self.ranges: list[int] = []
        """Places of the range deletions in `keys`, ascending."""
        self.size_bytes = 0
        """Bytes of all keys and values."""

    def __len__(self) -> int:
        """Return the number of changes."""
        return len(self.keys)

    def put(self, key: bytes, value: bytes) -> None:
        """Set `key` (up to 64 KiB) to `value` (up to 1 GiB). Raises `InvalidArgumentError`."""
        # The checks of `keys` in line: a third of the time of filling a batch (`fill_batch` in bench).
        if type(key) is not bytes or key >= RESERVED or len(key) > MAXIMUM_KEY_BYTES:
            key = internal_key(key)
        if type(value) is not bytes or len(value) > MAXIMUM_VALUE_BYTES:
            value = checked_value(value)
        self.keys.append(key)
        self.values.append(value)
        self.size_bytes += len(key) + len(value)

    def delete(self, key: bytes) -> None:
        """Remove `key`; it need not exist. Raises `InvalidArgumentError`."""
        self.add(internal_key(key), None)

    def delete_range(self, start: bytes | None, stop: bytes | None) -> None:
        """Remove all keys in [start, stop); None means from the first, to the last. An empty range is no change."""
        self.add_range(*internal_range(start, stop))

    def update(self, pairs: Mapping[bytes, bytes]) -> None:
        """Put every pair of a mapping. Raises `InvalidArgumentError`, and then has added none."""
        keys = internal_keys(list(pairs))
        values = checked_values(list(pairs.values()))
        self.keys += keys
        self.values += values
        self.size_bytes += sum(map(len, keys)) + sum(map(len, values))

    def clear(self) -> None:
        """Forget all changes."""
        self.keys.clear()
        self.values.clear()
        self.ranges.clear()
        self.size_bytes = 0

    def add(self, key: bytes, value: Value) -> None:
        """Add a put, or with None a deletion, of an internal key."""
        self.keys.append(key)
        self.values.append(value)
        self.size_bytes += len(key) + (0 if value is None else len(value))

    def add_many(self, keys: Sequence[bytes], values: Sequence[Value]) -> None:
        """Add puts and deletions of internal keys."""
        self.keys += keys
        self.values += values
        self.size_bytes += sum(map(len, keys)) + sum(map(len, filter(None, values)))

    def add_range(self, start: bytes, stop: bytes) -> None:
        """Add the deletion of a range of internal keys, unless it is empty."""
        if start < stop:
            self.ranges.append(len(self.keys))
            self.add(start, stop)


def encode_entry(key: bytes, value: Value) -> bytes:
    """Return the body of a frame with one put or, with None, one deletion."""
    if value is None:
        return _PAIR.pack(len(key), DELETION) + key
    return _PAIR.pack(len(key), len(value)) + key + value


def encode_batch(batch: WriteBatch) -> bytes:
    """Return the body of a frame with all changes of the batch. About 0.1 µs a change."""
    keys, values = batch.keys, batch.values
    if None in values or batch.ranges:
        lengths = [DELETION if value is None else len(value) for value in values]
        for place in batch.ranges:
            lengths[place] |= RANGE_DELETION
        present = [value for value in values if value is not None]
    else:
        lengths = list(map(len, values))  # type: ignore[arg-type]  # no None among them
        present = values  # type: ignore[assignment]
    count = len(keys)
    return b"".join([struct.pack(f"<{count}I", *map(len, keys)), struct.pack(f"<{count}I", *lengths), *keys, *present])


def decode_batch(body: bytes, count: int) -> WriteBatch:
    """Return the batch with this body; raise `InvalidArgumentError` when the lengths do not add up."""
    if count * 8 > len(body):
        raise InvalidArgumentError(f"{count} entries do not fit in a body of {len(body)} bytes")
    key_lengths = struct.unpack_from(f"<{count}I", body)
    marks = struct.unpack_from(f"<{count}I", body, 4 * count)
    batch = WriteBatch()
    plain = max(marks, default=0) < RANGE_DELETION
    lengths = marks if plain else tuple(0 if mark == DELETION else mark & 0x7FFFFFFF for mark in marks)
    key_ends = list(accumulate(key_lengths, initial=8 * count))
    value_ends = list(accumulate(lengths, initial=key_ends[-1]))
    if value_ends[-1] != len(body):
        raise InvalidArgumentError(f"entries of {value_ends[-1]} bytes in a body of {len(body)} bytes")
    batch.keys = [body[start:stop] for start, stop in pairwise(key_ends)]
    batch.values = [body[start:stop] for start, stop in pairwise(value_ends)]
    if not plain:
        _mark_deletions(batch, marks)
    batch.size_bytes = len(body) - 8 * count
    return batch


def _mark_deletions(batch: WriteBatch, marks: tuple[int, ...]) -> None:
    for place, mark in enumerate(marks):
        if mark == DELETION:
            batch.values[place] = None
        elif mark >= RANGE_DELETION:
            batch.ranges.append(place)
