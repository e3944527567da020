"""Scans of a table: from bounds to runs, with reading ahead.

A scan reads one block first, then twice as much at each further read up to `READ_AHEAD_BYTES`, in one call. So a scan
of a few entries reads little, and a long one makes few calls. It holds what it read ahead and one decoded block.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import Final

from lsm.kernel import Block, kernel
from lsm.runs import Run
from lsm.sstable.index import Index
from lsm.sstable.parts import TableParts

READ_AHEAD_BYTES: Final = 256 * 1024
"""The most that a scan reads at once."""

_SECOND_READ_BYTES: Final = 16 * 1024
_CACHE_SHARE: Final = 16
"""One scan puts at most this part of the cache's capacity into it, so that a large one does not flush it."""


class Scan:
    """One pass over a part of a table. One thread uses it."""

    def __init__(
        self, parts: TableParts, start: bytes | None, stop: bytes | None, *, reverse: bool, fill_cache: bool
    ) -> None:
        self._parts = parts
        self._start = start
        self._stop = stop
        self._reverse = reverse
        self._fill_cache = fill_cache
        self._allowance_bytes = parts.cache.capacity_bytes // _CACHE_SHARE if fill_cache else 0
        self._window_bytes = 0
        self._ahead: dict[int, bytes] = {}

    def runs(self) -> Iterator[Run]:
        """Yield the entries within the bounds, a block at a time; never an empty run."""
        start, stop, reverse = self._start, self._stop, self._reverse
        if start is not None and stop is not None and start >= stop:
            return
        decode_block, decode_part = kernel().decode_block, kernel().decode_part
        for block, is_outermost in self._blocks():
            keys, values = decode_part(block, start, stop) if is_outermost else decode_block(block)
            if reverse:
                keys.reverse()
                values.reverse()
            if keys:
                yield keys, values

    def _blocks(self) -> Iterator[tuple[Block, bool]]:
        """Yield the blocks in the order of the scan; True beside those that may reach beyond its bounds."""
        top = self._parts.top_index()
        numbers = range(*self._positions(top.bounds))
        for number in reversed(numbers) if self._reverse else numbers:
            index = self._parts.index(top, number)
            low, high = self._positions(index.bounds)
            # Bounds of blocks are lower bounds: only the first and the last block of the scan can be cut by it.
            cut_low = -1 if self._start is None else low
            cut_high = -1 if self._stop is None else high - 1
            slots = range(low, high)
            for slot in reversed(slots) if self._reverse else slots:
                yield self._block(index, slot, low, high), slot in {cut_low, cut_high}

    def _positions(self, bounds: list[bytes]) -> tuple[int, int]:
        """Return which of the parts with these lower bounds the scan needs: from the first up to the second."""
        low = 0 if self._start is None else max(bisect_right(bounds, self._start) - 1, 0)
        high = len(bounds) if self._stop is None else bisect_left(bounds, self._stop)
        return low, high

    def _block(self, index: Index, slot: int, low: int, high: int) -> Block:
        parts, offset = self._parts, index.offsets[slot]
        entry = parts.cached.entries.get(offset)
        cached: Block | None = None if entry is None else entry.content
        if entry is not None and cached is not None:
            parts.cache.hit_counter[0] += 1
            if self._fill_cache:
                entry.used = True
            return cached
        frame = self._ahead.pop(offset, None)
        if frame is None:
            self._read_ahead(index.offsets, slot, low, high)
            frame = self._ahead.pop(offset)
        parts.cache.misses += 1
        block: Block = kernel().parse_block(parts.open()[1].open(frame, offset), parts.path, offset)
        if self._allowance_bytes > 0:
            self._allowance_bytes -= block.memory_bytes
            parts.cache.put(parts.cached, offset, block, block.memory_bytes)
        return block

    def _read_ahead(self, offsets: Sequence[int], slot: int, low: int, high: int) -> None:
        """Read the frame `slot` and as many after it, in the order of the scan, as fit into the window."""
        if self._reverse:
            high = slot + 1
            low = min(slot, max(low, bisect_left(offsets, offsets[high] - self._window_bytes)))
        else:
            low = slot
            high = max(slot + 1, min(high, bisect_right(offsets, offsets[low] + self._window_bytes) - 1))
        base = offsets[low]
        raw = self._parts.open()[1].read_raw(base, offsets[high] - base)
        self._ahead = {
            offsets[number]: raw[offsets[number] - base : offsets[number + 1] - base] for number in range(low, high)
        }
        self._window_bytes = min(max(self._window_bytes * 2, _SECOND_READ_BYTES), READ_AHEAD_BYTES)
