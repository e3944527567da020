"""The commit queue: threads share one write and one sync, order is kept, and failures are told for what they are."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from functools import partial

import pytest

import lsm
from lsm.testing import Call, Fault
from lsm.write_ahead_log.reader import LogReader
from tests.support.logs import put_batch
from tests.support.worlds import World, content

THREADS = 8


def wait_until(condition: Callable[[], bool]) -> None:
    """Give other threads time until something holds."""
    while not condition():
        threading.Event().wait(0.001)


def run_queued(database: lsm.Database, works: list[Callable[[], object]]) -> None:
    """Run works in threads, so that all their requests are in the queue before the first of them may lead."""
    queue = database._pipeline._queue
    with database._core.mutex:
        threads = start_all(works)
        wait_until(lambda: len(queue) == len(works))
    for thread in threads:
        thread.join()


def start_all(works: list[Callable[[], object]]) -> list[threading.Thread]:
    """Start a thread for each piece of work."""
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    return threads


# Groups.


def test_threads_share_syncs(world: World) -> None:
    """While one thread syncs, all others queue up; then one of them writes and syncs for all."""
    database = world.open()
    database.put(b"warm", b"up", sync=True)
    syncs: list[str] = []
    queue = database._pipeline._queue

    def hold_the_first_sync(call: Call) -> None:
        if call.operation == "sync" and call.path.endswith(".wal"):
            syncs.append(call.path)
            if len(syncs) == 1:
                wait_until(lambda: len(queue) == THREADS)

    world.filesystem.observe(hold_the_first_sync)
    keys = [b"%d" % number for number in range(THREADS)]
    threads = start_all([partial(database.put, key, b"v", sync=True) for key in keys])
    for thread in threads:
        thread.join()
    world.filesystem.observe(None)

    assert len(syncs) == 2
    assert set(content(world.without_power().open())) == {b"warm", *keys}


def test_a_group_is_one_write_of_many_frames(world: World) -> None:
    """Each member keeps a frame, and so its atomicity, of its own."""
    database = world.open()
    batches = [put_batch(b"%d a" % number, b"%d b" % number) for number in range(THREADS)]
    with world.counting() as counts:
        run_queued(database, [partial(database.write, batch) for batch in batches])
    log = database._core.live_log
    frames = list(LogReader(log.file).frames())

    assert (counts["write wal"], counts["sync wal"]) == (1, 0)
    assert [frame.batch.keys[0][:1] == frame.batch.keys[1][:1] for frame in frames] == [True] * THREADS
    assert len(content(database)) == 2 * THREADS
    assert log.end == frames[-1].end


def test_one_member_that_wants_a_sync_is_enough(world: World) -> None:
    """The others get it for nothing, and are durable as well."""
    database = world.open()
    with world.counting() as counts:
        run_queued(
            database, [lambda: database.write(put_batch(b"a")), lambda: database.write(put_batch(b"b"), sync=True)]
        )

    assert counts["sync wal"] == 1
    assert set(content(world.without_power().open())) == {b"a", b"b"}


def test_a_large_group_is_split(world: World) -> None:
    """No writer waits for more than about a mebibyte of others."""
    database = world.open(lsm.Options(maintenance=False))
    with world.counting() as counts:
        run_queued(database, [partial(database.put, b"%d" % number, bytes(400_000)) for number in range(5)])

    assert counts["write wal"] == 3
    assert len(content(database)) == 5


def test_every_write_is_visible_to_all_when_its_call_returns(world: World) -> None:
    """And the sequence of what one thread sees never goes back."""
    database = world.open(lsm.Options(maintenance=False))
    wrong: list[str] = []
    stop = threading.Event()

    def write(name: bytes) -> None:
        for number in range(150):
            database.put(name, b"%d" % number)
            if database.get(name) != b"%d" % number:
                wrong.append(f"{name!r} does not show {number}")

    def watch() -> None:
        last = {b"a": -1, b"b": -1, b"c": -1}
        while not stop.is_set():
            with database.snapshot() as snapshot:
                for name, before in last.items():
                    number = int(snapshot.get(name, b"-1"))
                    if number < before:
                        wrong.append(f"{name!r} went back")
                    last[name] = number

    watcher = start_all([watch])
    for thread in start_all([partial(write, name) for name in (b"a", b"b", b"c")]):
        thread.join()
    stop.set()
    watcher[0].join()

    assert wrong == []
    assert content(world.killed().open(database.options)) == dict.fromkeys((b"a", b"b", b"c"), b"149")


def test_commits_return_ascending_sequences(world: World) -> None:
    """The number of the last change of each."""
    database = world.open()
    with database.transaction() as transaction:
        transaction.put(b"a", b"1")
        transaction.put(b"b", b"1")
        assert transaction.commit() == 2
    database.write(put_batch(b"c", b"d"))
    transaction = database.transaction()
    transaction.put(b"e", b"1")

    assert transaction.commit() == 5
    assert database.stats().last_sequence == 5


def test_an_empty_batch_writes_nothing(world: World) -> None:
    """Not even a frame."""
    database = world.open()
    with world.counting() as counts:
        database.write(lsm.WriteBatch(), sync=True)
        with database.write_batch():
            pass
        database.delete_range(b"b", b"a")

    assert not counts


def test_a_batch_that_is_left_by_an_exception_is_not_written(world: World) -> None:
    """The block of a `with` statement is all or nothing."""
    database = world.open()
    with pytest.raises(RuntimeError), database.write_batch() as batch:
        batch.put(b"a", b"1")
        raise RuntimeError

    assert content(database) == {}


def test_a_batch_may_be_written_again(world: World) -> None:
    """It is not used up."""
    database = world.open()
    batch = put_batch(b"a")
    database.write(batch)
    database.delete(b"a")
    database.write(batch)

    assert content(database) == {b"a": b"v"}


# Failures.


@pytest.mark.parametrize("sync", [False, True])
@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
def test_a_failed_append_is_cut_back(world: World, sync: bool, error: int) -> None:
    """The message says that nothing was committed; a part that was written is gone; the next write succeeds."""
    database = world.open()
    database.put(b"a", b"1")
    name = world.logs()[-1]
    before = world.read(name)
    world.filesystem.fail(Fault(short_bytes=10))
    world.filesystem.fail(Fault(operation="write", name="*.wal", error=error))
    with pytest.raises(lsm.DiskFullError if error == errno.ENOSPC else lsm.StorageError, match="not committed"):
        database.put(b"refused", b"1", sync=sync)

    assert world.read(name) == before
    assert content(database) == {b"a": b"1"}
    database.put(b"b", b"2", sync=sync)
    assert content(database) == content(world.killed().open()) == {b"a": b"1", b"b": b"2"}


def test_a_full_disk_refuses_until_there_is_space(world: World) -> None:
    """Every write is refused, every read answered; then all goes on without reopening."""
    database = world.open()
    database.put(b"a", b"1", sync=True)
    world.filesystem.fail(Fault(operation="write", error=errno.ENOSPC, times=None))
    for write in (
        lambda: database.put(b"b", b"2"),
        lambda: database.put(b"b", b"2", sync=True),
        lambda: database.run(lambda transaction: transaction.put(b"b", b"2")),
        lambda: database.allocate(b"ids"),
    ):
        with pytest.raises(lsm.DiskFullError) as caught:
            write()
        assert caught.value.retryable
        assert content(database) == {b"a": b"1"}
    world.filesystem.heal()
    database.put(b"b", b"2", sync=True)

    assert content(world.without_power().open()) == {b"a": b"1", b"b": b"2"}
    assert database.allocate(b"ids") == 1


def test_an_append_that_cannot_be_cut_back_is_of_unknown_outcome(world: World) -> None:
    """Both errors are told; the next write that gets through decides by what is in the log."""
    database = world.open()
    database.put(b"a", b"1")
    world.filesystem.fail(Fault(short_bytes=10))
    world.filesystem.fail(Fault(operation="write", name="*.wal", error=errno.ENOSPC))
    world.filesystem.fail(Fault(operation="truncate", name="*.wal", times=None))
    with pytest.raises(lsm.CommitOutcomeUnknownError, match="could not be undone"):
        database.put(b"half", b"1")
    with pytest.raises(lsm.StorageError):
        database.put(b"refused", b"1")
    assert content(database) == {b"a": b"1"}
    assert content(world.killed().open()) == {b"a": b"1"}
    world.filesystem.heal()
    database.put(b"b", b"2")

    assert content(database) == content(world.killed().open()) == {b"a": b"1", b"b": b"2"}


def test_every_member_of_a_group_hears_of_a_failure(world: World) -> None:
    """Each gets an error of its own, and none is committed."""
    database = world.open()
    errors: list[lsm.Error] = []

    def write(number: int) -> None:
        try:
            database.write(put_batch(b"%d" % number))
        except lsm.Error as error:
            errors.append(error)

    world.filesystem.fail(Fault(operation="write", name="*.wal"))
    run_queued(database, [partial(write, number) for number in range(4)])

    assert len({id(error) for error in errors}) == 4
    assert all(isinstance(error, lsm.StorageError) and "not committed" in str(error) for error in errors)
    assert content(database) == {}


def test_one_refused_member_does_not_hurt_the_group(world: World) -> None:
    """A conflict, a counter that overflows: the others are committed."""
    database = world.open()
    database.put(b"a", b"1")
    loser = database.transaction()
    loser.get(b"a")
    loser.put(b"loser", b"1")
    database.put(b"a", b"2")
    overflow = database.transaction()
    overflow.add(b"count", 1 << 62)
    overflow.add(b"count", 1 << 62)
    errors: list[lsm.Error] = []

    def attempt(work: Callable[[], object]) -> None:
        try:
            work()
        except lsm.Error as error:
            errors.append(error)

    works: list[Callable[[], object]] = [
        lambda: attempt(loser.commit),
        lambda: database.write(put_batch(b"winner")),
        lambda: attempt(overflow.commit),
        lambda: database.allocate(b"ids"),
    ]
    run_queued(database, works)

    assert sorted(type(error).__name__ for error in errors) == ["ConflictError", "InvalidArgumentError"]
    assert content(database) == {b"a": b"2", b"winner": b"v"}
    assert (database.counter(b"count"), database.allocate(b"ids")) == (0, 2)


def test_members_of_a_group_are_validated_against_each_other(world: World) -> None:
    """Two transactions that read the same and write in one group: the second is refused, as if it had come later."""
    database = world.open()
    database.put(b"a", b"0")
    errors: list[lsm.ConflictError] = []

    def increment() -> None:
        transaction = database.transaction()
        transaction.put(b"a", b"%d" % (int(transaction.get(b"a") or b"0") + 1))
        try:
            transaction.commit()
        except lsm.ConflictError as error:
            errors.append(error)

    run_queued(database, [increment, increment, increment])

    assert len(errors) == 2
    assert database.get(b"a") == b"1"


def test_allocations_in_one_group_never_give_the_same(world: World) -> None:
    """Each sees what the members before it will write."""
    database = world.open()
    given: list[int] = []
    run_queued(database, [lambda: given.append(database.allocate(b"ids", 10))] * 5)

    assert sorted(given) == [1, 11, 21, 31, 41]
