"""The parts of a table on the way from the file to the cache: footer, indexes, filters, data blocks, properties.

Nothing is read before the first use. The footer and the range tombstones stay with the object; all else can be evicted
and is read again. Any number of threads may use it; two that miss the same part at once both read it.
"""

from __future__ import annotations

from typing import Any, Final

from lsm.block_cache import BlockCache
from lsm.environment import File
from lsm.kernel import Block, Filter, Finder, kernel
from lsm.runs import Range
from lsm.sstable.frame import Footer, FrameReader, Handle, read_footer
from lsm.sstable.index import Index, TopIndex, no_partitions, parse_index, parse_top_index
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
        self.root: Final = self._kernel.new_finder([b""], 1)
        """Its one slot is for the top index."""
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
        if not handle.size:
            return no_partitions(self._kernel)
        top: TopIndex | None = self._cached(handle.offset, self.root, 0)
        if top is None:
            top = parse_top_index(self._kernel, self.open()[1].read(handle), handle, self.path)
            self._keep(handle.offset, top, top.memory_bytes, self.root, 0)
        return top

    def index(self, top: TopIndex, number: int) -> Index:
        """Return the index of a partition."""
        partition = top.partitions[number]
        offset, slot = partition.index_handle.offset, 2 * number + 1
        index: Index | None = self._cached(offset, top.finder, slot)
        if index is None:
            index = parse_index(self._kernel, self.open()[1].read(partition.index_handle), partition, self.path)
            self._keep(offset, index, index.memory_bytes, top.finder, slot)
        return index

    def filter(self, top: TopIndex, number: int) -> Filter | None:
        """Return the filter of a partition, None if it has none."""
        handle, slot = top.partitions[number].filter_handle, 2 * number
        if not handle.size:
            top.finder.remember(slot, None)
            return None
        key_filter: Filter | None = self._cached(handle.offset, top.finder, slot)
        if key_filter is None:
            key_filter = self._kernel.parse_filter(self.open()[1].read(handle), self.path, handle.offset)
            self._keep(handle.offset, key_filter, len(key_filter.bits), top.finder, slot)
        return key_filter

    def block(self, index: Index, number: int) -> Block:
        """Return a data block of the partition that `index` describes."""
        cache = self.cache
        offset = index.offsets[number]
        block: Block | None = self._cached(offset, index.finder, number)
        if block is not None:
            cache.hit_counter[0] += 1
            return block
        cache.misses += 1
        content = self.open()[1].read(Handle(offset, index.offsets[number + 1] - offset))
        block = self._kernel.parse_block(content, self.path, offset)
        self._keep(offset, block, block.memory_bytes, index.finder, number)
        return block

    def _cached(self, offset: int, finder: Finder, slot: int) -> Any:
        """Return what the cache has at an offset, or None; let the kernel's look-ups find it there as well."""
        entry = self.cached.entries.get(offset)
        if entry is None:
            return None
        entry.used = True
        finder.remember(slot, entry)
        return entry.content

    def _keep(self, offset: int, content: object, charge_bytes: int, finder: Finder, slot: int) -> None:
        """Put an object into the cache, and its entry where the kernel's look-ups find it."""
        self.cache.put(self.cached, offset, content, charge_bytes)
        entry = self.cached.entries.get(offset)
        if entry is not None:
            finder.remember(slot, entry)

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
