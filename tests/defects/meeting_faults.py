"""Faults: a whole other operation between any two steps of an operation.

A small scheduler: one operation runs in the main thread and is held at one of its places, while another one runs in a
thread of its own until it is done or waits for a lock; then both go on to their ends.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import NamedTuple

import lsm
from lsm.environment import Lock
from lsm.testing import SimulatedEnvironment, SimulatedFileSystem, State, WrongRecoveryError, abandon, checked_content
from tests.defects.acts import (
    MOST_PLACES,
    NEW,
    OLD,
    change_and_compact,
    change_and_flush,
    checkpoint,
    compact,
    flush,
    open_database,
    rotate,
    write_batch,
    write_batch_synced,
)
from tests.defects.fault_class import Share
from tests.defects.remains import reopened
from tests.support.interruptions import DOUBLES, ENGINE

Act = Callable[[lsm.Database], object]
PATIENCE_SECONDS = 30.0
PROBE_SECONDS, PROBES = 0.0005, 40
"""How often, and how many times, the main thread looks whether the other one waits for something unseen."""


class WatchedLock:
    """A lock that tells when somebody has to wait for it."""

    def __init__(self, lock: Lock, waiting: threading.Event) -> None:
        self._lock = lock
        self._waiting = waiting

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take it."""
        if self._lock.acquire(False):
            return True
        self._waiting.set()
        return blocking and self._lock.acquire(True, timeout)

    def release(self) -> None:
        """Give it back."""
        self._lock.release()

    def locked(self) -> bool:
        """Tell whether somebody has it."""
        return self._lock.locked()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class WatchedEnvironment(SimulatedEnvironment):
    """An environment whose locks tell when somebody waits."""

    def __init__(self, filesystem: SimulatedFileSystem) -> None:
        super().__init__(filesystem)
        self.waiting = threading.Event()

    def lock(self) -> Lock:
        """Make a lock that is watched."""
        return WatchedLock(super().lock(), self.waiting)


class Meeting:
    """Runs an act in another thread, when the main thread has come to its place with a number."""

    def __init__(self, environment: WatchedEnvironment, act: Callable[[], object], number: int) -> None:
        self.count = 0
        self.error: BaseException | None = None
        self._environment = environment
        self._act = act
        self._number = number
        self._thread = threading.Thread(target=self._run, name="the other")
        self._done = threading.Event()

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        """Count a place; at the one with the number let the other thread run until it is done or has to wait."""
        name = frame.f_code.co_filename
        if event not in {"call", "c_return"} or not name.startswith(ENGINE) or name.startswith(DOUBLES):
            return
        self.count += 1
        if self.count == self._number:
            sys.setprofile(None)
            self._environment.waiting.clear()
            self._thread.start()
            for _ in range(PROBES):
                if self._done.wait(PROBE_SECONDS) or self._environment.waiting.is_set():
                    return

    def finish(self) -> None:
        """Wait for the other thread; raise what it raised."""
        if self._thread.ident is not None:
            self._thread.join(PATIENCE_SECONDS)
            if self._thread.is_alive():
                raise WrongRecoveryError("the other thread waits for ever")
        if self.error is not None:
            raise self.error

    def _run(self) -> None:
        try:
            self._act()
        except BaseException as error:  # noqa: BLE001  # raised again by the main thread
            self.error = error
        finally:
            self._done.set()


class Pair(NamedTuple):
    """Two operations, and what must hold when both are over."""

    first: Act
    second: Act
    check: Callable[[lsm.Database, SimulatedFileSystem, object], None]
    """Gets the database, its disk, and what the first returned."""


def read_twice(database: lsm.Database) -> tuple[State, State, State]:
    """Read a snapshot in three ways, between which anything may happen."""
    with database.snapshot() as snapshot:
        first = {key: snapshot.get(key) or b"" for key in OLD}
        return first, dict(snapshot.scan()), dict(reversed(list(snapshot.scan(reverse=True))))


def scan_slowly(database: lsm.Database) -> tuple[State, State, State]:
    """Scan without a snapshot."""
    found = dict(database.scan())
    return found, found, found


def add_one(database: lsm.Database) -> None:
    """Read a number and write the next one."""

    def change(transaction: lsm.Transaction) -> None:
        transaction.put(b"number", b"%d" % (int(transaction.get(b"number") or b"0") + 1))

    database.run(change)


def flush_and_add_one(database: lsm.Database) -> None:
    """Seal the memtable, then add one in the next."""
    database.flush()
    add_one(database)


def sync_in_background(database: lsm.Database) -> None:
    """Sync, as the timer does."""
    database.put(b"c", b"old")
    database.sync()


def write_beyond(database: lsm.Database) -> None:
    """Go on to a new log, without a sync."""
    rotate(database)
    database.put(b"c", b"old")


