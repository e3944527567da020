"""Closing waits for work that is under way, so that nothing touches the directory once its lock is free."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import lsm
from lsm import maintenance as maintenance_module
from lsm.commit.pipeline import CommitPipeline
from lsm.testing import Fault
from tests.support.worlds import World, content


@pytest.mark.parametrize(("work", "step"), [("flush", "flush_sealed"), ("compact", "run_job")])
def test_closing_waits_for_the_work_of_other_threads(
    world: World, monkeypatch: pytest.MonkeyPatch, work: str, step: str
) -> None:
    """The lock is given back only after the last call of the work, which ends well or with `ClosedError`."""
    database = world.open()
    for start in (0, 50):
        for number in range(start, start + 100):
            database.put(b"%03d" % number, b"v" * 30)
        database.flush()
    database.put(b"last", b"1")
    written = content(database)
    in_the_middle, go_on = threading.Event(), threading.Event()
    errors: list[BaseException] = []
    original: Callable[..., object] = getattr(maintenance_module, step)

    def held(*arguments: object, **named: object) -> object:
        in_the_middle.set()
        go_on.wait()
        return original(*arguments, **named)

    def do() -> None:
        try:
            getattr(database, work)()
        except lsm.Error as error:
            errors.append(error)

    monkeypatch.setattr(maintenance_module, step, held)
    worker, closer = threading.Thread(target=do), threading.Thread(target=database.close)
    worker.start()
    in_the_middle.wait()
    closer.start()
    closer.join(0.2)
    try:
        assert closer.is_alive()
        with pytest.raises(lsm.LockedError):
            world.open()
    finally:
        go_on.set()
        closer.join()
        worker.join()

    assert [type(error) for error in errors] in ([], [lsm.ClosedError])
    assert content(world.open()) == written


def test_closing_from_two_threads(world: World) -> None:
    """Both return, and the directory is free."""
    database = world.open()
    database.put(b"a", b"1")
    threads = [threading.Thread(target=database.close) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert content(world.open()) == {b"a": b"1"}


@pytest.mark.parametrize("work", ["flush", "compact"])
def test_work_that_comes_too_late_is_refused(world: World, monkeypatch: pytest.MonkeyPatch, work: str) -> None:
    """Also if it had passed its first check before the handle was closed."""
    database = world.open()
    database.put(b"a", b"1")
    seal = CommitPipeline.seal

    def seal_and_close(self: CommitPipeline) -> None:
        seal(self)
        database.close()

    monkeypatch.setattr(CommitPipeline, "seal", seal_and_close)
    with pytest.raises(lsm.ClosedError):
        getattr(database, work)()
    monkeypatch.undo()

    assert content(world.open()) == {b"a": b"1"}


def test_closing_gives_back_every_descriptor(tmp_path: Path) -> None:
    """Also while somebody still names the handle, such as a traceback: so the file system can be unmounted."""
    database = lsm.open(tmp_path / "data")
    database.put(b"in a table", b"1")
    database.flush()
    database.put(b"in a log", b"1")
    database.close()

    links = [Path(link) for link in Path("/proc/self/fd").iterdir()]
    names = [link.readlink() for link in links if link.is_symlink()]
    assert [name for name in names if name.is_relative_to(tmp_path)] == []
    with pytest.raises(lsm.ClosedError):
        database.get(b"in a table")


def test_closing_on_a_full_disk_makes_everything_durable(world: World) -> None:
    """A new log cannot be made, but no new log is needed: what was acknowledged is synced, and closing succeeds."""
    database = world.open()
    database.put(b"first", b"1")
    world.filesystem.fail(Fault(operation="write", error=errno.ENOSPC, times=None))
    with pytest.raises(lsm.DiskFullError):
        database.flush()
    database.close()

    assert content(world.without_power().open()) == {b"first": b"1"}
