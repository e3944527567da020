"""Lock files: one writer at a time, also between real processes, and nothing stays locked by accident."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import lsm
from lsm.directory_locks import check_nobody_writes, take_locks
from lsm.testing import Fault
from tests.support.worlds import PATH, World

HOLDER = """
import sys
import lsm
database = lsm.open(sys.argv[1])
database.put(b"from", b"the holder", sync=True)
print("ready", flush=True)
sys.stdin.readline()
database.close()
"""


@pytest.mark.parametrize("orderly", [True, False], ids=["closed", "killed"])
def test_another_process_is_named_and_its_end_frees_the_directory(tmp_path: Path, orderly: bool) -> None:
    """The error has the number of the process that holds the directory, for writers, readers and verification."""
    path = str(tmp_path / "data")
    command = [sys.executable, "-c", HOLDER, path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == "ready\n"
        for refused in (lambda: lsm.open(path), lambda: lsm.open(path, read_only=True), lambda: lsm.verify(path)):
            with pytest.raises(lsm.LockedError, match=f"already open in process {holder.pid}") as caught:
                refused()
            assert (caught.value.path, caught.value.process_id) == (path, holder.pid)
        if orderly:
            holder.stdin.write("\n")
            holder.stdin.flush()
        else:
            holder.kill()
        holder.wait()
    with lsm.open(path) as database:
        assert database[b"from"] == b"the holder"


def test_a_second_handle_in_this_process_is_refused(tmp_path: Path) -> None:
    """The real locks belong to open files, not to processes; a refused attempt harms nobody."""
    path = str(tmp_path / "data")
    with lsm.open(path) as database:
        for _ in range(2):
            with pytest.raises(lsm.LockedError, match="process"):
                lsm.open(path)
        database.put(b"a", b"1")
        with pytest.raises(lsm.LockedError):
            lsm.open(path)
    lsm.open(path).close()


@pytest.mark.parametrize("skip", range(12))
def test_nothing_stays_locked_after_a_failed_call(world: World, skip: int) -> None:
    """Whichever call of taking the locks fails, another handle can take them at once."""
    world.open().close()
    directory = world.filesystem.open_directory(PATH)
    world.filesystem.fail(Fault(skip=skip))
    try:
        held = take_locks(world.environment, directory)
    except lsm.StorageError:  # the error, and with it the frames that failed, lives while the next attempt is made
        world.filesystem.heal()
        take_locks(world.environment, directory).close()
    else:
        assert skip > 6
        held.close()


@pytest.mark.parametrize("text", [b"", b"not a number", b"-5", b"\xff\xfe"])
def test_the_content_of_presence_is_only_for_messages(world: World, text: bytes) -> None:
    """Whatever stands in it, the lock counts, and the error is typed."""
    world.open()
    presence = world.filesystem.open_directory(PATH).open("PRESENCE", "write")
    presence.truncate(0)
    if text:
        presence.write_at(0, text)
    with pytest.raises(lsm.LockedError, match="already open in another handle") as caught:
        world.open()

    assert caught.value.process_id is None


def test_asking_takes_no_lock(world: World) -> None:
    """A reader that looked does not keep a writer out."""
    world.open().close()
    directory = world.filesystem.open_directory(PATH)
    check_nobody_writes(directory)
    held = take_locks(world.environment, directory)
    with pytest.raises(lsm.LockedError):
        check_nobody_writes(directory)
    held.close()
    check_nobody_writes(directory)


def test_opening_holds_lock_and_lets_go_of_it(world: World) -> None:
    """LOCK is for the opening, PRESENCE for the life of the handle."""
    directory = world.filesystem.open_directory("/")
    world.filesystem.create_directory(PATH)
    directory = world.filesystem.open_directory(PATH)
    held = take_locks(world.environment, directory)
    lock, presence = (directory.open(name, "write") for name in ("LOCK", "PRESENCE"))
    assert (lock.try_lock(exclusive=True), presence.try_lock(exclusive=True)) == (False, False)
    held.opened()
    assert (lock.try_lock(exclusive=True), presence.try_lock(exclusive=True)) == (True, False)
    held.close()
    held.close()
    assert presence.try_lock(exclusive=True)
