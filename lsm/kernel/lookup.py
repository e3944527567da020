"""Look-ups through the tables of a version in plain Python, and what the cache keeps for them.

A level is asked for the one table whose bounds contain the key, and the table does the rest. There is nothing to be
remembered beside what the cache has, so a finder is empty here.

Levels and finders may be used by any number of threads; cache entries belong to the cache, see `lsm.block_cache`.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

from lsm.kernel.filters import key_hashes
from lsm.kernel.interface import CacheEntry, LookupLevel
from lsm.runs import MISSING, Missing


class PlainCacheEntry:
    """One cached object with its charge; see `lsm.kernel.interface.CacheEntry`."""

    __slots__ = ("charge_bytes", "content", "offset", "table", "used")

    def __init__(self, table: Any, offset: int, content: Any, charge_bytes: int) -> None:
        self.table = table
        self.offset = offset
        self.content = content
        self.charge_bytes = charge_bytes
        self.used = False


class PlainFinder:
    """The finder that remembers nothing."""

    __slots__ = ()

    def remember(self, slot: int, entry: CacheEntry | None) -> None:
        """Do nothing: the next look-up asks the cache."""


_FINDER = PlainFinder()


class PlainLevels:
    """Open tables, laid out for look-ups; see `lsm.kernel.interface.Levels`."""

    __slots__ = ("_levels",)

    def __init__(self, levels: Sequence[LookupLevel]) -> None:
        self._levels = [(level.largest, level.smallest, [table.get for table in level.tables]) for level in levels]

    def get(self, key: bytes) -> bytes | Missing | None:
        """Return the value of the newest table that speaks about `key`."""
        return self._get(key, key_hashes((key,))[0])

    def multi_get(self, keys: Sequence[bytes]) -> list[bytes | Missing | None]:
        """Return what `get` returns for each of `keys`."""
        return list(map(self._get, keys, key_hashes(keys)))

    def _get(self, key: bytes, key_hash: int) -> bytes | Missing | None:
        for largest, smallest, tables in self._levels:
            place = bisect_left(largest, key)
            if place < len(tables) and smallest[place] <= key:
                value = tables[place](key, key_hash)
                if value is not MISSING:
                    return value
        return MISSING


def new_cache_entry(table: Any, offset: int, content: Any, charge_bytes: int) -> PlainCacheEntry:
    """Return an entry for the cache; see `Kernel.new_cache_entry`."""
    return PlainCacheEntry(table, offset, content, charge_bytes)


def new_finder(bounds: Sequence[bytes], slots_each: int) -> PlainFinder:  # noqa: ARG001  # nothing is remembered
    """Return a finder; see `Kernel.new_finder`."""
    return _FINDER


def new_levels(levels: Sequence[LookupLevel], hits: array[int]) -> PlainLevels:  # noqa: ARG001  # the tables count
    """Return tables laid out for look-ups; see `Kernel.new_levels`."""
    return PlainLevels(levels)
