"""Opening, closing and checkpoints, interrupted at every place: locks are given back, and nothing is lost."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable

import pytest

import lsm
from tests.support.interruptions import Interrupter, Interruption
from tests.support.worlds import World, content

SOAK = bool(os.environ.get("LAYERDB_SOAK"))
STRIDES = {"opening": 11, "closing": 3, "making a checkpoint": 3}
"""Every so many places are tried; all of them in the long tests."""
WRITTEN = {b"in a table": b"1", b"in a log": b"2", b"not synced": b"3"}


def prepared(world: World) -> lsm.Database:
    """Return a database with a table and a log."""
    database = world.open()
    database.put(b"in a table", b"1")
    database.flush()
    database.put(b"in a log", b"2", sync=True)
    database.put(b"not synced", b"3")
    return database


def interrupted(work: Callable[[], object], number: int) -> bool:
    """Interrupt the work at a place; tell whether there was such a place."""
    interrupter = Interrupter(number)
    try:
        sys.setprofile(interrupter)
        work()
    except Interruption:
        return True
    finally:
        sys.setprofile(None)
    return interrupter.count >= number


def try_everywhere(name: str, attempt: Callable[[World, int], bool]) -> int:
    """Make the attempt in a new world with one place after the other; return how many there were."""
    tried = number = 0
    while True:
        number += 1 if SOAK else STRIDES[name]
        world = World()
        try:
            reached = attempt(world, number)
        except Exception as error:
            raise AssertionError(f"{name}, interrupted at place {number}: {error!r}") from error
        finally:
            world.close()
        if not reached:
            return tried
        tried += 1


@pytest.mark.crash
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_opening(record_property: Callable[[str, object], None]) -> None:
    """The same process can open the directory at once, and finds everything."""

    def attempt(world: World, number: int) -> bool:
        prepared(world)
        after = world.killed()
        reached = interrupted(after.open, number)
        gc.collect()
        if not reached:
            return False
        database = after.open()
        assert content(database) == WRITTEN
        assert database.verify().ok
        database.put(b"next", b"1", sync=True)
        database.close()
        assert content(after.without_power().open()) == {**WRITTEN, b"next": b"1"}
        return True

    tried = try_everywhere("opening", attempt)
    record_property("places", tried)
    assert tried > 20


@pytest.mark.crash
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_closing(record_property: Callable[[str, object], None]) -> None:
    """Closing again finishes it; then the directory is free, and everything is there."""

    def attempt(world: World, number: int) -> bool:
        database = prepared(world)
        reached = interrupted(database.close, number)
        database.close()
        assert database.closed
        assert content(world.open()) == WRITTEN
        return reached

    tried = try_everywhere("closing", attempt)
    record_property("places", tried)
    assert tried > 10


@pytest.mark.crash
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_making_a_checkpoint(record_property: Callable[[str, object], None]) -> None:
    """It is there as a whole or not at all, and the database goes on."""

    def attempt(world: World, number: int) -> bool:
        database = prepared(world)
        reached = interrupted(lambda: database.checkpoint("/copy"), number)
        if "copy" in world.names("/"):
            assert content(world.open(path="/copy")) == WRITTEN
        else:
            database.checkpoint("/copy")
        database.put(b"next", b"1")
        database.compact()
        assert content(database) == {**WRITTEN, b"next": b"1"}
        return reached

    tried = try_everywhere("making a checkpoint", attempt)
    record_property("places", tried)
    assert tried > 10
