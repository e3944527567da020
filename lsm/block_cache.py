"""A cache of blocks, indexes and filters, bounded in bytes and shared by all tables of a handle.

Each table has a `CachedTable`: a dict from the offset in the file to a `CacheEntry`. A reader looks there by itself,
without a lock and without a call, and marks a hit by `entry.used = True`. That is one bytecode on an object of its own,
so it needs no lock; a mark that is lost in a race costs at most one early eviction. Whoever keeps an entry elsewhere
(the kernel's finders do) sees by its content, which is then None, that it was evicted.

Eviction is CLOCK (second chance): the hand takes the oldest entry; if it was used since the hand last came by, it loses
its mark and stays, otherwise it goes. Entries start unmarked, so what a scan brings in and nobody asks for again goes
at the first pass.

Invariants, under the lock: the ring holds each entry once; `used_bytes` is the sum of the charges in the ring; it never
exceeds the capacity. An entry may be in the ring and no more in its table's dict (the table was dropped), never the
other way round.
"""

from __future__ import annotations

from array import array
from collections import deque
from typing import Any, Final

from lsm.compression import Decompressor
from lsm.environment import Lock
from lsm.kernel import CacheEntry, kernel

_LARGEST_SHARE: Final = 4
_OVERHEAD_BYTES: Final = 250
"""Memory of an entry, its place in the ring and in the dict."""


class CachedTable:
    """What the cache holds of one table. Readers only look up in `entries`; the cache alone changes it.

    `dropped` is set, without a lock, when the table will not be read again; its entries go when the hand comes by.
    """

    __slots__ = ("dropped", "entries")

    def __init__(self) -> None:
        self.entries: dict[int, CacheEntry] = {}
        self.dropped = False


class BlockCache:
    """The cache. Every method may be called by any thread; only `put` and `drop` take the lock, for microseconds.

    `decompressor` is for all who fill the cache, so that there is one set of contexts and not one for each table.
    """

    def __init__(self, capacity_bytes: int, lock: Lock) -> None:
        # Constant after construction.
        self.decompressor: Final = Decompressor()
        self._lock = lock
        self._new_entry = kernel().new_cache_entry
        # Counted without a lock, so concurrent readers may lose some.
        self.hit_counter: Final = array("Q", [0])
        self.misses = 0
        # Guarded by the lock.
        self.capacity_bytes = capacity_bytes
        self._used_bytes = 0
        self._ring: deque[CacheEntry] = deque()

    @property
    def used_bytes(self) -> int:
        """The sum of all charges, in bytes."""
        return self._used_bytes

    @property
    def hits(self) -> int:
        """How many blocks were asked for and found."""
        return self.hit_counter[0]

    @property
    def entry_count(self) -> int:
        """How many objects are cached."""
        return len(self._ring)

    def table(self) -> CachedTable:
        """Return an empty place for one more table."""
        return CachedTable()

    def get(self, table: CachedTable, offset: int) -> Any:
        """Return what is cached of `table` at `offset`, or None; marks and counts it."""
        entry = table.entries.get(offset)
        if entry is None:
            self.misses += 1
            return None
        entry.used = True
        self.hit_counter[0] += 1
        return entry.content

    def put(self, table: CachedTable, offset: int, content: Any, charge_bytes: int) -> None:
        """Cache `content`, evicting others as needed.

        An object that is there already stays; one that would take more than a quarter of the capacity is not cached.
        """
        charge_bytes += _OVERHEAD_BYTES
        if charge_bytes * _LARGEST_SHARE > self.capacity_bytes:
            return
        with self._lock:
            if offset in table.entries or table.dropped:
                return
            entry = self._new_entry(table, offset, content, charge_bytes)
            self._make_room_locked(charge_bytes)
            self._ring.append(entry)
            self._used_bytes += charge_bytes
            table.entries[offset] = entry

    def resize(self, capacity_bytes: int) -> None:
        """Change the capacity; what no longer fits goes at once."""
        with self._lock:
            self.capacity_bytes = capacity_bytes
            self._make_room_locked(0)

    def _make_room_locked(self, charge_bytes: int) -> None:
        limit = self.capacity_bytes - charge_bytes
        ring = self._ring
        while self._used_bytes > limit and ring:
            entry = ring.popleft()
            if entry.used and not entry.table.dropped:
                entry.used = False
                ring.append(entry)
            else:
                self._used_bytes -= entry.charge_bytes
                entry.table.entries.pop(entry.offset, None)
                entry.content = None
        if not ring:
            # An exception from outside (Ctrl-C) between two lines above leaves the sum wrong; here it is right again.
            self._used_bytes = 0

    def drop(self, table: CachedTable) -> None:
        """Forget everything of a table at once. Costs a pass over the ring."""
        with self._lock:
            table.dropped = True
            table.entries.clear()
            kept: deque[CacheEntry] = deque()
            for entry in self._ring:
                if entry.table is table:
                    self._used_bytes -= entry.charge_bytes
                    entry.content = None
                else:
                    kept.append(entry)
            self._ring = kept
