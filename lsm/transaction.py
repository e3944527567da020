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
    checked_values,
    counter_key,
    internal_key,
    internal_keys,
    internal_range,
    log_prefix,
    user_key,
)
from lsm.transaction_changes import resolve_changes
from lsm.transaction_reads import TransactionReads
from lsm.transaction_writes import OwnWrites
from lsm.write_batch import WriteBatch


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
        self._limit_bytes = core.options.transaction_bytes
        self._ended: str | None = None
        """How it ended, or None while it is open."""

    @property
    def unvalidated(self) -> TransactionReads:
        """The same view for reads that are not checked at commit (snapshot reads)."""
        self._check_open()
        return TransactionReads(self._core, (self._state, self._sequence), None, self._own)

    def put(self, key: bytes, value: bytes) -> None:
        """Set `key` to `value`. Raises as `WriteBatch.put`, and `TransactionTooLargeError`."""
        self._check_open()
        self._own.put(internal_key(key), checked_value(value))
        self._check_size()

    def delete(self, key: bytes) -> None:
        """Remove `key`, whether it exists or not."""
        self._check_open()
        self._own.put(internal_key(key), None)
        self._check_size()

    def delete_range(self, start: bytes | None, stop: bytes | None) -> None:
        """Remove all keys in [start, stop); None means from the first, to the last."""
        self._delete_range(*internal_range(start, stop))

    def insert(self, pairs: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
        """Put every pair whose key is absent; return the keys that were present and are left as they are.

        Validated as presence: at commit the keys must still be absent, or present. About 2 µs a pair.
        """
        self._check_open()
        entries = list(pairs)
        keys = internal_keys([key for key, _ in entries])
        values = checked_values([value for _, value in entries])
        absent: dict[bytes, bytes] = {}
        refused: list[bytes] = []
        for key, value, present in zip(keys, values, self._present(keys), strict=True):
            if present or key in absent:
                refused.append(user_key(key))
            else:
                absent[key] = value
        self._own.put_many(list(absent), list(absent.values()))
        self._check_size()
        return refused

    def add(self, name: bytes, delta: int) -> None:
        """Add to a 64-bit counter at commit. Additions of several transactions never conflict; reading one does."""
        if type(delta) is not int:
            raise TransactionError(f"a counter takes integers, not {delta!r}")
        self._check_open()
        self._own.add(counter_key(name), delta)
        self._check_size()

    def delete_counters(self, start: bytes, stop: bytes) -> None:
        """Remove the counters with start <= name < stop."""
        self._delete_range(counter_key(start), counter_key(stop))

    def append(self, log: bytes, value: bytes) -> None:
        """Append to a log. The position is given at commit; appends of one commit stay together, in order."""
        self._check_open()
        self._own.append(log_prefix(log), checked_value(value))
        self._check_size()

    def trim(self, log: bytes, position: bytes) -> None:
        """Remove the entries of a log up to `position`, included."""
        prefix = log_prefix(log)
        self._delete_range(prefix, prefix + position + b"\x00")

    def bump_epoch(self) -> None:
        """Count the schema epoch up; conflicts with every overlapping transaction that writes."""
        self._check_open()
        self._own.add(EPOCH_KEY, 1)

    def mark(self) -> int:
        """Return a mark for `rollback_to`."""
        self._check_open()
        return self._own.mark()

    def rollback_to(self, mark: int) -> None:
        """Undo all writes since the mark; reads since then stay validated.

        Cost: the writes that are undone; where others than puts and deletes are among them, all writes before the mark.
        """
        self._check_open()
        if not 0 <= mark <= len(self._own.changes):
            raise TransactionError(f"mark {mark} is not one of this transaction")
        self._own.rollback_to(mark)

    def commit(self, *, sync: bool | None = None) -> int:
        """Make all writes visible at once and end the transaction; return the sequence number of the last of them.

        Raises `ConflictError` when something that was read has changed: nothing was written then, run it again. Other
        errors as for `Database.write`. A transaction without writes always succeeds.
        """
        self._check_open()
        self._ended = "committed"
        if not self._own.changes:
            return self._sequence
        wanted = self._core.options.sync if sync is None else sync
        request = Request(None, self, sync=wanted, size_bytes=self._own.size_bytes)
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
        return resolve_changes(self._own.changes, first_sequence, lookup)

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

    def _delete_range(self, low: bytes, high: bytes) -> None:
        self._check_open()
        if low < high:
            self._own.delete_range(low, high)
            self._check_size()

    def _check_open(self) -> None:
        if self._ended is not None:
            raise TransactionError(f"the transaction was {self._ended}")
        super()._check_open()

    def _check_size(self) -> None:
        remembered = 0 if self._reads is None else self._reads.size_bytes
        if self._own.size_bytes + remembered > self._limit_bytes:
            self._ended = "ended because it was too large"
            raise TransactionTooLargeError(
                f"the transaction has more than {self._limit_bytes} bytes of reads and writes"
            )
