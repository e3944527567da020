"""The complete check of a table: every byte is read, every invariant tested, all damage listed.

The invariants: each frame and the footer match their checksums; parts follow one another without a gap; keys ascend
strictly over the whole table; each bound in an index lies above the last key before it and not above the first key of
its part; entry counts are those of the blocks; a filter knows all keys of its partition; range tombstones are not
empty, disjoint and ascending; the properties count and bound what is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import lt

from lsm.compression import Decompressor
from lsm.environment import File
from lsm.errors import CorruptionError
from lsm.kernel import kernel
from lsm.runs import Range, Run
from lsm.sstable.frame import FOOTER_BYTES, Footer, FrameReader, Handle, read_footer
from lsm.sstable.index import Index, Partition, TopIndex, no_partitions, parse_index, parse_top_index
from lsm.sstable.parts import read_range_tombstones
from lsm.sstable.properties import TableProperties, parse_properties


def check_table(file: File, identity: int | None) -> Iterator[CorruptionError]:
    """Yield everything that is wrong with a table; `identity` is the one it should have, None for any.

    A table of a newer format cannot be checked: `FormatError` is raised. So are errors of the operating system.
    """
    try:
        footer = read_footer(file, identity)
    except CorruptionError as damage:
        yield damage
        return
    yield from _Check(file, footer).run()


class _Found:
    """What was counted on the way, to be compared with the properties."""

    __slots__ = ("complete", "entries", "first_key", "key_bytes", "last_key", "tombstones", "value_bytes")

    def __init__(self) -> None:
        self.entries = self.tombstones = self.key_bytes = self.value_bytes = 0
        self.first_key: bytes | None = None
        self.last_key: bytes | None = None
        self.complete = True


class _Check:
    """One check of one table, from the start of the file to its end."""

    def __init__(self, file: File, footer: Footer) -> None:
        self._footer = footer
        self._frames = FrameReader(file, footer.identity, Decompressor())
        self._path = file.path
        self._end = file.size() - FOOTER_BYTES
        self._found = _Found()

    def run(self) -> Iterator[CorruptionError]:
        """Yield all damage."""
        yield from self._layout()
        handle = self._footer.top_index
        try:
            top = no_partitions(kernel())
            if handle.size:
                top = parse_top_index(kernel(), self._frames.read(handle), handle, self._path)
        except CorruptionError as damage:
            self._found.complete = False
            yield damage
        else:
            for number, partition in enumerate(top.partitions):
                yield from self._partition(top, number, partition)
        yield from self._tail()

    def _damage(self, offset: int, reason: str) -> CorruptionError:
        return CorruptionError(self._path, offset, reason)

    def _layout(self) -> Iterator[CorruptionError]:
        """Check that the parts named by the footer follow one another up to the footer."""
        present = [handle for handle in self._footer[1:] if handle.size]
        ends = [handle.offset + handle.size for handle in present]
        follows = [*(handle.offset for handle in present[1:]), self._end]
        if ends != follows or (not self._footer.top_index.size and present[0].offset):
            yield self._damage(self._end, "table: the parts named by the footer leave a gap or overlap")

    def _partition(self, top: TopIndex, number: int, partition: Partition) -> Iterator[CorruptionError]:
        hashes: list[int] = []
        try:
            index = parse_index(kernel(), self._frames.read(partition.index_handle), partition, self._path)
        except CorruptionError as damage:
            self._found.complete = False
            yield damage
        else:
            if sorted(set(index.bounds)) != index.bounds or top.bounds[number] != index.bounds[0]:
                yield self._damage(partition.index_handle.offset, "index: its bounds do not ascend")
            for slot in range(len(index.bounds)):
                yield from self._data_block(index, slot, hashes)
        yield from self._filter(partition, hashes)

    def _data_block(self, index: Index, slot: int, hashes: list[int]) -> Iterator[CorruptionError]:
        offset = index.offsets[slot]
        found = self._found
        try:
            content = self._frames.read(Handle(offset, index.offsets[slot + 1] - offset))
            run = kernel().decode_block(kernel().parse_block(content, self._path, offset))
        except CorruptionError as damage:
            found.complete = False
            yield damage
            return
        keys = run[0]
        if len(keys) != index.entries_before[slot + 1] - index.entries_before[slot]:
            yield self._damage(offset, f"block: {len(keys)} entries, but the index counts others")
        if not all(map(lt, keys, keys[1:])):
            yield self._damage(offset, "block: its keys do not ascend")
        if index.bounds[slot] > keys[0] or (found.last_key is not None and found.last_key >= index.bounds[slot]):
            yield self._damage(offset, "block: its keys are not those that the index says")
        hashes.extend(kernel().key_hashes(keys))
        self._count(run)

    def _count(self, run: Run) -> None:
        keys, values = run
        found = self._found
        found.entries += len(keys)
        found.tombstones += sum(value is None for value in values)
        found.key_bytes += sum(map(len, keys))
        found.value_bytes += sum(len(value) for value in values if value is not None)
        found.last_key = keys[-1]
        if found.first_key is None:
            found.first_key = keys[0]

    def _filter(self, partition: Partition, hashes: list[int]) -> Iterator[CorruptionError]:
        handle = partition.filter_handle
        if not handle.size:
            return
        try:
            key_filter = kernel().parse_filter(self._frames.read(handle), self._path, handle.offset)
        except CorruptionError as damage:
            yield damage
            return
        if not all(kernel().probe_filter(key_filter, key_hash) for key_hash in hashes):
            yield self._damage(handle.offset, "filter: a key of the partition is not in it")

    def _tail(self) -> Iterator[CorruptionError]:
        """Check range tombstones and properties."""
        ranges: list[Range] = []
        try:
            _, ranges = read_range_tombstones(self._frames, self._footer.range_tombstones)
        except CorruptionError as damage:
            self._found.complete = False
            yield damage
        handle = self._footer.properties
        above: bytes | None = b""
        for start, stop in ranges:
            if above is None or start < above or (stop is not None and stop <= start):
                yield self._damage(self._footer.range_tombstones.offset, "range tombstones: empty or out of order")
            above = stop
        try:
            properties = parse_properties(self._frames.read(handle), self._path, handle.offset)
        except CorruptionError as damage:
            yield damage
            return
        if self._found.complete:
            yield from self._properties(properties, ranges)

    def _properties(self, properties: TableProperties, ranges: list[Range]) -> Iterator[CorruptionError]:
        found = self._found
        pairs = {
            "identity": (properties.identity, f"{self._footer.identity:032x}"),
            "entry_count": (properties.entry_count, found.entries),
            "tombstone_count": (properties.tombstone_count, found.tombstones),
            "range_tombstone_count": (properties.range_tombstone_count, len(ranges)),
            "key_bytes": (properties.key_bytes, found.key_bytes),
            "value_bytes": (properties.value_bytes, found.value_bytes),
            "smallest": (properties.smallest, self._smallest(ranges)),
            "largest": (properties.largest, self._largest(ranges)),
        }
        for name, (stored, real) in pairs.items():
            if stored != real:
                offset = self._footer.properties.offset
                yield self._damage(offset, f"properties: {name} is {stored!r}, but {real!r} was found")

    def _smallest(self, ranges: list[Range]) -> bytes:
        starts = [start for start, _ in ranges[:1]]
        return min(starts if self._found.first_key is None else [self._found.first_key, *starts], default=b"")

    def _largest(self, ranges: list[Range]) -> bytes | None:
        stop = ranges[-1][1] if ranges else b""
        return None if stop is None else max(stop, self._found.last_key or b"")
