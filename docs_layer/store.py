"""The ordered key-value store that `docs_layer` is written against: exactly what it may rely on, nothing else.

Keys and values are `bytes`; the order is that of `bytes`; a range is [start, stop). Counters, logs and sequences have
name spaces of their own, apart from the keys. `Store` and `Snapshot` may be used by any number of threads, a
`Transaction` and an iterator by one thread at a time.

This text and its contract tests (`tests/docs_layer/store_contract`) are the specification; every implementation
passes them. What must conflict does so everywhere; what should not may still do so where `Limits.exact_conflicts` is
False. Nobody may assume files, sequence numbers or a lock within the process behind this interface.

Errors, all of `docs_layer.errors`:

- `ConflictError` at commit (or at a read before it): a concurrent commit changed what the transaction read; nothing was
  written, run it again.
- `CommitUnknownError` at commit: it may or may not have happened; never repeat it blindly.
- `SnapshotTooOldError`, `TransactionTooLargeError`: a limit of the implementation. The view is of no more use; each
  later call but `close` and `rollback` raises the same or `ClosedError`.
- `ClosedError`: a call after `close`, `commit` or `rollback`. Iterators that were taken before may end with it too.
- `ValueError` for keys and values beyond `Limits`, for a mark or a delta that is none, and at commit for a counter
  beyond 64 bits.

Errors of files and networks are those of the implementation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import NamedTuple, Protocol, Self


class Limits(NamedTuple):
    """What an implementation can take."""

    key: int
    """Longest key, bytes."""
    value: int
    """Largest value, bytes."""
    transaction: int | None
    """Bytes that one transaction may write; None for no limit."""
    seconds: float | None
    """How long a snapshot or transaction may live; None for no limit."""
    exact_conflicts: bool
    """False where transactions conflict that need not (a store that locks pages, not keys)."""


class Chunk(NamedTuple):
    """Consecutive entries of a scan; never empty."""

    keys: list[bytes]
    """In the order of the scan."""
    values: list[bytes]
    """Beside the keys; empty when the scan asked for keys only."""


class Estimate(NamedTuple):
    """A guess of how much a range holds."""

    entries: int
    size_bytes: int


class Reader(Protocol):
    """A view that never changes by what others do."""

    @property
    def epoch(self) -> int:
        """Number of schema changes committed before this view. Costs an attribute; validated by every transaction."""
        ...

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key, or None if it is absent."""
        ...

    def multi_get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of many keys, None for absent ones, in the order they were asked for."""
        ...

    def scan(
        self, start: bytes, stop: bytes, *, reverse: bool = False, limit: int | None = None, values: bool = True
    ) -> Iterator[Chunk]:
        """Iterate over the entries in [start, stop), in chunks.

        What it gives is fixed by this call, whatever the transaction writes later. Chunks are small at first, so that
        reading a few entries is cheap.

        Args:
            start: First key.
            stop: Key behind the last one; nothing is given if it is not above `start`.
            reverse: From the greatest key down.
            limit: Greatest number of entries, None for all.
            values: False for keys only.
        """
        ...

    def counter(self, name: bytes) -> int:
        """Return the value of a counter, 0 if it was never added to."""
        ...

    def counters(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, int]]:
        """Iterate over the counters with names in [start, stop) that were ever added to and not deleted since."""
        ...


class Snapshot(Reader, Protocol):
    """A view for any number of threads; a context manager that closes itself."""

    def log(self, name: bytes, after: bytes | None = None, limit: int | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Iterate over (position, value) of a log, oldest first, behind the position `after`.

        Promise: nothing at or below a position that was given here appears in any later snapshot.
        """
        ...

    def close(self) -> None:
        """Release what the view holds; a second call does nothing."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


class Transaction(Reader, Protocol):
    """Serializable: reads see one snapshot and the transaction's own writes, and are validated at commit.

    A scan is validated from its start to the last key handed out, or to its end if it was exhausted. What the
    transaction itself wrote before is no validated read. A transaction without writes never conflicts.
    """

    @property
    def unvalidated(self) -> Reader:
        """The same view, whose reads are not validated (where conflicts are exact)."""
        ...

    def exists(self, keys: Sequence[bytes]) -> list[bool]:
        """Tell which keys are present. Validated as presence: an overwrite is no conflict, a delete or first put is."""
        ...

    def insert(self, pairs: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
        """Put every key that is absent and return the others, which stay as they were.

        A key that comes twice is put the first time and returned the second time. Validated as presence.
        """
        ...

    def put(self, key: bytes, value: bytes) -> None:
        """Set the value of a key. Not a read: two transactions that only put never conflict, the later one wins."""
        ...

    def delete(self, key: bytes) -> None:
        """Remove a key, present or not. Not a read."""
        ...

    def delete_range(self, start: bytes, stop: bytes) -> None:
        """Remove all keys in [start, stop) as they are at commit, and own writes before this call. Not a read."""
        ...

    def add(self, name: bytes, delta: int) -> None:
        """Add to a 64-bit counter at commit. Two adds never conflict; an add and a `counter` read do."""
        ...

    def delete_counters(self, start: bytes, stop: bytes) -> None:
        """Remove the counters with names in [start, stop); later adds begin at 0."""
        ...

    def append(self, log: bytes, value: bytes) -> None:
        """Append to a log. The position is given at commit; a transaction's appends stay together and in order."""
        ...

    def trim(self, log: bytes, position: bytes) -> None:
        """Remove the entries of a log up to and with a position."""
        ...

    def bump_epoch(self) -> None:
        """Count one schema change: every overlapping transaction that writes and commits later conflicts."""
        ...

    def mark(self) -> int:
        """Return a mark for `rollback_to`."""
        ...

    def rollback_to(self, mark: int) -> None:
        """Undo all writes since the mark; reads since then stay validated.

        Scans that were begun since the mark must not be continued.
        """
        ...

    def commit(self, *, sync: bool | None = None) -> None:
        """Validate and write everything at once. The transaction is over, whether this succeeds or raises.

        Args:
            sync: Whether the commit must survive a power loss before this returns; None for the store's default.
        """
        ...

    def rollback(self) -> None:
        """Forget all writes; does nothing if the transaction is over."""
        ...


class Store(Protocol):
    """One database."""

    @property
    def limits(self) -> Limits:
        """What this implementation can take."""
        ...

    def snapshot(self) -> Snapshot:
        """Take a view of everything committed before this call."""
        ...

    def transaction(self) -> Transaction:
        """Begin a transaction on everything committed before this call; never waits for other transactions."""
        ...

    def allocate(self, name: bytes, count: int = 1) -> int:
        """Return the first of `count` consecutive integers that nobody was ever given, from 1 up.

        Outside every transaction; gaps are normal.
        """
        ...

    def reserve(self, name: bytes, last: int) -> None:
        """Let `allocate` return only numbers above `last` from now on."""
        ...

    def give_back(self, name: bytes, first: int, last: int) -> None:
        """Let `allocate` return the numbers `first` to `last` again, which the caller was given and has not used.

        Does nothing if anybody was given numbers above `last` meanwhile.
        """
        ...

    def estimate(self, start: bytes, stop: bytes) -> Estimate:
        """Guess what a range holds. May be wrong by any factor, is cheap."""
        ...

    def wait(self, log: bytes, after: bytes | None, timeout: float) -> bool:
        """Sleep until the log may hold something behind `after`, at most `timeout` seconds; False if time ran out."""
        ...

    def close(self) -> None:
        """Release everything; a second call does nothing."""
        ...