def is_one_moment(database: lsm.Database, filesystem: SimulatedFileSystem, found: object) -> None:
    """All readings of one view are equal, and show all of the batch or nothing of it."""
    assert isinstance(found, tuple)
    for state in found:
        if state != found[0] or state not in (OLD, NEW):
            raise WrongRecoveryError(f"one view showed {found}")
    ends_new(database, filesystem, found)


def ends_new(database: lsm.Database, filesystem: SimulatedFileSystem, _: object) -> None:
    """Both are done, and stay done after a kill; a power loss leaves the old state or the new one."""
    if checked_content(database) != NEW:
        raise WrongRecoveryError(f"in the end it shows {checked_content(database)}")
    if list(database.verify().damage):
        raise WrongRecoveryError(f"verify: {database.verify().damage}")
    for survivor, allowed in ((filesystem.after_kill(), [NEW]), (filesystem.after_power_loss(), [OLD, NEW])):
        other = reopened(survivor)
        found = checked_content(other)
        abandon(other)
        if found not in allowed:
            raise WrongRecoveryError(f"after a crash it shows {found}")
    database.sync()
    other = reopened(filesystem.after_power_loss())
    if checked_content(other) != NEW:
        raise WrongRecoveryError(f"after a sync and a power loss it shows {checked_content(other)}")
    abandon(other)


def ends_unchanged(database: lsm.Database, filesystem: SimulatedFileSystem, _: object) -> None:
    """Nothing was changed."""
    if checked_content(database) != OLD or list(database.verify().damage):
        raise WrongRecoveryError(f"in the end it shows {checked_content(database)}, {database.verify().damage}")
    other = reopened(filesystem.after_power_loss())
    if checked_content(other) != OLD:
        raise WrongRecoveryError(f"after a power loss it shows {checked_content(other)}")
    abandon(other)


def copy_is_one_moment(database: lsm.Database, filesystem: SimulatedFileSystem, _: object) -> None:
    """The checkpoint opens, after a power loss as well, and shows one moment."""
    ends_new(database, filesystem, None)
    other = reopened(filesystem.after_power_loss(), "/copy")
    found = checked_content(other)
    abandon(other)
    if found not in (OLD, NEW):
        raise WrongRecoveryError(f"the checkpoint shows {found}")


def is_two(database: lsm.Database, filesystem: SimulatedFileSystem, _: object) -> None:
    """Neither of two transactions has overwritten the other."""
    if database.get(b"number") != b"2":
        raise WrongRecoveryError(f"two additions give {database.get(b'number')!r}")


SHORT = [
    Pair(checkpoint, change_and_compact, copy_is_one_moment),
    Pair(write_batch, read_twice, ends_new),
    Pair(sync_in_background, write_beyond, ends_new),
    Pair(write_batch_synced, write_beyond, ends_new),
    Pair(add_one, add_one, is_two),
    Pair(add_one, flush_and_add_one, is_two),
]
"""The first has some hundred places."""
LONG = [
    Pair(read_twice, write_batch, is_one_moment),
    Pair(read_twice, change_and_compact, is_one_moment),
    Pair(scan_slowly, change_and_compact, is_one_moment),
    Pair(flush, change_and_flush, ends_new),
    Pair(compact, flush, ends_unchanged),
    Pair(compact, compact, ends_unchanged),
]
"""The first has many hundred places."""


def meetings(pairs: Sequence[Pair]) -> Callable[[Share], int]:
    """Return what puts a whole operation, in another thread, between any two steps of an operation."""

    def tried(share: Share) -> int:
        for pair in pairs:
            for number in range(1, MOST_PLACES):
                if share.takes():
                    what = f"{pair.second.__name__} meets {pair.first.__name__} at its place {number}"
                    with share.case(what):
                        if not _met(pair, number):
                            break
        return share.cases

    return tried


def meet(pair: Pair, places: Iterable[int]) -> None:
    """Let a pair meet at some places; raise `WrongRecoveryError` and whatever else goes wrong."""
    for number in places:
        _met(pair, number)


def _met(pair: Pair, number: int) -> bool:
    filesystem = SimulatedFileSystem()
    environment = WatchedEnvironment(filesystem)
    database = open_database(environment)
    seen: list[object] = []

    def second() -> None:
        found = pair.second(database)
        if found is not None:
            seen.append(found)

    meeting = Meeting(environment, second, number)
    with _abandoned(database):
        try:
            sys.setprofile(meeting)
            returned = pair.first(database)
        finally:
            sys.setprofile(None)
        reached = meeting.count >= number
        if not reached:
            return False
        meeting.finish()
        for found in seen:
            is_one_moment(database, filesystem, found)
        pair.check(database, filesystem, returned)
    return True


@contextmanager
def _abandoned(database: lsm.Database) -> Iterator[None]:
    try:
        yield
    finally:
        abandon(database)
