"""A store in memory: for tests, for data that need not last, and as the plainest reading of the interface.

`key_order`: sorted keys. `versions`: keys with old versions. `changes`: what can be asked for. `write_buffer`: a
transaction's own writes. `state`: the commit. `read_set`: what must still hold. `scanning`, `snapshot`,
`buffered_view`, `transaction`: the views. The store itself is here. Nothing survives the process.
"""

from __future__ import annotations

import threading
import time

from docs_layer.memory_store.snapshot import MemorySnapshot
from docs_layer.memory_store.state import MemoryState
from docs_layer.memory_store.transaction import LIMITS, MemoryTransaction
from docs_layer.store import Estimate, Limits

__all__ = ["MemoryStore"]

_ENTRY_BYTES_GUESS = 128


class MemoryStore:
    """See `docs_layer.store.Store`. Any number of threads."""

    def __init__(self) -> None:
        self._state = MemoryState()
        self._next: dict[bytes, int] = {}
        self._next_lock = threading.Lock()

    @property
    def limits(self) -> Limits:
        """See `docs_layer.store.Store.limits`."""
        return LIMITS

    def snapshot(self) -> MemorySnapshot:
        """See `docs_layer.store.Store.snapshot`."""
        return MemorySnapshot(self._state)

    def transaction(self) -> MemoryTransaction:
        """See `docs_layer.store.Store.transaction`."""
        return MemoryTransaction(self._state)

    def allocate(self, name: bytes, count: int = 1) -> int:
        """See `docs_layer.store.Store.allocate`."""
        if count < 1:
            raise ValueError(f"count is at least 1, not {count}")
        self._state.check_open()
        with self._next_lock:
            first = self._next.get(name, 1)
            self._next[name] = first + count
            return first

    def reserve(self, name: bytes, last: int) -> None:
        """See `docs_layer.store.Store.reserve`."""
        self._state.check_open()
        with self._next_lock:
            self._next[name] = max(self._next.get(name, 1), last + 1)

    def give_back(self, name: bytes, first: int, last: int) -> None:
        """See `docs_layer.store.Store.give_back`."""
        self._state.check_open()
        with self._next_lock:
            if self._next.get(name, 1) == last + 1:
                self._next[name] = first

    def estimate(self, start: bytes, stop: bytes) -> Estimate:
        """See `docs_layer.store.Store.estimate`."""
        self._state.check_open()
        with self._state.condition:
            entries = self._state.entries.count_locked(start, stop)
        return Estimate(entries, entries * _ENTRY_BYTES_GUESS)

    def wait(self, log: bytes, after: bytes | None, timeout: float) -> bool:
        """See `docs_layer.store.Store.wait`."""
        end = time.monotonic() + timeout
        while True:
            with self._state.condition, self.snapshot() as snapshot:
                if next(snapshot.log(log, after, 1), None) is not None:
                    return True
                remaining = end - time.monotonic()
                if remaining <= 0:
                    return False
                self._state.condition.wait(remaining)

    def close(self) -> None:
        """See `docs_layer.store.Store.close`."""
        with self._state.condition:
            self._state.closed = True
            self._state.condition.notify_all()
