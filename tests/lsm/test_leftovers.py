"""Leftovers: only what nothing names goes, and nothing of anybody else."""

from __future__ import annotations

import pytest

from lsm.leftovers import remove_leftovers
from lsm.testing import Fault
from tests.support.worlds import PATH, World, content

OURS = ["000900.sst", "000901.wal", "MANIFEST-000902", "CURRENT.tmp"]
OTHERS = ["letter.txt", "12.sst", "000900.sst.bak", "MANIFEST-1", "CURRENT.old", "manifest-000902"]


def filled(world: World) -> dict[bytes, bytes]:
    """Make a database with a few files."""
    database = world.open()
    for number in range(40):
        database.put(b"%02d" % number, b"v")
        if number in {20, 38}:
            database.flush()
    written = content(database)
    database.close()
    return written


def test_what_nothing_names_is_removed(world: World) -> None:
    """Tables, logs, manifests and the temporary CURRENT; never what is spelt otherwise, nor what is needed."""
    written = filled(world)
    needed = set(world.names())
    for name in (*OURS, *OTHERS):
        world.replace(name, b"x")
    database = world.open()

    assert database.recovery.files_removed == tuple(sorted(OURS))
    assert set(world.names()) >= {*OTHERS, *needed}
    assert not set(OURS) & set(world.names())
    assert content(database) == written


def test_a_file_that_is_being_written_stays(world: World) -> None:
    """Its writer holds a lock on it."""
    filled(world)
    for name in OURS:
        world.replace(name, b"x")
    held = world.filesystem.open_directory(PATH).open("000900.sst", "read")
    assert held.try_lock(exclusive=True)
    database = world.open()

    assert "000900.sst" in world.names()
    assert database.recovery.files_removed == tuple(sorted(set(OURS) - {"000900.sst"}))
    held.close()
    database.close()
    assert world.open().recovery.files_removed == ("000900.sst",)


@pytest.mark.parametrize("operation", ["unlink", "open", "lock"])
def test_what_cannot_be_removed_is_tried_again(world: World, operation: str) -> None:
    """It is no reason to fail."""
    filled(world)
    world.replace("000900.sst", b"x")
    world.filesystem.fail(Fault(operation=operation, name="000900.sst"))
    database = world.open()
    assert database.recovery.files_removed == ()
    assert remove_leftovers(database._core, database._parts.installer.manifest) == ("000900.sst",)


def test_a_running_database_has_none(world: World) -> None:
    """Whatever it has done: everything in the directory is named."""
    database = world.open()
    for number in range(300):
        database.put(b"%03d" % number, b"v" * 40)
    database.compact()
    database.delete_range(b"000", b"200")
    database.compact()
    before = world.names()

    assert remove_leftovers(database._core, database._parts.installer.manifest) == ()
    assert world.names() == before
