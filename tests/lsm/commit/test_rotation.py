"""Rotation: memtable and log change hands together, and an attempt that failed never lets the old log grow."""

from __future__ import annotations

import dataclasses
import errno
import importlib
from collections.abc import Callable

import pytest

import lsm
from lsm.core import Core
from lsm.history import HistoryLink
from lsm.state import State
from lsm.testing import Fault
from lsm.write_ahead_log.header import parse_log_header
from tests.support.interruptions import Interruption, Once, after, before
from tests.support.small import SMALL
from tests.support.worlds import World, content

Step = tuple[object, str, Callable[[Callable[..., object], Once], object]]

STEPS: dict[str, Step] = {
    "before the file": ("lsm.commit.rotation.create_log", "", before),
    "after the file": ("lsm.commit.rotation.create_log", "", after),
    "before the memtable": (Core, "new_memtable", before),
    "before the history": (HistoryLink, "extended", before),
    "after the history": (HistoryLink, "extended", after),
    "before the state": (State, "rotated", before),
    "after the state": (State, "rotated", after),
    "before the page": (Core, "publish_locked", before),
    "before the news": (Core, "notify", before),
}


def fill(database: lsm.Database, start: int = 0) -> dict[bytes, bytes]:
    """Write until the active memtable is full; return what was written."""
    number, state = start, database._core.view[0]
    written = {}
    while database._core.view[0].active.size_bytes < SMALL.active_memtable_bytes:
        assert database._core.view[0].active is state.active
        written[b"%06d" % number] = b"v" * 50
        database.put(b"%06d" % number, b"v" * 50)
        number += 1
    return written


def test_a_full_memtable_is_sealed_by_the_next_write(world: World) -> None:
    """The header of the new log says where the old one ends, with its sequence and its entries."""
    database = world.open()
    written = fill(database)
    old = database._core.live_log
    database.put(b"next", b"1")
    header = parse_log_header(world.read(world.logs()[-1]), "x")
    state = database._core.view[0]

    assert (header.predecessor_number, header.predecessor_identity) == (old.number, old.identity)
    assert (header.predecessor_end, header.predecessor_entry_count) == (old.end, len(written))
    assert header.predecessor_last_sequence == old.last_sequence == len(written)
    assert not header.predecessor_durable
    assert [memtable.log_number for memtable in (state.active, *state.sealed)] == [header.number, old.number, 1]
    assert content(database) == {**written, b"next": b"1"}


def test_a_durable_predecessor_is_promised(world: World) -> None:
    """So that its absence can be told from a crash."""
    database = world.open()
    fill(database)
    database.sync()
    database.put(b"next", b"1")

    assert parse_log_header(world.read(world.logs()[-1]), "x").predecessor_durable


def test_a_sync_after_a_rotation_covers_both_logs_and_their_names(world: World) -> None:
    """A prefix of the commits is durable, whichever log they are in."""
    database = world.open()
    written = fill(database)
    with world.counting() as counts:
        database.put(b"next", b"1", sync=True)
    assert (counts["sync wal"], counts["sync_directory"]) == (2, 1)
    with world.counting() as counts:
        database.put(b"more", b"1", sync=True)
    assert (counts["sync wal"], counts["sync_directory"]) == (1, 0)

    assert content(world.without_power().open()) == {**written, b"next": b"1", b"more": b"1"}


def test_a_batch_larger_than_a_memtable_gets_a_log_of_its_own(world: World) -> None:
    """What was in the memtable before stays small and is sealed, and so is the large one."""
    database = world.open()
    database.put(b"before", b"1")
    large = lsm.WriteBatch()
    large.update({b"%06d" % number: b"v" * 90 for number in range(60)})
    database.write(large)
    database.put(b"after", b"1")
    state = database._core.view[0]

    assert [memtable.entry_count for memtable in (state.active, *state.sealed)][:3] == [1, 60, 1]
    assert content(world.killed().open()) == content(database)
    assert len(content(database)) == 62


def test_a_large_value_by_itself(world: World) -> None:
    """The short cut for single writes leaves large values to the batches."""
    database = world.open()
    database.put(b"before", b"1")
    database.put(b"large", bytes(200_000))
    database.put(b"after", b"1")

    assert [memtable.entry_count for memtable in database._core.view[0].sealed][:2] == [1, 1]
    assert content(world.killed().open()) == {b"before": b"1", b"large": bytes(200_000), b"after": b"1"}


