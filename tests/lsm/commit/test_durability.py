"""Syncs: what they promise, in which order they come, and that a failed one stops all writes until recovery."""

from __future__ import annotations

import dataclasses
import errno
import threading
from collections.abc import Callable

import pytest

import lsm
from lsm.shared_page import SharedPage
from lsm.testing import Call, Fault
from lsm.write_ahead_log.reader import LogReader
from tests.support.logs import put_batch
from tests.support.small import SMALL
from tests.support.worlds import World, content


def test_a_write_without_sync_makes_one_call(world: World) -> None:
    """A lone put is one write, however durable the ones before are."""
    database = world.open()
    database.put(b"a", b"1", sync=True)
    with world.counting() as counts:
        database.put(b"b", b"2")

    assert {name: count for name, count in counts.items() if " " not in name} == {"write": 1}


def test_a_write_with_sync_is_durable_when_it_returns(world: World) -> None:
    """Together with all before it, never without them."""
    database = world.open()
    for number in range(5):
        database.put(b"%d" % number, b"v", sync=number == 3)

    assert set(content(world.without_power().open())) >= {b"0", b"1", b"2", b"3"}


@pytest.mark.parametrize(
    "write",
    [
        lambda database: database.put(b"a", b"1"),
        lambda database: database.delete(b"b"),
        lambda database: database.delete_range(b"b", b"c"),
        lambda database: database.write(put_batch(b"a")),
        lambda database: database.run(lambda transaction: transaction.put(b"a", b"1")),
        lambda database: database.allocate(b"ids"),
    ],
)
def test_the_option_makes_every_write_durable(world: World, write: Callable[[lsm.Database], object]) -> None:
    """And a write may still decide for itself."""
    database = world.open(dataclasses.replace(SMALL, sync=True))
    with world.counting() as counts:
        write(database)
    assert counts["sync wal"] == 1
    with world.counting() as counts:
        database.put(b"lazy", b"1", sync=False)
        database.write(put_batch(b"lazy"), sync=False)

    assert counts["sync"] == 0


def test_an_explicit_sync_covers_all_before_it(world: World) -> None:
    """Once; a second one has nothing to do."""
    database = world.open()
    database.put(b"a", b"1")
    database.put(b"b", b"2")
    with world.counting() as counts:
        database.sync()
        database.sync()

    assert counts["sync wal"] == 1
    assert database.stats().durable == database.stats().live_log
    assert content(world.without_power().open()) == {b"a": b"1", b"b": b"2"}


def test_the_next_frame_promises_what_is_durable(world: World) -> None:
    """So that its loss can be told from a torn end."""
    database = world.open()
    database.put(b"a", b"1", sync=True)
    log = database._core.live_log
    durable = (log.number, log.end)
    database.put(b"b", b"2")
    *_, last = LogReader(log.file).frames()

    assert (last.header.durable_log, last.header.durable_offset) == durable == database.stats().durable


def test_closing_makes_all_durable_and_says_so(world: World) -> None:
    """The last frame is empty and promises everything before it."""
    database = world.open()
    database.put(b"a", b"1")
    log = database._core.live_log
    end = log.end
    file = world.filesystem.open_directory("/data").open(world.logs()[-1], "read")
    database.close()
    *_, last = LogReader(file).frames()

    assert (last.header.entry_count, last.header.durable_log, last.header.durable_offset) == (0, log.number, end)
    assert content(world.without_power().open()) == {b"a": b"1"}


def test_the_interval_syncs_in_the_background(world: World) -> None:
    """Without anybody asking."""
    database = world.open(dataclasses.replace(SMALL, maintenance=True, sync_interval_milliseconds=1))
    database.put(b"a", b"1")
    state = database._core
    for _ in range(2000):
        with state.changed:
            state.changed.wait(0.005)
        if database.stats().durable == database.stats().live_log:
            break

    assert content(world.without_power().open()) == {b"a": b"1"}


# A failed sync.


