"""Back-pressure: writers wait, without any lock, until maintenance has caught up.

Waiting is on a condition variable that every install notifies; each wait is counted with its reason. A writer that has
waited for a second, or whose handle does no maintenance, flushes and compacts for itself, so that no stopped thread can
hold up writing for good.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from lsm.core import Core

_SLOW_SECONDS = 0.001
_SLOW_ENTRIES = 64
"""While level 0 is long, writers pause `_SLOW_SECONDS` for as many entries: a rate that compaction can follow."""
_LONGEST_PAUSE_SECONDS = 0.1
_PATIENCE_SECONDS = 1.0


class Room:
    """Waits for room, and remembers how often and how long. Any number of threads."""

    def __init__(self, core: Core, relieve: Callable[[], None]) -> None:
        self._core = core
        self._relieve = relieve
        self._lock = core.environment.lock()
        self.stalls: Counter[str] = Counter()
        """How many writes waited, by reason. Guarded by the lock."""
        self.stall_seconds = 0.0
        self._paused_at = 0
        """Sequence at the last pause. Unguarded: a lost update makes one pause a little longer or shorter."""

    def wait(self) -> None:
        """Return when there is room for a write.

        Raises the error of failed background work (`DiskFullError`, `BackgroundError`) instead of waiting for ever.
        """
        core = self._core
        reason = core.stall_reason()
        if reason is None:
            if core.level0_count() >= core.options.level0_slow_tables:
                self._slow_down()
            return
        begin = core.environment.monotonic_seconds()
        try:
            while core.closed is None and core.stall_reason() is not None:
                self._wait_once(begin)
        finally:
            self._count(reason, core.environment.monotonic_seconds() - begin)

    def _wait_once(self, begin: float) -> None:
        core = self._core
        if core.background_error is not None:
            core.background_error_told = False
            core.tell_background_error()
        if not core.options.maintenance or core.environment.monotonic_seconds() - begin > _PATIENCE_SECONDS:
            self._relieve()
            return
        with core.changed:
            core.changed.wait(_PATIENCE_SECONDS / 4)

    def _slow_down(self) -> None:
        """Pause in proportion to what was written since the last pause."""
        sequence = self._core.view[1]
        entries = sequence - self._paused_at
        if entries < _SLOW_ENTRIES:
            return
        self._paused_at = sequence
        seconds = min(_SLOW_SECONDS * entries / _SLOW_ENTRIES, _LONGEST_PAUSE_SECONDS)
        with self._core.changed:
            self._core.changed.wait(seconds)
        self._count("level 0 is long", seconds)

    def _count(self, reason: str, seconds: float) -> None:
        with self._lock:
            self.stalls[reason] += 1
            self.stall_seconds += seconds
