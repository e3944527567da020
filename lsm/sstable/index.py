"""The two indexes of a table: from a key to the partition, and from a key to the data block in it.

Both are blocks (lsm/kernel/blocks.py) whose keys are lower bounds: the bound of a part is at most its first key, above
the last key before it, and as short as that allows. So the part that may hold a key is the last one whose bound is not
above the key. The first bound of a table is its first key; the bound of a partition is that of its first data block.

    value in an index       data block: size u32, entry-count u32
    value in the top index  partition: data-size u64, entry-count u64, filter-size u32, index-size u32

Sizes are those of frames with their trailers. Offsets are not stored: a partition begins where the one before ends (the
first at 0), its data blocks follow one another, then comes the filter (size 0: absent), then the index.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from struct import Struct
from typing import Final, NamedTuple

from lsm.errors import CorruptionError
from lsm.kernel import Finder, Kernel
from lsm.kernel.blocks import shared_prefix
from lsm.sstable.frame import TRAILER_BYTES, Handle

_BLOCK: Final = Struct("<II")
_PARTITION: Final = Struct("<QQII")


class Index(NamedTuple):
    """The data blocks of a partition: block `i` lies at `offsets[i]` up to `offsets[i + 1]`.

    `entries_before[i]` counts the entries of the partition before it; both lists have one item more than `bounds`. The
    finder, which the kernel expects in the first place, has one slot for each block.
    """

    finder: Finder
    bounds: list[bytes]
    offsets: Sequence[int]
    entries_before: Sequence[int]

    def find(self, key: bytes) -> int:
        """Return the number of the block that may hold `key`; -1 when the key is below all."""
        return bisect_right(self.bounds, key) - 1

    @property
    def memory_bytes(self) -> int:
        """About how much memory the index takes, in bytes."""
        return 200 + sum(map(len, self.bounds)) + len(self.bounds) * (41 + 8 + 16 + 100)


class Partition(NamedTuple):
    """Its bound, where its parts lie, and how many entries lie in the partitions before it and in it."""

    bound: bytes
    data_handle: Handle
    filter_handle: Handle
    index_handle: Handle
    entries_before: int
    entry_count: int


class TopIndex(NamedTuple):
    """The partitions of a table.

    The finder, which the kernel expects in the first place, has two slots for each: its filter's and its index's.
    """

    finder: Finder
    bounds: list[bytes]
    partitions: list[Partition]

    def find(self, key: bytes) -> int:
        """Return the number of the partition that may hold `key`; -1 when the key is below all."""
        return bisect_right(self.bounds, key) - 1

    @property
    def memory_bytes(self) -> int:
        """About how much memory the index takes, in bytes."""
        return 200 + sum(map(len, self.bounds)) + len(self.bounds) * (41 + 8 + 200 + 500)


def no_partitions(kernel: Kernel) -> TopIndex:
    """Return the top index of a table without data blocks."""
    return TopIndex(kernel.new_finder([], 2), [], [])


def lower_bound(before: bytes | None, first: bytes) -> bytes:
    """Return the shortest beginning of `first` that is above `before`, a smaller key; without one, `first` itself."""
    if before is None:
        return first
    return first[: len(shared_prefix(before, first)) + 1]


def encode_index(kernel: Kernel, bounds: Sequence[bytes], sizes: Sequence[int], entry_counts: Sequence[int]) -> bytes:
    """Return the content of the index of a partition with at least one data block."""
    return kernel.encode_block(bounds, list(map(_BLOCK.pack, sizes, entry_counts)))


def encode_top_index(kernel: Kernel, partitions: Sequence[Partition]) -> bytes:
    """Return the content of the top index of a table with at least one partition."""
    values = [
        _PARTITION.pack(part.data_handle.size, part.entry_count, part.filter_handle.size, part.index_handle.size)
        for part in partitions
    ]
    return kernel.encode_block([part.bound for part in partitions], values)


def parse_index(kernel: Kernel, content: bytes, partition: Partition, path: str) -> Index:
    """Return the index of `partition`; raise `CorruptionError` when its blocks do not fill the partition exactly."""
    offset = partition.index_handle.offset
    bounds, records = _parse(kernel, content, _BLOCK, path, offset)
    sizes, counts = [record[0] for record in records], [record[1] for record in records]
    if min(sizes) < TRAILER_BYTES or sum(sizes) != partition.data_handle.size or sum(counts) != partition.entry_count:
        raise CorruptionError(path, offset, "index: its blocks do not fill the partition")
    if bounds[0] != partition.bound:
        raise CorruptionError(path, offset, "index: it begins at another key than the top index says")
    offsets = array("Q", accumulate(sizes, initial=partition.data_handle.offset))
    return Index(kernel.new_finder(bounds, 1), bounds, offsets, array("Q", accumulate(counts, initial=0)))


def parse_top_index(kernel: Kernel, content: bytes, handle: Handle, path: str) -> TopIndex:
    """Return the top index, read at `handle`; raise `CorruptionError` when its partitions do not end there."""
    bounds, records = _parse(kernel, content, _PARTITION, path, handle.offset)
    partitions = []
    offset = entries_before = 0
    for bound, (data_size, entry_count, filter_size, index_size) in zip(bounds, records, strict=True):
        data = Handle(offset, data_size)
        key_filter = Handle(offset + data_size, filter_size)
        index = Handle(offset + data_size + filter_size, index_size)
        partitions.append(Partition(bound, data, key_filter, index, entries_before, entry_count))
        offset = index.offset + index.size
        entries_before += entry_count
    if offset != handle.offset:
        raise CorruptionError(path, handle.offset, f"top index: its partitions end at {offset}")
    return TopIndex(kernel.new_finder(bounds, 2), bounds, partitions)


def _parse(
    kernel: Kernel, content: bytes, record: Struct, path: str, offset: int
) -> tuple[list[bytes], list[tuple[int, ...]]]:
    """Return bounds and unpacked values of an index."""
    bounds, values = kernel.decode_block(kernel.parse_block(content, path, offset))
    present = [value for value in values if value is not None and len(value) == record.size]
    if len(present) != len(bounds):
        raise CorruptionError(path, offset, f"index: a value has not {record.size} bytes")
    return bounds, list(record.iter_unpack(b"".join(present)))