def fail_sync(database: lsm.Database) -> None:
    """Try to write something with sync."""
    with pytest.raises(lsm.SyncFailedError) as caught:
        database.put(b"doubtful", b"1", sync=True)
    assert caught.value.path.endswith((".wal", "/data"))


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_a_failed_sync_stops_all_writes_and_no_reads(world: World, error: int) -> None:
    """Whatever its errno; also when syncs work again; the doubtful write is not shown."""
    database = world.open()
    database.put(b"a", b"1")
    database.flush()
    database.put(b"b", b"2")
    world.filesystem.fail(Fault(operation="sync", name="*.wal", error=error))
    fail_sync(database)
    writes: list[Callable[[], object]] = [
        lambda: database.put(b"c", b"3"),
        lambda: database.put(b"c", b"3", sync=True),
        lambda: database.delete(b"a"),
        lambda: database.write(put_batch(b"c")),
        lambda: database.run(lambda transaction: transaction.put(b"c", b"3")),
        lambda: database.allocate(b"ids"),
        database.sync,
        database.flush,
        database.compact,
    ]
    with world.counting() as counts:
        for write in writes:
            with pytest.raises(lsm.SyncFailedError, match="an earlier sync failed"):
                write()
    assert (counts["write"], counts["sync"]) == (0, 0)
    assert content(database) == {b"a": b"1", b"b": b"2"}
    assert database.get(b"b") == b"2"
    assert content(database.snapshot()) == {b"a": b"1", b"b": b"2"}
    assert database.stats().poisoned is not None
    page = database._core.page
    assert page is not None
    assert page.poisoned


@pytest.mark.parametrize("how", ["closed", "killed"])
def test_after_a_failed_sync_everything_is_saved_into_tables(world: World, how: str) -> None:
    """What the cache still shows may be lost to the disk for good, so it goes into new files before anybody sees it."""
    database = world.open()
    database.put(b"a", b"1")
    world.filesystem.fail(Fault(operation="sync", name="*.wal"))
    fail_sync(database)
    world.filesystem.heal()
    if how == "closed":
        database.close()
        after = world
    else:
        after = world.killed()
    reopened = after.open()
    found = content(reopened)

    assert found.items() >= {b"a": b"1"}.items()
    assert reopened.recovery.interrupted
    assert sum(level.entries for level in reopened.stats().levels) == len(found)
    assert content(after.without_power().open()) == found
    reopened.put(b"goes on", b"1", sync=True)
    assert content(after.without_power().open()) == {**found, b"goes on": b"1"}


def test_a_failed_sync_of_an_older_log_is_no_less(world: World) -> None:
    """A prefix must be durable, so the logs before are synced first; the live log is not even asked then."""
    database = world.open(dataclasses.replace(SMALL, sealed_memtable_limit=10))
    while len(database._core.unsynced) < 2:
        database.put(b"%06d" % database.stats().last_sequence, b"v" * 50)
    names = [log.file.path.rpartition("/")[2] for log in (*database._core.unsynced, database._core.live_log)]
    calls: list[Call] = []
    world.filesystem.fail(Fault(operation="sync", name=names[1]))
    world.filesystem.observe(calls.append)
    fail_sync(database)
    world.filesystem.observe(None)
    synced = [call.path.rpartition("/")[2] for call in calls if call.operation == "sync"]

    assert synced == names[:2]


def test_a_failed_sync_of_the_directory_is_no_less(world: World) -> None:
    """The name of a new log is needed as much as its content."""
    database = world.open()
    while not database._core.names_unsynced:
        database.put(b"%06d" % database.stats().last_sequence, b"v" * 50)
    world.filesystem.fail(Fault(operation="sync_directory"))
    fail_sync(database)
    with pytest.raises(lsm.SyncFailedError):
        database.put(b"c", b"3")


def test_a_failed_sync_asked_for_by_sync_poisons_as_well(world: World) -> None:
    """Not only that of a commit."""
    database = world.open()
    database.put(b"a", b"1")
    world.filesystem.fail(Fault(operation="sync", name="*.wal"))
    with pytest.raises(lsm.SyncFailedError):
        database.sync()
    with pytest.raises(lsm.SyncFailedError):
        database.put(b"b", b"2")
    assert content(database) == {b"a": b"1"}


