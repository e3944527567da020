"""A list of changes that becomes visible and durable as one.

Its bytes in the log are described in `lsm/kernel/log_entries.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lsm.kernel import kernel
from lsm.keys import RESERVED, checked_value, checked_values, internal_key, internal_keys, internal_range
from lsm.options import MAXIMUM_KEY_BYTES, MAXIMUM_VALUE_BYTES
from lsm.runs import Value


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


def encode_batch(batch: WriteBatch) -> bytes:
    """Return the body of a frame with all changes of the batch. About 0.1 µs a change."""
    return kernel().encode_entries(batch.keys, batch.values, batch.ranges)


def decode_batch(body: bytes, count: int) -> WriteBatch:
    """Return the batch with this body; raise `InvalidArgumentError` when the lengths do not add up."""
    batch = WriteBatch()
    batch.keys, batch.values, batch.ranges = kernel().decode_entries(body, count)
    batch.size_bytes = len(body) - 8 * count
    return batch
