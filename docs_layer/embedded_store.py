"""The store on the embedded engine: each call is one call of `lsm`, and each error of the contract is ours.

Owns the translation of errors and nothing else; there is no state here beside the engine's handles. Errors that are
not about the contract (`lsm.StorageError`, `lsm.ReadOnlyError`, ...) pass unchanged. The wrapping costs 0.1 µs a call.
Thread safety: as the engine's; a store and a snapshot for any number of threads, a transaction for one at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from types import TracebackType
from typing import Protocol, Self

import lsm
from docs_layer.errors import (
    ClosedError,
    CommitUnknownError,
    ConflictError,
    CorruptionError,
    TransactionTooLargeError,
)
from docs_layer.store import Chunk, Estimate, Limits

_KEY_BYTES = 1 << 16
_VALUE_BYTES = 1 << 30


def _translated(error: lsm.Error) -> Exception:
    """Give the error of `docs_layer` that says the same; the error itself if the contract does not speak of it."""
    match error:
        case lsm.ClosedError():
            return ClosedError(str(error))
        case lsm.ConflictError():
            return ConflictError(error.keys, str(error))
        case lsm.TransactionTooLargeError():
            return TransactionTooLargeError(str(error))
        case lsm.TransactionError():
            # The one misuse that is left: marks and deltas are checked before the engine sees them.
            return ClosedError(str(error))
        case lsm.CommitOutcomeUnknownError() | lsm.SyncFailedError():
            return CommitUnknownError(str(error))
        case lsm.CorruptionError():
            return CorruptionError(error.path, error.reason, offset=error.offset)
        case _:
            return error


@contextmanager
def _translating(failure: Callable[[lsm.Error], Exception] = _translated) -> Iterator[None]:
    try:
        yield
    except lsm.Error as error:
        raise failure(error) from error


def _chunks(
    parts: Iterator[tuple[list[bytes], list[bytes]]], failure: Callable[[lsm.Error], Exception]
) -> Iterator[Chunk]:
    """Hand out the engine's chunks as ours."""
    try:
        for keys, values in parts:
            yield Chunk(keys, values)
    except lsm.Error as error:
        raise failure(error) from error


class _EngineReads(Protocol):
    """What snapshots, transactions and unvalidated readers of the engine have in common."""

    @property
    def epoch(self) -> int: ...

    def get(self, key: bytes, /) -> bytes | None: ...

    def multi_get(self, keys: Sequence[bytes], /) -> list[bytes | None]: ...

    def scan_chunks(
        self, start: bytes, stop: bytes, /, *, reverse: bool, limit: int | None, values: bool
    ) -> Iterator[tuple[list[bytes], list[bytes]]]: ...

    def counter(self, name: bytes, /) -> int: ...

    def counters(self, start: bytes, stop: bytes, /) -> Iterator[tuple[bytes, int]]: ...