def test_a_failed_sync_at_closing_is_told_and_the_handle_is_closed(world: World) -> None:
    """And the directory is free."""
    database = world.open()
    database.put(b"a", b"1")
    world.filesystem.fail(Fault(operation="sync", name="*.wal"))
    with pytest.raises(lsm.SyncFailedError):
        database.close()
    assert database.closed
    database.close()

    assert content(world.open()) == {b"a": b"1"}


def test_a_log_without_a_name_acknowledges_nothing(world: World) -> None:
    """Somebody removed it: a sync would succeed, and the data would be gone with the handle."""
    database = world.open()
    database.put(b"a", b"1", sync=True)
    world.remove(world.logs()[-1])
    with pytest.raises(lsm.SyncFailedError, match="removed by somebody else"):
        database.put(b"b", b"2", sync=True)
    with pytest.raises(lsm.SyncFailedError):
        database.put(b"c", b"3")


def test_the_mark_says_that_a_sync_is_under_way(world: World) -> None:
    """A process that dies in a sync may have taken its error with it: the next one must not trust the log."""
    database = world.open()
    database.put(b"a", b"1")
    page = database._core.page
    assert page is not None
    marks: dict[str, bool] = {}
    after: list[World] = []

    def look(call: Call) -> None:
        if call.operation == "sync":
            marks["during"] = page.dirty
            after.append(world.killed())

    world.filesystem.observe(look)
    database.sync()
    world.filesystem.observe(None)
    marks["after"] = page.dirty

    assert marks == {"during": True, "after": False}
    reopened = after[0].open()
    assert reopened.recovery.interrupted
    assert sum(level.entries for level in reopened.stats().levels) == 1
    assert not world.killed().open().recovery.interrupted


def test_marks_of_another_boot_do_not_count(world: World) -> None:
    """A power loss has dropped the pages in doubt, so what is read then is what the disk has."""
    database = world.open()
    database.put(b"a", b"1", sync=True)
    world.filesystem.fail(Fault(operation="sync", name="*.wal"))
    fail_sync(database)

    assert not world.without_power().open().recovery.interrupted


def test_a_sync_that_cannot_begin_is_no_failed_sync(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the mark cannot be stored, the commit is undone, and writing goes on when it can."""
    database = world.open()

    def refuse(_: SharedPage) -> None:
        raise lsm.DiskFullError("SHARED", "store", errno.ENOSPC, "no space left")

    with monkeypatch.context() as patch:
        patch.setattr(SharedPage, "set_dirty", refuse)
        with pytest.raises(lsm.DiskFullError, match="not committed"):
            database.put(b"a", b"1", sync=True)
    assert not content(world.killed().open())
    database.put(b"b", b"2", sync=True)

    assert content(world.without_power().open()) == {b"b": b"2"}
    assert database.stats().poisoned is None


def test_of_two_syncs_of_a_file_none_believes_the_other_ones_error(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel tells one of them that pages are gone, and the other one OK: the second must not ask."""
    database = world.open()
    database.put(b"a", b"1")
    file = database._core.live_log.file
    begun, go = threading.Event(), threading.Event()
    answers = iter([lsm.StorageError(file.path, "sync", errno.EIO, "lost"), None])

    def sync(_: object) -> None:
        answer = next(answers)
        begun.set()
        go.wait()
        if answer is not None:
            raise answer

    monkeypatch.setattr(type(file), "sync", sync)
    errors: list[BaseException] = []

    def run(work: Callable[[], object]) -> threading.Thread:
        def catch() -> None:
            try:
                work()
            except lsm.Error as error:
                errors.append(error)

        thread = threading.Thread(target=catch)
        thread.start()
        return thread

    threads = [run(database.sync)]
    begun.wait()
    threads.append(run(lambda: database.put(b"b", b"2", sync=True)))
    while not database._core.mutex.locked():
        go.wait(0.001)
    go.set()
    for thread in threads:
        thread.join()

    assert [type(error) for error in errors] == [lsm.SyncFailedError] * 2
