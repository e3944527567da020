"""The reader of a table: look-ups, runs, range tombstones, estimates, and the check of every byte.

Nothing is read before the first use, see `lsm/sstable/parts.py`. The file is closed when the reader is collected,
because the file closes itself. Any number of threads may use a reader; it takes no lock and holds none over I/O.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from lsm.block_cache import BlockCache
from lsm.environment import File
from lsm.errors import CorruptionError
from lsm.kernel import Finder, kernel
from lsm.runs import MISSING, Missing, Range, Run
from lsm.sstable.check import check_table
from lsm.sstable.parts import TableParts
from lsm.sstable.properties import TableProperties
from lsm.sstable.scan import Scan


class TableReader:
    """Reads one table. Every method may raise `CorruptionError`, `FormatError`, and what the file raises."""

    def __init__(self, file: File, identity: int | None, cache: BlockCache) -> None:
        """Read from `file`, keeping parts in `cache`. Does not touch the file yet.

        `identity` is what the manifest knows; another one in the file is a `CorruptionError`. None accepts any.
        """
        # Constant after construction.
        self._parts = TableParts(file, identity, cache)
        self._file = file
        self._identity = identity
        self._search = kernel().search_block
        self._probe = kernel().probe_filter

    def __del__(self) -> None:
        """Let the cache forget the table when its hand comes by; without a lock, as finalisers must be."""
        parts: TableParts | None = getattr(self, "_parts", None)
        if parts is not None:
            parts.cached.dropped = True

    @property
    def path(self) -> str:
        """Path of the file, for messages."""
        return self._parts.path

    @property
    def root(self) -> Finder:
        """Where the kernel's look-ups begin."""
        return self._parts.root

    def get(self, key: bytes, key_hash: int) -> bytes | Missing | None:
        """Return the value of `key`; None when it is deleted here, by itself or within a range; else `MISSING`.

        `key_hash` is the kernel's hash of the key. Reads up to five frames of those that are not cached.
        """
        parts = self._parts
        top = parts.top_index()
        number = bisect_right(top.bounds, key) - 1
        if number >= 0:
            key_filter = parts.filter(top, number)
            if key_filter is None or self._probe(key_filter, key_hash):
                index = parts.index(top, number)
                value = self._search(parts.block(index, bisect_right(index.bounds, key) - 1), key)
                if value is not MISSING:
                    return value
        starts, ranges = parts.range_tombstones()
        if starts:
            number = bisect_right(starts, key) - 1
            if number >= 0:
                stop = ranges[number][1]
                if stop is None or key < stop:
                    return None
        return MISSING

    def runs(
        self,
        start: bytes | None = None,
        stop: bytes | None = None,
        *,
        reverse: bool = False,
        fill_cache: bool = True,
    ) -> Iterator[Run]:
        """Yield the entries with `start` <= key < `stop`, tombstones included, a block at a time; never an empty run.

        `reverse`: from the last to the first. `fill_cache`: keep what is read in the cache, up to a sixteenth of its
        capacity a scan. Range tombstones are not applied to the entries: they hide only older tables.
        """
        return Scan(self._parts, start, stop, reverse=reverse, fill_cache=fill_cache).runs()

    def range_tombstones(self) -> list[Range]:
        """Return the deleted ranges, ascending and disjoint. They hide only what is older than this table."""
        return list(self._parts.range_tombstones()[1])

    def properties(self) -> TableProperties:
        """Read what the table says about itself."""
        return self._parts.properties()

    def estimate(self, start: bytes | None, stop: bytes | None) -> tuple[int, int]:
        """Return about how many entries lie from `start` up to `stop`, and the bytes they take in the file.

        Reads indexes only. Each bound is off by at most half a data block; a range within one block counts one entry.
        """
        top = self._parts.top_index()
        if not top.bounds or (start is not None and stop is not None and start >= stop):
            return 0, 0
        first_entries, first_bytes = self._position(start) if start is not None else (0, 0)
        if stop is not None:
            last_entries, last_bytes = self._position(stop)
        else:
            last = top.partitions[-1]
            last_entries, last_bytes = last.entries_before + last.entry_count, sum(last.index_handle)
        if stop is not None and stop <= top.bounds[0]:
            return 0, 0
        return max(last_entries - first_entries, 1), max(last_bytes - first_bytes, 1)

    def _position(self, key: bytes) -> tuple[int, int]:
        """Return about how many entries, and bytes of the file, lie before `key`: up to the middle of its block."""
        top = self._parts.top_index()
        number = top.find(key)
        if number < 0:
            return 0, 0
        partition = top.partitions[number]
        index = self._parts.index(top, number)
        slot = index.find(key)
        entries = (index.entries_before[slot] + index.entries_before[slot + 1]) // 2
        return partition.entries_before + entries, (index.offsets[slot] + index.offsets[slot + 1]) // 2

    def check(self) -> Iterator[CorruptionError]:
        """Read every byte past the cache and check every invariant; yield what is wrong, each with its place.

        After damage in one part it goes on with the next. Errors of the operating system are raised.
        """
        return check_table(self._file, self._identity)
