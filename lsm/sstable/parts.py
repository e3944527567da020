"""The parts of a table on the way from the file to the cache: footer, indexes, filters, data blocks, properties.

Nothing is read before the first use. The footer and the range tombstones stay with the object; all else can be evicted
and is read again. Any number of threads may use it; two that miss the same part at once both read it.
"""

from __future__ import annotations

from typing import Final

from lsm.block_cache import BlockCache
from lsm.environment import File
from lsm.kernel import Block, Filter, kernel
from lsm.runs import Range
from lsm.sstable.frame import Footer, FrameReader, Handle, read_footer
from lsm.sstable.index import NO_PARTITIONS, Index, Partition, TopIndex, parse_index, parse_top_index
from lsm.sstable.properties import TableProperties, parse_properties


class TableParts:
    """Finds each part in the cache, or reads, checks and caches it.

    Every method raises `CorruptionError`, `FormatError`, and what the file raises, when it has to read.
    """

    def __init__(self, file: File, identity: int | None, cache: BlockCache) -> None:
        # Constant after construction.
        self.path: Final = file.path
        self.cache: Final = cache
        self.cached: Final = cache.table()
        self._kernel = kernel()
        self._file = file
        self._identity = identity
        # Set once, by whichever thread needs it first; computing it twice gives equal values.
        self._opened: tuple[Footer, FrameReader] | None = None
        self._ranges: tuple[list[bytes], list[Range]] | None = None

    def open(self) -> tuple[Footer, FrameReader]:
        """Return the footer, and the way to all other frames."""
        opened = self._opened
        if opened is None:
            footer = read_footer(self._file, self._identity)
            opened = footer, FrameReader(self._file, footer.identity, self.cache.decompressor)
            self._opened = opened
        return opened

    def top_index(self) -> TopIndex:
        """Return the top index."""
        handle = (self._opened or self.open())[0].top_index
        entry = self.cached.entries.get(handle.offset)
        if entry is not None and handle.size:
            entry.used = True
            top: TopIndex = entry.content
            return top
        if not handle.size:
            return NO_PARTITIONS
        top = parse_top_index(self._kernel, self.open()[1].read(handle), handle, self.path)
        self.cache.put(self.cached, handle.offset, top, top.memory_bytes)
        return top

    def index(self, partition: Partition) -> Index:
        """Return the index of a partition."""
        offset = partition.index_handle.offset
        entry = self.cached.entries.get(offset)
        if entry is not None:
            entry.used = True
            index: Index = entry.content
            return index
        index = parse_index(self._kernel, self.open()[1].read(partition.index_handle), partition, self.path)
        self.cache.put(self.cached, offset, index, index.memory_bytes)
        return index

    def filter(self, handle: Handle) -> Filter:
        """Return the filter of a partition that has one."""
        entry = self.cached.entries.get(handle.offset)
        if entry is not None:
            entry.used = True
            key_filter: Filter = entry.content
            return key_filter
        key_filter = self._kernel.parse_filter(self.open()[1].read(handle), self.path, handle.offset)
        self.cache.put(self.cached, handle.offset, key_filter, len(key_filter.bits))
        return key_filter

    def block(self, index: Index, number: int) -> Block:
        """Return a data block of the partition that `index` describes."""
        cache = self.cache
        offset = index.offsets[number]
        entry = self.cached.entries.get(offset)
        if entry is not None:
            cache.hits += 1
            entry.used = True
            block: Block = entry.content
            return block
        cache.misses += 1
        content = self.open()[1].read(Handle(offset, index.offsets[number + 1] - offset))
        block = self._kernel.parse_block(content, self.path, offset)
        cache.put(self.cached, offset, block, block.memory_bytes)
        return block

    def range_tombstones(self) -> tuple[list[bytes], list[Range]]:
        """Return the starts of the range tombstones, and the range tombstones, ascending."""
        if self._ranges is None:
            footer, frames = self.open()
            self._ranges = read_range_tombstones(frames, footer.range_tombstones)
        return self._ranges

    def properties(self) -> TableProperties:
        """Read the properties; they are not cached."""
        footer, frames = self.open()
        return parse_properties(frames.read(footer.properties), self.path, footer.properties.offset)


def read_range_tombstones(frames: FrameReader, handle: Handle) -> tuple[list[bytes], list[Range]]:
    """Read the range tombstones at `handle`, which may be absent: their starts, and they themselves."""
    if not handle.size:
        return [], []
    block = kernel().parse_block(frames.read(handle), frames.path, handle.offset)
    starts, stops = kernel().decode_block(block)
    return starts, list(zip(starts, stops, strict=True))
