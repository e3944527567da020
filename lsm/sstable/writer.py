"""The writer of a table: entries in, in order; a synced file out.

It holds the open data block, the hashes and bounds of the open partition, and up to `_BUFFER_BYTES` that are not yet
written: its memory does not grow with the table. One thread uses a writer.

The writer is given a file that was just created. It neither names nor removes it: when a method raises, the file is
worth nothing, and the caller deletes it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, islice, pairwise
from operator import add, lt
from typing import Final, NamedTuple

import msgspec

from lsm.compression import Compressor, Method
from lsm.environment import File, write_all
from lsm.errors import InvalidArgumentError
from lsm.kernel import kernel
from lsm.options import Compression
from lsm.runs import Range, Value
from lsm.sstable.frame import ABSENT, Footer, Handle, encode_footer, encode_frame
from lsm.sstable.index import Partition, encode_index, encode_top_index, lower_bound
from lsm.sstable.properties import TableProperties, encode_properties

PARTITION_BLOCKS: Final = 1024
"""A partition has at most this many data blocks, which keeps its index near 30 KiB."""
PARTITION_ENTRIES: Final = 65536
"""A partition ends when it has this many entries, which keeps its filter near 80 KiB at 10 bits a key."""

_BUFFER_BYTES: Final = 256 * 1024
_ENTRY_OVERHEAD_BYTES: Final = 3


class WrittenTable(NamedTuple):
    """What was written. Both bounds include range tombstones.

    `largest` is at or above every key that the table speaks about; None: a range tombstone has no end.
    `largest_is_excluded`: `largest` is where the last range tombstone stops, so the table says nothing about that key
    itself, and a table of the same level may begin with it.
    """

    size_bytes: int
    entry_count: int
    tombstone_count: int
    range_tombstone_count: int
    smallest: bytes
    largest: bytes | None
    largest_is_excluded: bool


class _OpenPartition:
    """What the writer remembers of a partition until its filter and index are written."""

    __slots__ = ("bounds", "entry_counts", "hashes", "offset", "sizes")

    def __init__(self, offset: int) -> None:
        self.offset = offset
        self.bounds: list[bytes] = []
        self.sizes: list[int] = []
        self.entry_counts: list[int] = []
        self.hashes: list[int] = []


class TableWriter:
    """Writes one table: any number of `add` and `add_range_tombstones`, then `finish`."""

    def __init__(
        self,
        file: File,
        identity: int,
        *,
        block_bytes: int,
        compression: Compression,
        filter_bits_per_key: int,
    ) -> None:
        """Write to `file`, which is empty, a table with the random 128-bit `identity`.

        block_bytes: size of keys and values at which a data block is closed; a larger entry gets a block of its own.
        compression: the method for data blocks and indexes. filter_bits_per_key: 0 for no filter.
        """
        # Constant after construction.
        self._kernel = kernel()
        self._file = file
        self._identity = identity
        self._block_bytes = block_bytes
        self._compression: Compression = compression
        self._filter_bits_per_key = filter_bits_per_key
        self._compressor = Compressor(compression)
        # The open data block: `ends[i]` is the size of all its entries up to and with the i-th.
        self._keys: list[bytes] = []
        self._values: list[Value] = []
        self._ends: list[int] = []
        # What is behind it.
        self._buffer: list[bytes] = []
        self._buffered_bytes = 0
        self._offset = 0
        self._partition = _OpenPartition(0)
        self._partitions: list[Partition] = []
        self._range_tombstones: list[Range] = []
        self._smallest: bytes | None = None
        self._last_key: bytes | None = None
        self._last_written_key: bytes | None = None
        self._tombstone_count = 0
        self._key_bytes = 0
        self._value_bytes = 0
        self.entry_count = 0

    @property
    def size_bytes(self) -> int:
        """About how large the table would be if it were finished now, in bytes; a little too much."""
        partition = self._partition
        open_block = self._ends[-1] if self._ends else 0
        filter_bytes = (len(partition.hashes) + len(self._keys)) * self._filter_bits_per_key // 8
        return self._offset + open_block + filter_bytes + len(partition.sizes) * 32 + len(self._partitions) * 48 + 1024

    def add(self, keys: Sequence[bytes], values: Sequence[Value]) -> None:
        """Append entries; None is a tombstone. Keys are strictly ascending over all calls, else `InvalidArgumentError`.

        Costs about 1 us an entry. May write to the file, and raise what that raises.
        """
        if not keys:
            return
        self._check_order(keys)
        self._measure(keys, values)
        self._keys.extend(keys)
        self._values.extend(values)
        self._last_key = keys[-1]
        if self._smallest is None:
            self._smallest = keys[0]
        self.entry_count += len(keys)
        self._close_blocks()

    def _check_order(self, keys: Sequence[bytes]) -> None:
        before = self._last_key
        if (before is None or before < keys[0]) and all(map(lt, keys, islice(keys, 1, None))):
            return
        ordered = [before, *keys] if before is not None else list(keys)
        wrong = next(second for first, second in pairwise(ordered) if first >= second)
        raise InvalidArgumentError(f"{self._file.path}: key {wrong!r} is not above the one before it")

    def _measure(self, keys: Sequence[bytes], values: Sequence[Value]) -> None:
        """Extend `_ends` and the sums by these entries."""
        key_lengths = list(map(len, keys))
        try:
            value_lengths = list(map(len, values))  # type: ignore[arg-type]  # a tombstone raises, which is rare
        except TypeError:
            value_lengths = [0 if value is None else len(value) for value in values]
            self._tombstone_count += sum(value is None for value in values)
        if len(key_lengths) != len(value_lengths):
            raise InvalidArgumentError(f"{self._file.path}: {len(keys)} keys with {len(values)} values")
        self._key_bytes += sum(key_lengths)
        self._value_bytes += sum(value_lengths)
        filled = self._ends[-1] if self._ends else 0
        ends = accumulate(
            (size + _ENTRY_OVERHEAD_BYTES for size in map(add, key_lengths, value_lengths)), initial=filled
        )
        self._ends.extend(islice(ends, 1, None))

    def _close_blocks(self) -> None:
        """Write all blocks that are full, and keep what fits into one more."""
        ends, start, filled = self._ends, 0, 0
        while (stop := bisect_right(ends, filled + self._block_bytes, start)) < len(ends):
            stop = max(stop, start + 1)
            self._write_data_block(self._keys[start:stop], self._values[start:stop])
            start, filled = stop, ends[stop - 1]
        if start:
            self._keys = self._keys[start:]
            self._values = self._values[start:]
            self._ends = [end - filled for end in ends[start:]]

    def _write_data_block(self, keys: list[bytes], values: list[Value]) -> None:
        partition = self._partition
        handle = self._write_frame(self._kernel.encode_block(keys, values))
        partition.bounds.append(lower_bound(self._last_written_key, keys[0]))
        partition.sizes.append(handle.size)
        partition.entry_counts.append(len(keys))
        if self._filter_bits_per_key:
            partition.hashes.extend(self._kernel.key_hashes(keys))
        self._last_written_key = keys[-1]
        if len(partition.sizes) >= PARTITION_BLOCKS or sum(partition.entry_counts) >= PARTITION_ENTRIES:
            self._finish_partition()

    def _finish_partition(self) -> None:
        partition, key_filter = self._partition, ABSENT
        data = Handle(partition.offset, self._offset - partition.offset)
        if self._filter_bits_per_key:
            content = self._kernel.build_filter(partition.hashes, self._filter_bits_per_key)
            key_filter = self._write_frame(content, compress=False)
        counts = partition.entry_counts
        index = self._write_frame(encode_index(self._kernel, partition.bounds, partition.sizes, counts))
        entry_count = sum(counts)
        before = self._partitions[-1].entries_before + self._partitions[-1].entry_count if self._partitions else 0
        self._partitions.append(Partition(partition.bounds[0], data, key_filter, index, before, entry_count))
        self._partition = _OpenPartition(self._offset)

    def add_range_tombstones(self, ranges: Sequence[Range]) -> None:
        """Append deleted ranges; else than not empty, disjoint and ascending over all calls: `InvalidArgumentError`.

        They hide what is older than this table, never its own entries.
        """
        for start, stop in ranges:
            before = self._range_tombstones[-1] if self._range_tombstones else (b"", b"")
            if before[1] is None or start < before[1] or (stop is not None and stop <= start):
                raise InvalidArgumentError(
                    f"{self._file.path}: range {(start, stop)!r} is empty or not above {before!r}"
                )
            self._range_tombstones.append((start, stop))

    def finish(self, properties: TableProperties) -> WrittenTable:
        """Write what is left, the indexes, `properties` (completed) and the footer; sync the file.

        Raises `InvalidArgumentError` when the table says nothing, and what the file raises.
        """
        if self._smallest is None and not self._range_tombstones:
            raise InvalidArgumentError(f"{self._file.path}: a table needs at least one entry or range tombstone")
        if self._keys:
            self._write_data_block(self._keys, self._values)
        if self._partition.sizes:
            self._finish_partition()
        table = self._summary()
        top_index = range_tombstones = ABSENT
        if self._partitions:
            top_index = self._write_frame(encode_top_index(self._kernel, self._partitions))
        if self._range_tombstones:
            starts, stops = zip(*self._range_tombstones, strict=True)
            range_tombstones = self._write_frame(self._kernel.encode_block(starts, stops))
        properties_handle = self._write_frame(encode_properties(self._complete(properties, table)))
        footer = Footer(self._identity, top_index, range_tombstones, properties_handle)
        self._append(encode_footer(footer, self._offset))
        self._flush_buffer()
        self._file.sync()
        return table._replace(size_bytes=self._offset)

    def _summary(self) -> WrittenTable:
        """Return counts and bounds of all that was added; the size is not known yet."""
        ranges = self._range_tombstones
        smallest, largest, excluded = self._smallest, self._last_key, False
        if ranges:
            start, stop = ranges[0][0], ranges[-1][1]
            smallest = start if smallest is None else min(smallest, start)
            if stop is None or largest is None or largest < stop:
                largest, excluded = stop, stop is not None
        return WrittenTable(0, self.entry_count, self._tombstone_count, len(ranges), smallest or b"", largest, excluded)

    def _complete(self, properties: TableProperties, table: WrittenTable) -> TableProperties:
        return msgspec.structs.replace(
            properties,
            identity=f"{self._identity:032x}",
            entry_count=table.entry_count,
            tombstone_count=table.tombstone_count,
            range_tombstone_count=table.range_tombstone_count,
            smallest=table.smallest,
            largest=table.largest,
            key_bytes=self._key_bytes,
            value_bytes=self._value_bytes,
            block_bytes=self._block_bytes,
            compression=self._compression,
            filter_bits_per_key=self._filter_bits_per_key,
        )

    def _write_frame(self, content: bytes, *, compress: bool = True) -> Handle:
        method, stored = self._compressor.compress(content) if compress else (Method.NONE, content)
        offset = self._offset
        self._append(encode_frame(method, stored, len(content), self._identity, offset))
        return Handle(offset, self._offset - offset)

    def _append(self, data: bytes) -> None:
        self._buffer.append(data)
        self._buffered_bytes += len(data)
        self._offset += len(data)
        if self._buffered_bytes >= _BUFFER_BYTES:
            self._flush_buffer()

    def _flush_buffer(self) -> None:
        data = b"".join(self._buffer)
        write_all(self._file, self._offset - len(data), data)
        self._buffer.clear()
        self._buffered_bytes = 0
