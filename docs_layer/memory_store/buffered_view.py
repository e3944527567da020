"""A view joined with the writes that its transaction has made so far, and its reader that remembers nothing.

Owns the joining: an own write wins over the snapshot, and a scan sees own writes as of the call. Used by one thread at
a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from docs_layer.memory_store.scanning import scan_chunks
from docs_layer.memory_store.snapshot import MemoryView
from docs_layer.memory_store.state import MemoryState
from docs_layer.memory_store.write_buffer import WriteBuffer
from docs_layer.store import Chunk


class BufferedView(MemoryView):
    """A snapshot under a write buffer; the `look_` methods read without remembering it."""

    def __init__(self, state: MemoryState) -> None:
        super().__init__(state)
        self._own = WriteBuffer()

    def look_at(self, key: bytes, number: int | None = None) -> bytes | None:
        """Return a key's value as of a number of own changes, by default all of them."""
        self.check_open()
        own = self._own.find(key, self._own.number if number is None else number)
        return self._state.entries.at(key, self._sequence) if own is None else own[0]

    def look_scan(
        self, start: bytes, stop: bytes, *, reverse: bool, limit: int | None, values: bool
    ) -> Iterator[Chunk]:
        """Iterate over a range as of this call."""
        self.check_open()
        number = self._own.number
        return scan_chunks(
            [self._state.known_keys, self._own.keys] if number else [self._state.known_keys],
            lambda key: self.look_at(key, number),
            start,
            stop,
            reverse=reverse,
            limit=limit,
            values=values,
        )

    def look_counter(self, name: bytes) -> int:
        """Return the value of a counter."""
        self.check_open()
        return self._own.counter(name, self._state.counters.at(name, self._sequence)) or 0

    def look_counters(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, int]]:
        """Iterate over the counters with names in [start, stop)."""
        self.check_open()
        stored = self._state.counters
        with self._state.condition:
            names = {*stored.keys_locked(start, stop)}
        names |= self._own.counter_names(start, stop)
        values = [(name, self._own.counter(name, stored.at(name, self._sequence))) for name in sorted(names)]
        return iter([(name, value) for name, value in values if value is not None])


class UnvalidatedReader:
    """The transaction's view without the memory of what was read; see `docs_layer.store.Transaction.unvalidated`."""

    def __init__(self, view: BufferedView) -> None:
        self._view = view
        self.epoch = view.epoch

    def get(self, key: bytes) -> bytes | None:
        """See `docs_layer.store.Reader.get`."""
        return self._view.look_at(key)

    def multi_get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See `docs_layer.store.Reader.multi_get`."""
        return [self._view.look_at(key) for key in keys]

    def scan(
        self, start: bytes, stop: bytes, *, reverse: bool = False, limit: int | None = None, values: bool = True
    ) -> Iterator[Chunk]:
        """See `docs_layer.store.Reader.scan`."""
        return self._view.look_scan(start, stop, reverse=reverse, limit=limit, values=values)

    def counter(self, name: bytes) -> int:
        """See `docs_layer.store.Reader.counter`."""
        return self._view.look_counter(name)

    def counters(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, int]]:
        """See `docs_layer.store.Reader.counters`."""
        return self._view.look_counters(start, stop)
