"""What a transaction has read, and the question whether it still holds. Used by one thread."""

from __future__ import annotations

from docs_layer.memory_store.state import MemoryState
from docs_layer.memory_store.write_buffer import WriteBuffer


class ScanRange:
    """The part of a scan that was handed out: [start, stop), as of a number of the transaction's own changes."""

    __slots__ = ("number", "start", "stop")

    def __init__(self, start: bytes, stop: bytes, number: int) -> None:
        self.start = start
        self.stop = stop
        self.number = number


class ReadSet:
    """Keys, presences, ranges and counters that were read as they were at one sequence number."""

    def __init__(self) -> None:
        self.keys: set[bytes] = set()
        self.presences: dict[bytes, bool] = {}
        self.ranges: list[ScanRange] = []
        self.counters: set[bytes] = set()
        self.counter_ranges: list[tuple[bytes, bytes]] = []

    def changed_locked(self, state: MemoryState, since: int, own: WriteBuffer) -> list[bytes]:
        """Return the keys and counter names that commits after `since` changed for this reader."""
        entries, counters = state.entries, state.counters
        changed = [key for key in self.keys if entries.newest_locked(key)[0] > since]
        changed += [
            key
            for key, was_present in self.presences.items()
            if (entries.newest_locked(key)[1] is not None) != was_present
        ]
        for part in self.ranges:
            changed += [
                key
                for key in entries.keys_locked(part.start, part.stop)
                if entries.newest_locked(key)[0] > since and own.find(key, part.number) is None
            ]
        changed += [name for name in self.counters if counters.newest_locked(name)[0] > since]
        for start, stop in self.counter_ranges:
            changed += [name for name in counters.keys_locked(start, stop) if counters.newest_locked(name)[0] > since]
        return changed
