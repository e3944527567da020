"""Exceptions in the middle of commits: the handle recovers by itself, and nobody reads what was not committed."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

import lsm
from lsm.apply import apply_batch
from lsm.commit import durability as durability_module
from lsm.commit import pipeline as pipeline_module
from lsm.commit.request import Request
from lsm.memtable import Memtable
from tests.support.interruptions import Interruption, Once, after, before, interrupt_write, tricky_log
from tests.support.worlds import World, content

OLD = {b"a": b"old", b"b": b"old"}
NEW = {b"a": b"new", b"b": b"new"}


def batch_of(entries: dict[bytes, bytes]) -> lsm.WriteBatch:
    """Return a batch that puts all entries."""
    batch = lsm.WriteBatch()
    batch.update(entries)
    return batch


def write_batch(database: lsm.Database) -> None:
    """Write the new state by a batch."""
    database.write(batch_of(NEW))


def write_synced(database: lsm.Database) -> None:
    """Write the new state by a batch with sync."""
    database.write(batch_of(NEW), sync=True)


def write_transaction(database: lsm.Database) -> None:
    """Write the new state by a transaction that has read."""
    transaction = database.transaction()
    transaction.get(b"a")
    for key, value in NEW.items():
        transaction.put(key, value)
    transaction.commit()


Place = Callable[[pytest.MonkeyPatch, lsm.Database], Once]


def patched(target: object, name: str, how: Callable[[Callable[..., object], Once], object]) -> Place:
    """Interrupt a function of the engine."""

    def place(monkeypatch: pytest.MonkeyPatch, database: lsm.Database) -> Once:
        once = Once()
        monkeypatch.setattr(target, name, how(getattr(target, name), once))
        return once

    return place


def in_sync(monkeypatch: pytest.MonkeyPatch, database: lsm.Database) -> Once:
    """Interrupt right after the sync of the log has succeeded."""
    tricky, once = tricky_log(database), Once()
    setattr(tricky, "sync", after(tricky.sync, once))  # noqa: B010  # the attribute is the file's
    return once


def in_half_an_apply(monkeypatch: pytest.MonkeyPatch, database: lsm.Database) -> Once:
    """Interrupt when one of two entries is in the memtable."""
    once = Once()

    def apply_half(memtable: Memtable, batch: lsm.WriteBatch, first_sequence: int) -> None:
        if not once.fired and memtable is database._core.view[0].active:
            memtable.apply(batch.keys[:1], batch.values[:1], first_sequence)
            once()
        memtable.apply(batch.keys, batch.values, first_sequence)

    monkeypatch.setattr(pipeline_module, "apply_batch", apply_half)
    return once


BEFORE_THE_END_OF_THE_APPEND: dict[str, Place] = {
    "while encoding": patched(pipeline_module, "encode_batch", before),
    "before the append": lambda _, database: interrupt_write(database, 0),
    "in the middle of the append": lambda _, database: interrupt_write(database, 0.6),
}
BEHIND_THE_APPEND: dict[str, Place] = {
    "after the append": lambda _, database: interrupt_write(database, 1),
    "in the apply": in_half_an_apply,
    "after the apply": patched(pipeline_module, "apply_batch", after),
    "after the swap": patched(Request, "done", before),
}


@pytest.mark.parametrize("write", [write_batch, write_synced, write_transaction])
@pytest.mark.parametrize("place", [*BEFORE_THE_END_OF_THE_APPEND, *BEHIND_THE_APPEND])
def test_an_interrupted_commit_is_there_whole_or_not_at_all(
    world: World, monkeypatch: pytest.MonkeyPatch, place: str, write: Callable[[lsm.Database], None]
) -> None:
    """The log decides; until the next write the old state is shown, unless the new one was already."""
    database = world.open()
    database.write(batch_of(OLD))
    early = place in BEFORE_THE_END_OF_THE_APPEND
    once = (BEFORE_THE_END_OF_THE_APPEND if early else BEHIND_THE_APPEND)[place](monkeypatch, database)
    with pytest.raises(Interruption):
        write(database)
    assert once.fired
    shown = NEW if place == "after the swap" else OLD
    assert content(database) == shown
    assert [database.get(key) for key in OLD] == list(shown.values())

    snapshot = database.snapshot()
    database.put(b"next", b"1")

    assert content(database) == {**(OLD if early else NEW), b"next": b"1"}
    assert content(snapshot) == shown
    assert database.verify().ok
    after_kill = world.killed().open()
    assert content(after_kill) == content(database)
    assert after_kill.recovery.dropped_bytes == 0


@pytest.mark.parametrize("share", [0, 0.5, 1])
def test_an_interrupted_single_put(world: World, share: float) -> None:
    """The short cut for lone writers obeys the same rules."""
    database = world.open()
    database.put(b"a", b"old")
    interrupt_write(database, share)
    with pytest.raises(Interruption):
        database.put(b"a", b"new")
    assert database.get(b"a") == b"old"

    database.put(b"next", b"1")
    assert database.get(b"a") == (b"new" if share == 1 else b"old")
    assert content(world.killed().open()) == content(database)


def test_a_put_that_was_applied_and_not_published(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The entry is in the memtable, and no reader sees it before the log was asked."""
    database = world.open()
    database.put(b"a", b"old")
    once = Once()
    monkeypatch.setattr(Memtable, "put", after(Memtable.put, once))
    with pytest.raises(Interruption):
        database.put(b"a", b"new")
    assert (database.get(b"a"), content(database)) == (b"old", {b"a": b"old"})

    database.delete(b"next")
    assert database.get(b"a") == b"new"