@pytest.mark.parametrize("operation", ["open", "write"])
def test_a_failed_rotation_is_tried_again(world: World, operation: str) -> None:
    """The write that needed it is refused, and the old log does not grow meanwhile; with space again it goes on."""
    database = world.open()
    written = fill(database)
    old = world.logs()[-1]
    size = len(world.read(old))
    world.filesystem.fail(Fault(operation=operation, name=f"?????[!{old[5]}].wal", error=errno.ENOSPC, times=None))
    for _ in range(3):
        with pytest.raises(lsm.DiskFullError):
            database.put(b"refused", b"1")
        with pytest.raises(lsm.DiskFullError):
            database.write(batch(b"refused"), sync=True)
        assert len(world.read(old)) == size
        assert content(database) == written
    world.filesystem.heal()
    database.put(b"accepted", b"1")

    assert len(world.read(old)) == size
    assert content(database) == {**written, b"accepted": b"1"}
    assert content(world.killed().open()) == content(database)


def batch(key: bytes) -> lsm.WriteBatch:
    """Return a batch with one put."""
    made = lsm.WriteBatch()
    made.put(key, b"1")
    return made


def interrupt(monkeypatch: pytest.MonkeyPatch, step: str) -> Once:
    """Interrupt the next rotation at a step."""
    target, name, how = STEPS[step]
    once = Once()
    if isinstance(target, str):
        module, _, name = target.rpartition(".")
        monkeypatch.setattr(target, how(getattr(importlib.import_module(module), name), once))
    else:
        monkeypatch.setattr(target, name, how(getattr(target, name), once))
    return once


@pytest.mark.parametrize("step", STEPS)
def test_an_interrupted_rotation_is_done_again(world: World, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Whatever was left, the old log has one successor that counts, and nothing is lost, flushed or not."""
    database = world.open()
    written = fill(database)
    old = world.logs()[-1]
    size = len(world.read(old))
    once = interrupt(monkeypatch, step)
    with pytest.raises(Interruption):
        database.put(b"interrupted", b"1")
    assert once.fired
    assert content(database) == written
    for number in range(3):
        written[b"later %d" % number] = b"1"
        database.put(b"later %d" % number, b"1", sync=number == 1)
    assert len(world.read(old)) == size
    assert content(world.killed().open()) == written

    assert database._parts.maintenance.flush_sealed()
    assert content(world.killed().open()) == written
    database.flush()
    database.put(b"last", b"1", sync=True)
    written[b"last"] = b"1"
    assert content(database) == written
    assert content(world.killed().open()) == written
    after_loss = world.without_power().open()
    assert content(after_loss) == written
    assert after_loss.recovery.dropped_bytes == 0
    assert database.verify().ok


@pytest.mark.parametrize("step", STEPS)
def test_a_log_that_may_have_a_successor_never_grows(world: World, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Also when its memtable is not full: what is written after the interruption goes behind the successor."""
    database = world.open()
    database.put(b"before", b"1")
    interrupt(monkeypatch, step)
    with pytest.raises(Interruption):
        database.flush()
    database.put(b"after", b"1")
    database.put(b"synced", b"1", sync=True)

    assert set(content(world.killed().open())) == {b"before", b"after", b"synced"}
    assert set(content(world.without_power().open())) == {b"before", b"after", b"synced"}


def test_a_failed_rotation_of_a_flush_stops_writes_until_it_succeeds(world: World) -> None:
    """A part of the successor may be on the disk."""
    database = world.open()
    database.put(b"before", b"1")
    old = world.logs()[-1]
    size = len(world.read(old))
    world.filesystem.fail(Fault(operation="write", name=f"?????[!{old[5]}].wal", error=errno.ENOSPC, times=2))
    with pytest.raises(lsm.DiskFullError):
        database.flush()
    with pytest.raises(lsm.DiskFullError):
        database.put(b"refused", b"1")
    database.put(b"after", b"1")

    assert len(world.read(old)) == size
    assert content(database) == content(world.killed().open()) == {b"before": b"1", b"after": b"1"}


@pytest.mark.parametrize("step", STEPS)
def test_a_checkpoint_after_an_interrupted_rotation(world: World, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """It has what the database shows, though a log that was given up may lie beside the others."""
    database = world.open()
    written = fill(database)
    interrupt(monkeypatch, step)
    with pytest.raises(Interruption):
        database.put(b"interrupted", b"1")
    database.checkpoint("/first")
    database.put(b"more", b"1")
    database.checkpoint("/second")

    assert content(world.open(path="/first")) == written
    assert content(world.open(path="/second")) == {**written, b"more": b"1"}


def test_many_rotations_keep_the_chain(world: World) -> None:
    """Every log continues the one before, across handles."""
    options = dataclasses.replace(SMALL, sealed_memtable_limit=50)
    written: dict[bytes, bytes] = {}
    for _ in range(3):
        database = world.open(options)
        for _ in range(4):
            written.update(fill(database, len(written)))
            database.put(b"%06d" % len(written), b"v")
            written[b"%06d" % len(written)] = b"v"
        database.close()

    assert content(world.open(options)) == written
