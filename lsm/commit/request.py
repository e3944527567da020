"""What one writer asks of the commit queue, and what became of it."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Protocol

from lsm.runs import Missing, Value
from lsm.write_batch import WriteBatch

Lookup = Callable[[bytes], Value]
"""Gives the value of an internal key at the end of all commits before the request's own."""


class Outcome(enum.Enum):
    """The state of a request. Only `PENDING` ever changes."""

    PENDING = 0
    DONE = 1
    FAILED = 2


class Resolver(Protocol):
    """A commit whose content depends on what was committed before: a transaction, a counter, an allocation."""

    def resolve(self, first_sequence: int, staging: StagingLike | None, lookup: Lookup) -> WriteBatch:
        """Check against earlier commits and return the changes. Runs under the commit mutex.

        `staging` holds what members admitted earlier in the same group will write, or is None if there are none.
        Raises `ConflictError` or another `Error`, which fails this request alone.
        """
        ...


class StagingLike(Protocol):
    """The part of a memtable that validation needs."""

    def get(self, key: bytes, sequence: int) -> Value | Missing:
        """Return the newest value up to `sequence`."""
        ...

    def newest_sequence(self, key: bytes) -> int:
        """Return when the key was last changed, 0 for never."""
        ...

    def changed_in(self, start: bytes, stop: bytes | None, since_sequence: int) -> bytes | None:
        """Return a key of the range that was changed after `since_sequence`, or None."""
        ...


class Request:
    """One commit on its way. Written by its own thread before it is queued, and under the commit mutex afterwards."""

    __slots__ = ("abandoned", "batch", "error", "last_sequence", "outcome", "resolver", "size_bytes", "sync")

    def __init__(self, batch: WriteBatch | None, resolver: Resolver | None, *, sync: bool, size_bytes: int) -> None:
        self.batch = batch
        self.resolver = resolver
        self.sync = sync
        self.size_bytes = size_bytes
        """Bytes of keys and values, about."""
        self.outcome = Outcome.PENDING
        self.error: BaseException | None = None
        self.last_sequence = 0
        """Of its last entry, once it was given numbers; tells after an interruption whether it is in the log."""
        self.abandoned = False
        """Its thread went away with an exception; it is not to be written any more."""

    @property
    def waiting(self) -> bool:
        """Whether somebody still wants it written."""
        return self.outcome is Outcome.PENDING and not self.abandoned

    def done(self) -> None:
        """Record that it is committed."""
        self.outcome = Outcome.DONE

    def fail(self, error: BaseException) -> None:
        """Record that it is not committed, or that nobody knows."""
        self.error = error
        self.outcome = Outcome.FAILED