def test_a_sync_that_was_interrupted_after_its_success(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The outcome is known, so nothing is poisoned; the commit is there, and durable."""
    database = world.open()
    in_sync(monkeypatch, database)
    with pytest.raises(Interruption):
        database.write(batch_of(NEW), sync=True)
    assert content(database) == {}
    database.put(b"next", b"1")

    assert content(database) == {**NEW, b"next": b"1"}
    assert set(NEW) <= set(content(world.without_power().open()))


def test_an_interruption_while_finishing_is_finished_later(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the recovery of the handle may be interrupted, any number of times."""
    database = world.open()
    database.write(batch_of(OLD))
    interrupt_write(database, 1)
    with pytest.raises(Interruption):
        database.write(batch_of(NEW))
    for skip in range(3):
        monkeypatch.undo()
        once = Once(skip)
        monkeypatch.setattr("lsm.commit.unfinished.apply_batch", before(apply_batch, once))
        if skip < 2:
            with pytest.raises(Interruption):
                database.put(b"next", b"1")
            assert content(database) == OLD
        else:
            database.put(b"next", b"2")
    assert content(database) == {**NEW, b"next": b"2"}


def test_reads_of_a_snapshot_survive_the_recovery_of_the_handle(world: World) -> None:
    """The memtable that was thrown away stays as it was for whoever reads it."""
    database = world.open()
    database.write(batch_of(OLD))
    snapshot, scan = database.snapshot(), database.scan()
    interrupt_write(database, 1)
    with pytest.raises(Interruption):
        database.write(batch_of(NEW))
    database.put(b"next", b"1")
    database.flush()
    database.compact()

    assert content(snapshot) == OLD
    assert dict(scan) == OLD


def test_a_transaction_is_validated_against_what_was_interrupted(world: World) -> None:
    """A commit that the log has is a commit, though its author never heard of it."""
    database = world.open()
    database.write(batch_of(OLD))
    transaction = database.transaction()
    transaction.get(b"a")
    transaction.put(b"mine", b"1")
    interrupt_write(database, 1)
    with pytest.raises(Interruption):
        database.write(batch_of(NEW))
    with pytest.raises(lsm.ConflictError) as caught:
        transaction.commit()

    assert caught.value.keys == (b"a",)


def test_an_interrupted_transaction_has_ended(world: World) -> None:
    """It cannot be committed twice."""
    database = world.open()
    transaction = database.transaction()
    transaction.put(b"a", b"1")
    interrupt_write(database, 1)
    with pytest.raises(Interruption):
        transaction.commit()
    with pytest.raises(lsm.TransactionError, match="ended by the error of its commit"):
        transaction.commit()
    database.put(b"b", b"2")

    assert content(database) == {b"a": b"1", b"b": b"2"}


def test_the_epoch_survives_an_interruption(world: World) -> None:
    """It is counted once if the commit is in the log."""
    database = world.open()
    before_it = database.snapshot()
    interrupt_write(database, 1)
    with pytest.raises(Interruption):
        database.run(lambda transaction: transaction.bump_epoch())
    assert database.epoch == 0
    database.put(b"next", b"1")

    assert (database.epoch, before_it.epoch) == (1, 0)


def test_closing_finishes_what_was_interrupted(world: World) -> None:
    """Without any write in between."""
    database = world.open()
    interrupt_write(database, 1)
    with pytest.raises(Interruption):
        database.write(batch_of(NEW))
    database.close()

    assert content(world.open()) == NEW


def test_flushing_finishes_what_was_interrupted(world: World) -> None:
    """The table has what the log has."""
    database = world.open()
    interrupt_write(database, 1)
    with pytest.raises(Interruption):
        database.write(batch_of(NEW))
    database.flush()

    assert content(database) == NEW
    assert sum(level.entries for level in database.stats().levels) == 2


# Followers.


class Writers:
    """Threads that write, all of them waiting in the queue before the first one may lead."""

    def __init__(self, database: lsm.Database, writes: list[Callable[[], object]]) -> None:
        self._database = database
        self.errors: list[BaseException | None] = [None] * len(writes)
        self._threads = [threading.Thread(target=self._run, args=(place, write)) for place, write in enumerate(writes)]

    def run(self) -> None:
        """Start them one after the other, let them go when all are queued, and wait for their end."""
        queue = self._database._pipeline._queue
        with self._database._core.mutex:
            for count, thread in enumerate(self._threads, 1):
                thread.start()
                while len(queue) < count:
                    threading.Event().wait(0.001)
        for thread in self._threads:
            thread.join()

    def _run(self, place: int, write: Callable[[], object]) -> None:
        try:
            write()
        except BaseException as error:  # noqa: BLE001  # the test asks which
            self.errors[place] = error


@pytest.mark.parametrize("place", [*BEFORE_THE_END_OF_THE_APPEND, *BEHIND_THE_APPEND])
def test_followers_are_served_when_their_leader_dies(world: World, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """Exactly one thread gets the exception; every other one succeeds, and each write is made exactly once."""
    database = world.open()
    once = {**BEFORE_THE_END_OF_THE_APPEND, **BEHIND_THE_APPEND}[place](monkeypatch, database)
    numbers: list[int] = []
    writes: list[Callable[[], object]] = [
        lambda: database.write(batch_of({b"w0": b"0", b"x0": b"0"})),
        lambda: database.write(batch_of({b"w1": b"1", b"x1": b"1"}), sync=True),
        lambda: numbers.append(database.allocate(b"ids", 10)),
        lambda: database.run(lambda transaction: transaction.add(b"count", 1)),
        lambda: database.write(batch_of({b"w2": b"2", b"x2": b"2"})),
    ]
    writers = Writers(database, writes)
    writers.run()
    assert once.fired
    dead = [place for place, error in enumerate(writers.errors) if error is not None]
    assert len(dead) == 1
    assert isinstance(writers.errors[dead[0]], Interruption)
    durable = content(world.without_power().open())
    assert {durable.get(b"w1"), durable.get(b"x1")} == {b"1"} or 1 in dead
    database.put(b"next", b"1")

    found = content(database)
    for number, writer in ((0, 0), (1, 1), (2, 4)):
        halves = {found.get(b"w%d" % number), found.get(b"x%d" % number)}
        assert halves == {b"%d" % number} or (writer in dead and halves == {None})
    assert database.counter(b"count") == 1 or 3 in dead
    assert database.allocate(b"ids") == 11 or 2 in dead
    assert numbers in ([1], [])
    after_kill = world.killed().open()
    assert (content(after_kill), after_kill.counter(b"count")) == (found, database.counter(b"count"))


def test_a_waiting_thread_that_goes_away_is_not_written(world: World) -> None:
    """A follower that was interrupted before a leader took its request leaves nothing behind, and blocks nobody."""
    database = world.open()
    request = Request(batch_of({b"ghost": b"1"}), None, sync=False, size_bytes=6)
    request.abandoned = True
    database._pipeline._queue.append(request)
    database.put(b"a", b"1")
    database.put(b"b", b"2")

    assert content(database) == {b"a": b"1", b"b": b"2"}
    assert database._pipeline._queue == []


def test_finishing_makes_all_before_it_durable_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A follower that asked for a sync is answered by whoever finishes: older logs and new names count as well."""
    database = world.open()
    database.put(b"first", b"1")
    database._pipeline.seal()
    once = Once()
    monkeypatch.setattr(durability_module, "_sync_all", before(durability_module._sync_all, once))
    with pytest.raises(Interruption):
        write_synced(database)
    database.put(b"next", b"1")

    assert content(world.without_power().open()) == {b"first": b"1", **NEW}
