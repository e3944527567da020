"""Closing waits for work that is under way, so that nothing touches the directory once its lock is free."""

from __future__ import annotations

import threading

import pytest

import lsm
from lsm.commit.pipeline import CommitPipeline
from lsm.testing import Call
from tests.support.worlds import World, content


@pytest.mark.parametrize("work", ["flush", "compact"])
def test_closing_waits_for_the_work_of_other_threads(world: World, work: str) -> None:
    """The lock is given back only after the last call of the work, which ends well or with `ClosedError`."""
    database = world.open()
    for number in range(200):
        database.put(b"%03d" % number, b"v" * 30)
    written = content(database)
    in_the_middle, go_on = threading.Event(), threading.Event()
    errors: list[BaseException] = []
    late: list[Call] = []
    ended = threading.Event()

    def hold(call: Call) -> None:
        if ended.is_set():
            late.append(call)
        if call.operation == "open" and call.path.endswith(".sst") and not in_the_middle.is_set():
            in_the_middle.set()
            go_on.wait()

    def do() -> None:
        try:
            getattr(database, work)()
        except lsm.Error as error:
            errors.append(error)

    def close() -> None:
        database.close()
        ended.set()

    worker, closer = threading.Thread(target=do), threading.Thread(target=close)
    database._pipeline.seal()
    world.filesystem.observe(hold)
    worker.start()
    in_the_middle.wait()
    closer.start()
    go_on.set()
    closer.join()
    worker.join()
    world.filesystem.observe(None)

    assert late == []
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