class _EngineReader:
    """The reads that snapshots, transactions and unvalidated readers share."""

    __slots__ = ("_get", "_source", "epoch")

    def __init__(self, source: _EngineReads) -> None:
        self._source = source
        self._get = source.get
        self.epoch: int = source.epoch

    def _failure(self, error: lsm.Error) -> Exception:
        """Give the error to raise for one of the engine."""
        return _translated(error)

    def get(self, key: bytes) -> bytes | None:
        """See `docs_layer.store.Reader.get`."""
        try:
            return self._get(key)
        except lsm.Error as error:
            raise self._failure(error) from error

    def multi_get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See `docs_layer.store.Reader.multi_get`."""
        try:
            return self._source.multi_get(keys)
        except lsm.Error as error:
            raise self._failure(error) from error

    def scan(
        self, start: bytes, stop: bytes, *, reverse: bool = False, limit: int | None = None, values: bool = True
    ) -> Iterator[Chunk]:
        """See `docs_layer.store.Reader.scan`."""
        try:
            parts = self._source.scan_chunks(start, stop, reverse=reverse, limit=limit, values=values)
            return _chunks(parts, self._failure)
        except lsm.Error as error:
            raise self._failure(error) from error

    def counter(self, name: bytes) -> int:
        """See `docs_layer.store.Reader.counter`."""
        with _translating(self._failure):
            return self._source.counter(name)

    def counters(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, int]]:
        """See `docs_layer.store.Reader.counters`."""
        with _translating(self._failure):
            yield from self._source.counters(start, stop)


class EmbeddedSnapshot(_EngineReader):
    """See `docs_layer.store.Snapshot`."""

    __slots__ = ("_snapshot",)

    def __init__(self, snapshot: lsm.Snapshot) -> None:
        super().__init__(snapshot)
        self._snapshot = snapshot

    def log(self, name: bytes, after: bytes | None = None, limit: int | None = None) -> Iterator[tuple[bytes, bytes]]:
        """See `docs_layer.store.Snapshot.log`."""
        with _translating(self._failure):
            yield from self._snapshot.log(name, after, limit)

    def close(self) -> None:
        """See `docs_layer.store.Snapshot.close`."""
        self._snapshot.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._snapshot.close()


class EmbeddedTransaction(_EngineReader):
    """See `docs_layer.store.Transaction`."""

    __slots__ = ("_too_large", "_transaction")

    def __init__(self, transaction: lsm.Transaction) -> None:
        self._too_large: str | None = None
        """Why the engine has ended the transaction, if it has."""
        super().__init__(transaction)
        self._transaction = transaction

    def _failure(self, error: lsm.Error) -> Exception:
        """Give the error to raise; a transaction that grew too large says so until it is rolled back."""
        if isinstance(error, lsm.TransactionTooLargeError):
            self._too_large = str(error)
        elif self._too_large is not None and type(error) is lsm.TransactionError:
            return TransactionTooLargeError(self._too_large)
        return _translated(error)

    @property
    def unvalidated(self) -> _EngineReader:
        """See `docs_layer.store.Transaction.unvalidated`."""
        with _translating(self._failure):
            return _EngineReader(self._transaction.unvalidated)

    def exists(self, keys: Sequence[bytes]) -> list[bool]:
        """See `docs_layer.store.Transaction.exists`."""
        try:
            return self._transaction.exists(keys)
        except lsm.Error as error:
            raise self._failure(error) from error

    def insert(self, pairs: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
        """See `docs_layer.store.Transaction.insert`."""
        try:
            return self._transaction.insert(pairs)
        except lsm.Error as error:
            raise self._failure(error) from error

    def put(self, key: bytes, value: bytes) -> None:
        """See `docs_layer.store.Transaction.put`."""
        try:
            self._transaction.put(key, value)
        except lsm.Error as error:
            raise self._failure(error) from error

    def delete(self, key: bytes) -> None:
        """See `docs_layer.store.Transaction.delete`."""
        try:
            self._transaction.delete(key)
        except lsm.Error as error:
            raise self._failure(error) from error

    def delete_range(self, start: bytes, stop: bytes) -> None:
        """See `docs_layer.store.Transaction.delete_range`."""
        with _translating(self._failure):
            self._transaction.delete_range(start, stop)

    def add(self, name: bytes, delta: int) -> None:
        """See `docs_layer.store.Transaction.add`."""
        if type(delta) is not int:
            raise ValueError(f"a counter takes integers, not {delta!r}")
        with _translating(self._failure):
            self._transaction.add(name, delta)

    def delete_counters(self, start: bytes, stop: bytes) -> None:
        """See `docs_layer.store.Transaction.delete_counters`."""
        with _translating(self._failure):
            self._transaction.delete_counters(start, stop)

    def append(self, log: bytes, value: bytes) -> None:
        """See `docs_layer.store.Transaction.append`."""
        with _translating(self._failure):
            self._transaction.append(log, value)

    def trim(self, log: bytes, position: bytes) -> None:
        """See `docs_layer.store.Transaction.trim`."""
        with _translating(self._failure):
            self._transaction.trim(log, position)

    def bump_epoch(self) -> None:
        """See `docs_layer.store.Transaction.bump_epoch`."""
        with _translating(self._failure):
            self._transaction.bump_epoch()

    def mark(self) -> int:
        """See `docs_layer.store.Transaction.mark`."""
        with _translating(self._failure):
            return self._transaction.mark()

    def rollback_to(self, mark: int) -> None:
        """See `docs_layer.store.Transaction.rollback_to`."""
        if not 0 <= mark <= self.mark():
            raise ValueError(f"{mark} is no mark of this transaction")
        with _translating(self._failure):
            self._transaction.rollback_to(mark)

    def commit(self, *, sync: bool | None = None) -> None:
        """See `docs_layer.store.Transaction.commit`."""
        try:
            self._transaction.commit(sync=sync)
        except lsm.Error as error:
            raise self._failure(error) from error

    def rollback(self) -> None:
        """See `docs_layer.store.Transaction.rollback`."""
        self._too_large = None
        self._transaction.rollback()


class EmbeddedStore:
    """See `docs_layer.store.Store`.

    Args:
        path: Directory of the database, or a database that is already open; the latter stays open after `close`.
        options: How the engine behaves; only with a path.
        read_only: Whether to open the directory for reading only.
        environment: The outside world, as `lsm.open` takes it; None is the real one. Only with a path.
    """

    def __init__(
        self,
        path: str | PathLike[str] | lsm.Database,
        options: lsm.Options | None = None,
        *,
        read_only: bool = False,
        environment: lsm.Environment | None = None,
    ) -> None:
        self._is_owner = not isinstance(path, lsm.Database)
        self._closed = False
        self.engine = (
            path
            if isinstance(path, lsm.Database)
            else lsm.open(path, options, read_only=read_only, environment=environment)
        )
        """The engine's handle, for what the interface does not speak of: recovery, statistics, compaction."""

    @property
    def limits(self) -> Limits:
        """See `docs_layer.store.Store.limits`."""
        return Limits(_KEY_BYTES, _VALUE_BYTES, self.engine.options.transaction_bytes, None, exact_conflicts=True)

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("the store was closed")

    def snapshot(self) -> EmbeddedSnapshot:
        """See `docs_layer.store.Store.snapshot`."""
        self._check_open()
        try:
            return EmbeddedSnapshot(self.engine.snapshot())
        except lsm.Error as error:
            raise _translated(error) from error

    def transaction(self) -> EmbeddedTransaction:
        """See `docs_layer.store.Store.transaction`."""
        self._check_open()
        try:
            return EmbeddedTransaction(self.engine.transaction())
        except lsm.Error as error:
            raise _translated(error) from error

    def allocate(self, name: bytes, count: int = 1) -> int:
        """See `docs_layer.store.Store.allocate`."""
        self._check_open()
        with _translating():
            return self.engine.allocate(name, count)

    def reserve(self, name: bytes, last: int) -> None:
        """See `docs_layer.store.Store.reserve`."""
        self._check_open()
        with _translating():
            self.engine.reserve(name, last)

    def give_back(self, name: bytes, first: int, last: int) -> None:
        """See `docs_layer.store.Store.give_back`."""
        self._check_open()
        with _translating():
            self.engine.give_back(name, first, last)

    def estimate(self, start: bytes, stop: bytes) -> Estimate:
        """See `docs_layer.store.Store.estimate`."""
        self._check_open()
        with _translating():
            return Estimate(*self.engine.estimate(start, stop))

    def wait(self, log: bytes, after: bytes | None, timeout: float) -> bool:
        """See `docs_layer.store.Store.wait`."""
        self._check_open()
        with _translating():
            return self.engine.wait(log, after, timeout)

    @property
    def recovery(self) -> lsm.RecoveryReport:
        """What the engine found and did when it was opened."""
        return self.engine.recovery

    def compact(self) -> None:
        """Rewrite all files without what was deleted or replaced; see `lsm.Database.compact`."""
        self._check_open()
        with _translating():
            self.engine.compact()

    def close(self) -> None:
        """See `docs_layer.store.Store.close`; closes the engine only if this store has opened it."""
        if not self._closed:
            self._closed = True
            if self._is_owner:
                with _translating():
                    self.engine.close()
