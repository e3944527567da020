"""An exception at each place where a signal handler may run: at the entry of every function, and after every call to C.

Places are counted by a profile function, so a run is exact and repeatable. The engine's own code is interrupted, not
that of the simulated disk, whose calls stand for system calls.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import pytest

import lsm
from tests.support.interruptions import Interrupter, Interruption
from tests.support.small import SMALL
from tests.support.worlds import World, content

SOAK = bool(os.environ.get("LAYERDB_SOAK"))


def put(database: lsm.Database) -> None:
    """Take the short cut of a lone writer."""
    database.put(b"a", b"new")


def write_synced(database: lsm.Database) -> None:
    """Write a batch with sync."""
    with database.write_batch(sync=True) as batch:
        batch.put(b"a", b"new")
        batch.delete_range(b"b", b"c")


def transact(database: lsm.Database) -> None:
    """Commit a transaction that uses everything."""
    with database.transaction() as transaction:
        transaction.get(b"a")
        transaction.put(b"a", b"new")
        transaction.delete(b"b")
        transaction.add(b"count", 1)
        transaction.append(b"log", b"entry")
        transaction.bump_epoch()


def write_after_rotation(database: lsm.Database) -> None:
    """Write when the memtable is full."""
    database.put(b"filler", b"x" * SMALL.active_memtable_bytes)
    database.put(b"a", b"new")


STRIDES = {"put": 1, "write_synced": 2, "transact": 5, "write_after_rotation": 2, "flush": 7, "compact": 13}
"""Every so many places are tried; all of them in the long tests."""
WORKS: list[Callable[[lsm.Database], None]] = [
    put,
    write_synced,
    transact,
    write_after_rotation,
    lsm.Database.flush,
    lsm.Database.compact,
]
BEFORE = {b"a": b"old", b"b": b"old", b"z": b"old"}
Outcome = tuple[dict[bytes, bytes], int, int, int]


def outcome(database: lsm.Database) -> Outcome:
    """Return everything that a work may change."""
    return content(database), database.counter(b"count"), len(list(database.log(b"log"))), database.epoch


def prepared(world: World) -> lsm.Database:
    """Return a database with a table, and entries in a log."""
    database = world.open()
    for key in (b"gone", *BEFORE):
        database.put(key, b"old")
    database.flush()
    database.delete(b"gone")
    database.put(b"b", b"old")
    return database


def states(work: Callable[[lsm.Database], None]) -> list[Outcome]:
    """Return what may be there before, in the middle of, and after the work, whose parts are atomic."""
    world = World()
    database = prepared(world)
    found = [outcome(database)]
    if work is write_after_rotation:
        database.put(b"filler", b"x" * SMALL.active_memtable_bytes)
        found.append(outcome(database))
    work(database)
    found.append(outcome(database))
    world.close()
    return found


def interrupted(world: World, work: Callable[[lsm.Database], None], number: int) -> tuple[lsm.Database, bool]:
    """Prepare a database and interrupt the work on it at a place; tell whether there was such a place."""
    database = prepared(world)
    interrupter = Interrupter(number)
    try:
        sys.setprofile(interrupter)
        work(database)
    except Interruption:
        return database, True
    finally:
        sys.setprofile(None)
    return database, interrupter.count >= number


def check(world: World, database: lsm.Database, allowed: list[Outcome]) -> None:
    """Check that the handle shows one of the states, goes on by itself, and loses nothing of what it shows."""
    shown = outcome(database)
    assert shown in allowed
    try:
        database.put(b"next", b"1")
    except lsm.SyncFailedError:  # a sync whose outcome nobody saw: only a new opening may say what is there
        database.close()
        assert outcome(world.open()) in allowed
        return
    after = outcome(database)
    assert after[0].pop(b"next") == b"1"
    assert after in allowed[allowed.index(shown) :]
    for survivor in (world.killed(), world):
        if survivor is world:
            database.compact()
            assert database.verify().ok
            database.close()
        reopened = survivor.open()
        again = outcome(reopened)
        assert again[0].pop(b"next") == b"1"
        assert again == after
        assert reopened.recovery.dropped_bytes == 0
        reopened.put(b"last", b"1", sync=True)


@pytest.mark.crash
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # also generators that end are places
@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.__name__)
def test_an_exception_anywhere_is_survived(
    work: Callable[[lsm.Database], None], record_property: Callable[[str, object], None]
) -> None:
    """The handle shows what was committed, recovers by itself, and another opening finds the same."""
    allowed = states(work)
    stride = 1 if SOAK else STRIDES[work.__name__]
    number = tried = 0
    while True:
        number += stride
        world = World()
        database, reached = interrupted(world, work, number)
        try:
            check(world, database, allowed)
        except Exception as error:
            raise AssertionError(f"interrupted at place {number}: {error!r}") from error
        finally:
            world.close()
        if not reached:
            break
        tried += 1
    record_property("places", tried)
    assert tried > 10
