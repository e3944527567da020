"""Transactions of the memory store: optimistic; reads are remembered and checked when the transaction commits.

Owns what counts as read. Used by one thread at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from docs_layer.errors import ConflictError
from docs_layer.memory_store.buffered_view import BufferedView, UnvalidatedReader
from docs_layer.memory_store.changes import Add, Append, BumpEpoch, Change, DeleteCounters, DeleteRange, Put, Trim
from docs_layer.memory_store.read_set import ReadSet, ScanRange
from docs_layer.memory_store.state import MemoryState
from docs_layer.store import Chunk, Limits, Reader

LIMITS = Limits(key=1 << 16, value=1 << 30, transaction=None, seconds=None, exact_conflicts=True)


def _checked_key(key: bytes) -> bytes:
    if type(key) is not bytes or len(key) > LIMITS.key:
        raise ValueError(f"a key is bytes, at most {LIMITS.key} of them, not {key!r:.60}")
    return key


def _checked_value(value: bytes) -> bytes:
    if type(value) is not bytes or len(value) > LIMITS.value:
        raise ValueError(f"a value is bytes, at most {LIMITS.value} of them, not {value!r:.60}")
    return value


class MemoryTransaction(BufferedView):
    """See `docs_layer.store.Transaction`."""

    def __init__(self, state: MemoryState) -> None:
        super().__init__(state)
        self._reads = ReadSet()

    @property
    def unvalidated(self) -> Reader:
        """See `docs_layer.store.Transaction.unvalidated`."""
        return UnvalidatedReader(self)

    def get(self, key: bytes) -> bytes | None:
        """See `docs_layer.store.Reader.get`."""
        self.check_open()
        own = self._own.find(key, self._own.number)
        if own is not None:
            return own[0]
        self._reads.keys.add(key)
        return self._state.entries.at(key, self._sequence)

    def multi_get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See `docs_layer.store.Reader.multi_get`."""
        return [self.get(key) for key in keys]

    def scan(
        self, start: bytes, stop: bytes, *, reverse: bool = False, limit: int | None = None, values: bool = True
    ) -> Iterator[Chunk]:
        """See `docs_layer.store.Reader.scan`."""
        self.check_open()
        chunks = self.look_scan(start, stop, reverse=reverse, limit=limit, values=values)
        if reverse:
            return self._validated_down(chunks, ScanRange(stop, stop, self._own.number), start, limit)
        return self._validated_up(chunks, ScanRange(start, start, self._own.number), stop, limit)

    def _validated_up(
        self, chunks: Iterator[Chunk], part: ScanRange, stop: bytes, limit: int | None
    ) -> Iterator[Chunk]:
        """Hand out chunks and let the validated part reach behind the last key that was handed out."""
        self._reads.ranges.append(part)
        count = 0
        for chunk in chunks:
            part.stop = chunk.keys[-1] + b"\0"
            count += len(chunk.keys)
            yield chunk
        if limit is None or count < limit:
            part.stop = stop

    def _validated_down(
        self, chunks: Iterator[Chunk], part: ScanRange, start: bytes, limit: int | None
    ) -> Iterator[Chunk]:
        """Hand out chunks and let the validated part reach down to the last key that was handed out."""
        self._reads.ranges.append(part)
        count = 0
        for chunk in chunks:
            part.start = chunk.keys[-1]
            count += len(chunk.keys)
            yield chunk
        if limit is None or count < limit:
            part.start = start

    def counter(self, name: bytes) -> int:
        """See `docs_layer.store.Reader.counter`."""
        self.check_open()
        self._reads.counters.add(name)
        return self.look_counter(name)

    def counters(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, int]]:
        """See `docs_layer.store.Reader.counters`."""
        self.check_open()
        self._reads.counter_ranges.append((start, stop))
        return self.look_counters(start, stop)

    def exists(self, keys: Sequence[bytes]) -> list[bool]:
        """See `docs_layer.store.Transaction.exists`."""
        self.check_open()
        return [self._is_present(key) for key in keys]

    def _is_present(self, key: bytes) -> bool:
        own = self._own.find(key, self._own.number)
        if own is not None:
            return own[0] is not None
        present = self._state.entries.at(key, self._sequence) is not None
        self._reads.presences[key] = present
        return present

    def insert(self, pairs: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
        """See `docs_layer.store.Transaction.insert`."""
        self.check_open()
        present = []
        for key, value in pairs:
            if self._is_present(_checked_key(key)):
                present.append(key)
            else:
                self._own.record(Put(key, _checked_value(value)))
        return present

    def _record(self, change: Change) -> None:
        self.check_open()
        self._own.record(change)

    def put(self, key: bytes, value: bytes) -> None:
        """See `docs_layer.store.Transaction.put`."""
        self._record(Put(_checked_key(key), _checked_value(value)))

    def delete(self, key: bytes) -> None:
        """See `docs_layer.store.Transaction.delete`."""
        self._record(Put(_checked_key(key), None))

    def delete_range(self, start: bytes, stop: bytes) -> None:
        """See `docs_layer.store.Transaction.delete_range`."""
        self._record(DeleteRange(start, stop))

    def add(self, name: bytes, delta: int) -> None:
        """See `docs_layer.store.Transaction.add`."""
        if type(delta) is not int:
            raise ValueError(f"a counter takes integers, not {delta!r}")
        self._record(Add(name, delta))

    def delete_counters(self, start: bytes, stop: bytes) -> None:
        """See `docs_layer.store.Transaction.delete_counters`."""
        self._record(DeleteCounters(start, stop))

    def append(self, log: bytes, value: bytes) -> None:
        """See `docs_layer.store.Transaction.append`."""
        self._record(Append(log, _checked_value(value)))

    def trim(self, log: bytes, position: bytes) -> None:
        """See `docs_layer.store.Transaction.trim`."""
        self._record(Trim(log, position))

    def bump_epoch(self) -> None:
        """See `docs_layer.store.Transaction.bump_epoch`."""
        self._record(BumpEpoch())

    def mark(self) -> int:
        """See `docs_layer.store.Transaction.mark`."""
        self.check_open()
        return self._own.number

    def rollback_to(self, mark: int) -> None:
        """See `docs_layer.store.Transaction.rollback_to`."""
        self.check_open()
        if not 0 <= mark <= self._own.number:
            raise ValueError(f"{mark} is no mark of this transaction")
        self._own.undo_to(mark)

    def commit(self, *, sync: bool | None = None) -> None:
        """See `docs_layer.store.Transaction.commit`; `sync` means nothing in memory."""
        self.check_open()
        state, own = self._state, self._own
        try:
            if own.journal:
                with state.condition:
                    state.check_open()
                    state.finish_locked()
                    changed = self._reads.changed_locked(state, self._sequence, own)
                    if changed or state.epoch_sequence > self._sequence:
                        raise ConflictError(changed)
                    state.publish_locked(state.resolve_locked(own.journal))
        finally:
            self._release()

    def rollback(self) -> None:
        """See `docs_layer.store.Transaction.rollback`."""
        self._release()
