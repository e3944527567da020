"""The sorted order of a map's keys, brought up to date only when somebody asks for it.

Owns the deferral: adding a key costs one dict entry, sorting happens in bulk. Not thread-safe: the owner locks.
An exception at any instruction leaves at most a mark that the order has to be built anew.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from itertools import islice
from typing import Any

from sortedcontainers import SortedSet


class KeyOrder:
    """Sorted keys of a map; the owner calls `add` before a key enters the map, and `remove` to take keys out of it."""

    def __init__(self, keys: MutableMapping[bytes, Any]) -> None:
        self._keys = keys
        self._sorted: SortedSet[bytes] = SortedSet()
        self._added: dict[bytes, None] = {}
        """Keys of the map that are not in `_sorted` yet."""
        self._is_whole = True
        """False while `_sorted` is being changed."""

    def add(self, key: bytes) -> None:
        """Note a key that was not there; noting it twice does no harm."""
        self._added[key] = None

    def remove(self, keys: Iterable[bytes]) -> None:
        """Remove keys from the map and from its order."""
        self._sort()
        self._is_whole = False
        for key in keys:
            self._keys.pop(key, None)
            self._sorted.discard(key)
        self._is_whole = True

    def between(self, start: bytes, stop: bytes, count: int | None = None, reverse: bool = False) -> list[bytes]:
        """Return up to `count` keys in [start, stop), from the greatest down if `reverse`."""
        if start >= stop:
            return []
        self._sort()
        return list(islice(self._sorted.irange(start, stop, (True, False), reverse), count))

    def count(self, start: bytes, stop: bytes) -> int:
        """Return the number of keys in [start, stop)."""
        self._sort()
        return max(0, self._sorted.bisect_left(stop) - self._sorted.bisect_left(start))

    def _sort(self) -> None:
        if not self._is_whole:
            self._sorted = SortedSet(self._keys)
        elif self._added:
            self._is_whole = False
            self._sorted.update(self._added)
        self._added = {}
        self._is_whole = True
