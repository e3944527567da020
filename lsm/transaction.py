"""Transactions: optimistic and serializable.

Reads come from the view at the beginning and from the transaction's own writes, which lie in a memtable of its own;
what was read is remembered. At commit, under the commit mutex, everything read is checked against what was committed
meanwhile (`lsm.commit.validation`); if it still holds, all writes become one frame. Counters and logs are resolved
there, after the check, so that the log holds results and additions never conflict.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Self

from lsm.commit.pipeline import CommitPipeline
from lsm.commit.request import Lookup, Request, StagingLike
from lsm.commit.validation import ReadSet, check_unchanged
from lsm.core import Core
from lsm.errors import TransactionError, TransactionTooLargeError
from lsm.history import HistoryLink
from lsm.keys import (
    EPOCH_KEY,
    checked_value,
    counter_key,
    internal_key,
    internal_range,
    log_prefix,
)
from lsm.transaction_changes import Add, Append, Change, DeleteRange, Put, resolve_changes
from lsm.transaction_reads import OwnWrites, TransactionReads
from lsm.write_batch import WriteBatch

_CHANGE_BYTES = 100
"""Memory of one remembered change beside its key and value."""


class Transaction(TransactionReads):
    """A unit of work: all of it happens at one moment, as if nothing else ran beside it, or none of it.

    For one thread at a time. In a `with` block it commits at the end, and rolls back when an exception leaves the
    block. Nothing waits: a transaction that lost against another one fails with `ConflictError` at its commit and is
    simply run again; `Database.run` does that. Reads and writes together may take `Options.transaction_bytes`.
    """

    def __init__(self, core: Core, pipeline: CommitPipeline) -> None:
        # The link before the view: so it reaches back at least as far as the view.
        self._base: HistoryLink = core.history
        super().__init__(core, core.current_view(), ReadSet(), OwnWrites(core))
        self._pipeline = pipeline
        self._changes: list[Change] = []
        self._size_bytes = 0
        """Memory of all changes."""
        self._ended: str | None = None
        """How it ended, or None while it is open."""

    @property
    def unvalidated(self) -> TransactionReads:
        """The same view for reads that are not checked at commit (snapshot reads)."""
        self._check_open()
        return TransactionReads(self._core, (self._state, self._sequence), None, self._own)

    def put(self, key: bytes, value: bytes) -> None:
        """Set `key` to `value`. Raises as `WriteBatch.put`, and `TransactionTooLargeError`."""
        self._change(Put(internal_key(key), checked_value(value)))

    def delete(self, key: bytes) -> None:
        """Remove `key`, whether it exists or not."""
        self._change(Put(internal_key(key), None))

    def delete_range(self, start: bytes | None, stop: bytes | None) -> None:
        """Remove all keys in [start, stop); None means from the first, to the last."""
        low, high = internal_range(start, stop)
        if low < high:
            self._change(DeleteRange(low, high))

    def insert(self, pairs: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
        """Put every pair whose key is absent; return the keys that were present and are left as they are.

        Validated as presence: at commit the keys must still be absent, or present.
        """
        entries = list(pairs)
        there = self.exists([key for key, _ in entries])
        refused: list[bytes] = []
        seen: set[bytes] = set()
        for (key, value), present in zip(entries, there, strict=True):
            if present or key in seen:
                refused.append(key)
            else:
                self.put(key, value)
                seen.add(key)
        return refused

    def add(self, name: bytes, delta: int) -> None:
        """Add to a 64-bit counter at commit. Additions of several transactions never conflict; reading one does."""
        if type(delta) is not int:
            raise TransactionError(f"a counter takes integers, not {delta!r}")
        self._change(Add(counter_key(name), delta))

    def delete_counters(self, start: bytes, stop: bytes) -> None:
        """Remove the counters with start <= name < stop."""
        low, high = counter_key(start), counter_key(stop)
        if low < high:
            self._change(DeleteRange(low, high))

    def append(self, log: bytes, value: bytes) -> None:
        """Append to a log. The position is given at commit; appends of one commit stay together, in order."""
        self._change(Append(log_prefix(log), checked_value(value)))

    def trim(self, log: bytes, position: bytes) -> None:
        """Remove the entries of a log up to `position`, included."""
        prefix = log_prefix(log)
        self._change(DeleteRange(prefix, prefix + position + b"\x00"))

    def bump_epoch(self) -> None:
        """Count the schema epoch up; conflicts with every overlapping transaction that writes."""
        self._change(Add(EPOCH_KEY, 1))

    def mark(self) -> int:
        """Return a mark for `rollback_to`."""
        self._check_open()
        return len(self._changes)

    def rollback_to(self, mark: int) -> None:
        """Undo all writes since the mark; reads since then stay validated. Cost: the writes before the mark."""
        self._check_open()
        if not 0 <= mark <= len(self._changes):
            raise TransactionError(f"mark {mark} is not one of this transaction")
        changes = self._changes[:mark]
        self._changes, self._size_bytes = [], 0
        self._own.begin_anew(self._core)
        for change in changes:
            self._change(change)

    def commit(self, *, sync: bool | None = None) -> int:
        """Make all writes visible at once and end the transaction; return the sequence number of the last of them.

        Raises `ConflictError` when something that was read has changed: nothing was written then, run it again. Other
        errors as for `Database.write`. A transaction without writes always succeeds.
        """
        self._check_open()
        self._ended = "committed"
        if not self._changes:
            return self._sequence
        wanted = self._core.options.sync if sync is None else sync
        request = Request(None, self, sync=wanted, size_bytes=self._size_bytes)
        try:
            return self._pipeline.commit(request)
        except BaseException:
            self._ended = "ended by the error of its commit"
            raise

    def rollback(self) -> None:
        """Forget all writes and end the transaction; ending twice is allowed."""
        if self._ended is None:
            self._ended = "rolled back"

    def resolve(self, first_sequence: int, staging: StagingLike | None, lookup: Lookup) -> WriteBatch:
        """Validate what was read and return the changes; called by the commit leader under the commit mutex."""
        reads = self._reads
        if reads is not None:
            check_unchanged(reads, self._base, self._sequence, staging, lookup)
        return resolve_changes(self._changes, first_sequence, lookup)

    def __enter__(self) -> Self:
        """Return the transaction itself."""
        self._check_open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Commit, unless it has ended already; roll back when an exception leaves the block."""
        if kind is not None:
            self.rollback()
        elif self._ended is None:
            self.commit()

    def _change(self, change: Change) -> None:
        """Remember one write and make it visible to this transaction's own reads."""
        self._check_open()
        self._size_bytes += change.size_bytes + _CHANGE_BYTES
        self._changes.append(change)
        self._own.show(change)
        self._check_size()

    def _check_open(self) -> None:
        if self._ended is not None:
            raise TransactionError(f"the transaction was {self._ended}")
        super()._check_open()

    def _check_size(self) -> None:
        remembered = 0 if self._reads is None else self._reads.size_bytes
        limit = self._core.options.transaction_bytes
        if self._size_bytes + remembered > limit:
            self._ended = "ended because it was too large"
            raise TransactionTooLargeError(f"the transaction has more than {limit} bytes of reads and writes")
