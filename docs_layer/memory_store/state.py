"""What all views of one memory store share: the versions, the sequence number, and the commit that moves it.

A commit is computed first, as one value, then announced by one assignment (`_unfinished`), then applied. If an
exception such as Ctrl-C strikes while it is applied, whoever takes the lock next applies it again, which completes
it; until then no view can see it, because a view's sequence number is older. So commits are whole.

Thread safety: `condition` guards everything but `entries.at` and its like, and `released`.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from docs_layer.errors import ClosedError
from docs_layer.memory_store.changes import Add, Append, BumpEpoch, Change, DeleteCounters, DeleteRange, Put, Trim
from docs_layer.memory_store.versions import VersionedMap

_COUNTER_LIMIT = 1 << 63


class Commit(NamedTuple):
    """The results of one transaction: new versions by key, name or position (None: absent)."""

    sequence: int
    entries: dict[bytes, bytes | None]
    counters: dict[bytes, int | None]
    logs: dict[bytes, dict[bytes, bytes | None]]
    epoch: int


class MemoryState:
    """The shared state of a store and its views."""

    def __init__(self) -> None:
        self.condition = threading.Condition()
        self.entries: VersionedMap[bytes] = VersionedMap()
        self.counters: VersionedMap[int] = VersionedMap()
        self.released: deque[int] = deque()
        """Sequence numbers of views that are gone; appended to by any thread without the lock, also by finalisers."""

        self.sequence = 0
        self.epoch = 0
        self.epoch_sequence = 0
        """Sequence number of the last schema change."""
        self.closed = False
        self._logs: dict[bytes, VersionedMap[bytes]] = {}
        self._live: dict[int, int] = {}
        """Number of live views by sequence number."""
        self._unfinished: Commit | None = None

    def check_open(self) -> None:
        """Raise `ClosedError` after the store was closed."""
        if self.closed:
            raise ClosedError("the store was closed")

    def register(self) -> tuple[int, int]:
        """Return sequence number and epoch for a new view, and keep what it sees."""
        with self.condition:
            self.check_open()
            self.finish_locked()
            self._live[self.sequence] = self._live.get(self.sequence, 0) + 1
            return self.sequence, self.epoch

    def known_keys(self, start: bytes, stop: bytes, count: int | None, reverse: bool) -> list[bytes]:
        """Return up to `count` keys in [start, stop), whether a view sees them or not."""
        with self.condition:
            return self.entries.keys_locked(start, stop, count, reverse)

    def log(self, name: bytes) -> VersionedMap[bytes] | None:
        """Return the versions of a log's positions; None if it was never written."""
        return self._logs.get(name)

    def resolve_locked(self, changes: Iterable[Change]) -> Commit:
        """Compute what changes come to on top of the newest versions. Raises `ValueError` for a counter overflow."""
        commit = Commit(self.sequence + 1, {}, {}, {}, self.epoch)
        for place, change in enumerate(changes):
            match change:
                case Put(key, value):
                    commit.entries[key] = value
                case DeleteRange(start, stop):
                    commit.entries.update(dict.fromkeys(self.entries.keys_locked(start, stop)))
                    commit.entries.update(dict.fromkeys([key for key in commit.entries if start <= key < stop]))
                case Add(name, delta):
                    commit.counters[name] = self._sum_locked(commit, name, delta)
                case DeleteCounters(start, stop):
                    commit.counters.update(dict.fromkeys(self.counters.keys_locked(start, stop)))
                    commit.counters.update(dict.fromkeys([name for name in commit.counters if start <= name < stop]))
                case Append(log, value):
                    position = commit.sequence.to_bytes(8, "big") + place.to_bytes(4, "big")
                    commit.logs.setdefault(log, {})[position] = value
                case Trim(log, position):
                    self._trim_locked(commit, log, position)
                case BumpEpoch():
                    commit = commit._replace(epoch=commit.epoch + 1)
        return commit

    def _sum_locked(self, commit: Commit, name: bytes, delta: int) -> int:
        value = commit.counters[name] if name in commit.counters else self.counters.newest_locked(name)[1]
        total = (value or 0) + delta
        if not -_COUNTER_LIMIT <= total < _COUNTER_LIMIT:
            raise ValueError(f"counter {name!r} would be {total}, which does not fit in 64 bits")
        return total

    def _trim_locked(self, commit: Commit, log: bytes, position: bytes) -> None:
        stored = self._logs.get(log)
        known = [] if stored is None else stored.keys_locked(b"", position + b"\0")
        own = commit.logs.setdefault(log, {})
        own.update(dict.fromkeys([*known, *(place for place in own if place <= position)]))

    def publish_locked(self, commit: Commit) -> None:
        """Make a commit the newest state; it happens as a whole even if an exception strikes here."""
        self._unfinished = commit
        self.finish_locked()
        self.condition.notify_all()

    def finish_locked(self) -> None:
        """Complete a commit that was announced and not published, and drop versions that nobody sees."""
        commit = self._unfinished
        if commit is None:
            return
        self.entries.apply_locked(commit.entries, commit.sequence)
        self.counters.apply_locked(commit.counters, commit.sequence)
        for name, positions in commit.logs.items():
            self._logs.setdefault(name, VersionedMap()).apply_locked(positions, commit.sequence)
        if commit.epoch != self.epoch:
            self.epoch_sequence = commit.sequence
            self.epoch = commit.epoch
        self.sequence = commit.sequence
        self._unfinished = None
        self._forget_locked()

    def _forget_locked(self) -> None:
        while self.released:
            sequence = self.released.popleft()
            count = self._live[sequence] - 1
            if count:
                self._live[sequence] = count
            else:
                del self._live[sequence]
        oldest = min(self._live, default=self.sequence)
        self.entries.forget_locked(oldest)
        self.counters.forget_locked(oldest)
        for positions in self._logs.values():
            positions.forget_locked(oldest)
