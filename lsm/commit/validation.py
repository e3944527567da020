"""Validation: did anything that a transaction read change since its snapshot?

A transaction holds the history link (`lsm.history`) of the memtable that was active at its snapshot, so all that were
written since are reachable, also those that were flushed meanwhile. A key changed if its newest version
in one of them (a put, a deletion, or a range deletion that covers it) is newer than the snapshot. The argument for
serializability: commits are serialised by the commit mutex; a transaction whose reads all still hold at its commit
gives what it would have given had it run at that instant.
"""

from __future__ import annotations

from collections.abc import Sequence

from lsm.commit.request import Lookup, StagingLike
from lsm.errors import ConflictError
from lsm.history import HistoryLink
from lsm.keys import EPOCH_KEY, SYSTEM_START, described, user_key


class ReadSet:
    """What a transaction read and must find unchanged. Used by one thread, then under the commit mutex."""

    __slots__ = ("keys", "presence", "ranges", "size_bytes")

    def __init__(self) -> None:
        self.keys: set[bytes] = set()
        """Keys whose values were read."""
        self.presence: dict[bytes, bool] = {}
        """Keys of which only was asked whether they exist, with the answer."""
        self.ranges: list[tuple[bytes, bytes]] = []
        """Ranges [start, stop) that were scanned, up to the last key handed over."""
        self.size_bytes = 0
        """Bytes of the keys remembered, with 100 for each as a Python object."""

    def add_key(self, key: bytes) -> None:
        """Remember that the value of a key was read."""
        if key not in self.keys:
            self.keys.add(key)
            self.size_bytes += len(key) + 100

    def add_presence(self, keys: Sequence[bytes], present: Sequence[bool]) -> None:
        """Remember for each key whether it existed."""
        known = self.presence
        fresh = {key: answer for key, answer in zip(keys, present, strict=True) if key not in known}
        known.update(fresh)
        self.size_bytes += sum(map(len, fresh)) + 100 * len(fresh)

    def add_range(self, start: bytes, stop: bytes) -> None:
        """Remember a scanned range; one that goes on where the last one ended, either way, extends it."""
        if self.ranges:
            low, high = self.ranges[-1]
            if high == start or low == stop:
                self.ranges[-1] = (min(low, start), max(high, stop))
                return
        self.ranges.append((start, stop))
        self.size_bytes += len(start) + len(stop) + 200


def check_unchanged(
    reads: ReadSet, base: HistoryLink, sequence: int, staging: StagingLike | None, lookup: Lookup
) -> None:
    """Raise `ConflictError` if a read does not hold any more.

    `base` and `sequence` are those of the snapshot; `staging` holds what earlier members of the same group will write;
    `lookup` gives present values. Cost: memtables since the snapshot x keys read, plus changes since then x ranges.
    """
    written: list[StagingLike] = [table for table in base.memtables() if table.last_sequence > sequence]
    if staging is not None:
        written.append(staging)
    changed = [
        key for key in (EPOCH_KEY, *reads.keys) if any(table.newest_sequence(key) > sequence for table in written)
    ]
    changed += [
        key
        for key, present in reads.presence.items()
        if any(table.newest_sequence(key) > sequence for table in written) and (lookup(key) is not None) != present
    ]
    if changed:
        names = ", ".join(map(described, changed[:3]))
        raise ConflictError(f"changed since the transaction began: {names}", _users_own(changed))
    for start, stop in reads.ranges:
        for table in written:
            key = table.changed_in(start, stop, sequence)
            if key is not None:
                ends = f"{described(start)} to {described(stop)}"
                message = f"range {ends} changed since the transaction began, at {described(key)}"
                user_stop = None if stop == SYSTEM_START else user_key(stop)
                ranges = [(user_key(start), user_stop)] if stop <= SYSTEM_START else []
                raise ConflictError(message, _users_own([key]), ranges)


def _users_own(keys: Sequence[bytes]) -> list[bytes]:
    """Return the users' forms of the keys that are users' keys."""
    return [user_key(key) for key in keys if key < SYSTEM_START]
