"""Snapshots of the memory store: one sequence number, and everything that is not newer.

Thread safety: any number of threads; point reads take no lock.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from docs_layer.errors import ClosedError
from docs_layer.memory_store.scanning import scan_chunks
from docs_layer.memory_store.state import MemoryState
from docs_layer.store import Chunk


class MemoryView:
    """A sequence number that keeps what it sees, until it is released."""

    def __init__(self, state: MemoryState) -> None:
        self._state = state
        self._over = True
        self._sequence, self.epoch = state.register()
        self._over = False

    def check_open(self) -> None:
        """Raise `ClosedError` after the view or the store was closed."""
        if self._over or self._state.closed:
            raise ClosedError("the view was closed")

    def _release(self) -> None:
        if not self._over:
            self._over = True
            self._state.released.append(self._sequence)

    def __del__(self) -> None:
        self._release()


class MemorySnapshot(MemoryView):
    """See `docs_layer.store.Snapshot`."""

    def get(self, key: bytes) -> bytes | None:
        """See `docs_layer.store.Reader.get`."""
        self.check_open()
        return self._state.entries.at(key, self._sequence)

    def multi_get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See `docs_layer.store.Reader.multi_get`."""
        self.check_open()
        at, sequence = self._state.entries.at, self._sequence
        return [at(key, sequence) for key in keys]

    def scan(
        self, start: bytes, stop: bytes, *, reverse: bool = False, limit: int | None = None, values: bool = True
    ) -> Iterator[Chunk]:
        """See `docs_layer.store.Reader.scan`."""
        self.check_open()
        return scan_chunks([self._state.known_keys], self.get, start, stop, reverse=reverse, limit=limit, values=values)

    def counter(self, name: bytes) -> int:
        """See `docs_layer.store.Reader.counter`."""
        self.check_open()
        return self._state.counters.at(name, self._sequence) or 0

    def counters(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, int]]:
        """See `docs_layer.store.Reader.counters`."""
        self.check_open()
        with self._state.condition:
            names = self._state.counters.keys_locked(start, stop)
        values = [(name, self._state.counters.at(name, self._sequence)) for name in names]
        return iter([(name, value) for name, value in values if value is not None])

    def log(self, name: bytes, after: bytes | None = None, limit: int | None = None) -> Iterator[tuple[bytes, bytes]]:
        """See `docs_layer.store.Snapshot.log`."""
        self.check_open()
        log = self._state.log(name)
        if log is None:
            return iter(())
        start = b"" if after is None else after + b"\0"
        with self._state.condition:
            positions = log.keys_locked(start, b"\xff" * 13)
        values = [(position, log.at(position, self._sequence)) for position in positions]
        return iter([(position, value) for position, value in values if value is not None][:limit])

    def close(self) -> None:
        """See `docs_layer.store.Snapshot.close`."""
        self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()
