"""Maintenance: in the background or by the writers themselves, with errors that are told and heal."""

from __future__ import annotations

import dataclasses
import errno
import threading
from collections.abc import Callable

import pytest

import lsm
from lsm.maintenance import Maintenance
from lsm.testing import Fault
from tests.support.small import SMALL
from tests.support.worlds import World, content

BACKGROUND = dataclasses.replace(SMALL, maintenance=True, level0_slow_tables=4, level0_stop_tables=6)


def wait_until(database: lsm.Database, condition: Callable[[], bool]) -> None:
    """Wait until background work has brought something about."""
    for _ in range(4000):
        if condition():
            return
        with database._core.changed:
            database._core.changed.wait(0.005)
    pytest.fail("background work did not do it")


def fill(database: lsm.Database, count: int, start: int = 0) -> dict[bytes, bytes]:
    """Write many entries; return them."""
    written = {b"%06d" % number: b"v" * 60 for number in range(start, start + count)}
    for key, value in written.items():
        database.put(key, value)
    return written


def test_everything_happens_by_itself(world: World) -> None:
    """Sealed memtables are flushed, tables compacted, files removed, while writes go on."""
    database = world.open(BACKGROUND)
    written = fill(database, 1500)
    wait_until(database, lambda: database.stats().sealed_memtables == 0 and database.stats().levels[0].tables <= 2)
    stats = database.stats()

    assert stats.flushes > 3
    assert stats.compactions + stats.trivial_moves > 0
    assert stats.flushed_bytes > 0
    assert content(database) == written
    database.close()
    assert content(world.open()) == written


def test_without_maintenance_the_writers_do_it(world: World) -> None:
    """No thread runs, nothing grows beyond its limit, and stalls are counted with their reason."""
    threads = threading.active_count()
    database = world.open(dataclasses.replace(SMALL, level0_slow_tables=3, level0_stop_tables=4))
    assert threading.active_count() == threads
    written = fill(database, 600)
    stats = database.stats()

    assert stats.sealed_memtables <= SMALL.sealed_memtable_limit + 1
    assert stats.levels[0].tables <= 4
    assert stats.stalls["memtables wait to be flushed"] > 0
    assert stats.compactions + stats.trivial_moves > 0
    assert stats.stall_seconds > 0
    assert stats.flushes > 0
    assert content(database) == written


def test_a_stalled_writer_is_woken_by_the_flush(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writers stop while memtables wait, and go on by themselves when there is room."""
    go = threading.Event()
    flush = Maintenance.flush_sealed

    def held(self: Maintenance) -> bool:
        go.wait()
        return flush(self)

    monkeypatch.setattr(Maintenance, "flush_sealed", held)
    database = world.open(BACKGROUND)
    written: dict[bytes, bytes] = {}
    writer = threading.Thread(target=lambda: written.update(fill(database, 400)))
    writer.start()
    wait_until(database, lambda: database._core.stall_reason() is not None)
    for _ in range(20):
        with database._core.changed:
            database._core.changed.wait(0.002)
    stuck = database.stats().last_sequence
    assert stuck < 400
    assert database.stats().sealed_memtables <= 3
    assert database.get(b"000000") == b"v" * 60
    go.set()
    writer.join()

    assert content(database) == written
    assert database.stats().stalls["memtables wait to be flushed"] >= 1


def test_level_0_slows_writers_down(world: World) -> None:
    """Before it stops them."""
    options = dataclasses.replace(SMALL, memtable_bytes=1 << 20, level0_slow_tables=2, level0_stop_tables=50)
    database = world.open(options)
    for number in range(3):
        database.put(b"%d" % number, b"v")
        database.flush()
    assert database.stats().levels[0].tables == 3
    assert not database.stats().stalls
    fill(database, 1000)

    assert set(database.stats().stalls) == {"level 0 is long"}


def test_closing_ends_stalls(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that waits gets an error instead of waiting for ever."""
    monkeypatch.setattr(Maintenance, "flush_sealed", lambda _: False)
    monkeypatch.setattr(Maintenance, "relieve", lambda _: None)
    database = world.open(BACKGROUND)
    errors: list[BaseException] = []

    def write() -> None:
        try:
            fill(database, 400)
        except lsm.Error as error:
            errors.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    wait_until(database, lambda: database._core.stall_reason() is not None)
    database.close()
    writer.join()

    assert isinstance(errors[0], lsm.ClosedError)


@pytest.mark.parametrize(
    ("error", "kind"), [(errno.ENOSPC, lsm.DiskFullError), (errno.EIO, lsm.BackgroundError)], ids=["full", "broken"]
)
def test_an_error_in_the_background_is_told_and_heals(world: World, error: int, kind: type[lsm.Error]) -> None:
    """The next writer hears of it, once, with the cause; stats show it until the work has succeeded."""
    database = world.open(BACKGROUND)
    world.filesystem.fail(Fault(operation="write", name="*.sst", error=error, times=None))
    database.put(b"first", b"1")
    database._pipeline.seal()
    wait_until(database, lambda: database.stats().background_error is not None)
    with pytest.raises(kind) as caught:
        database.put(b"told", b"1")
    assert isinstance(caught.value.__cause__, lsm.StorageError)
    assert "background" in str(caught.value)
    assert database.get(b"first") == b"1"
    assert database.stats().background_error is not None
    world.filesystem.heal()
    wait_until(database, lambda: database.stats().background_error is None)
    database.put(b"after", b"1")

    assert database.stats().flushes >= 1
    assert content(database).keys() >= {b"first", b"after"}
    assert content(world.killed().open()) == content(database)


def test_a_stall_ends_with_the_error_of_the_background(world: World) -> None:
    """While the disk is full, writers that have no room are refused instead of waiting for ever; then all goes on."""
    database = world.open(BACKGROUND)
    world.filesystem.fail(Fault(operation="write", name="*.sst", error=errno.ENOSPC, times=None))
    written: dict[bytes, bytes] = {}
    refused = 0
    for number in range(300):
        try:
            database.put(b"%06d" % number, b"v" * 60)
        except lsm.DiskFullError:
            refused += 1
            if refused == 4:
                break
        else:
            written[b"%06d" % number] = b"v" * 60
    assert refused == 4
    assert content(database) == written
    world.filesystem.heal()
    wait_until(database, lambda: database.stats().background_error is None)
    written.update(fill(database, 100, start=1000))

    assert content(database) == written


def test_errors_of_a_flush_asked_for_come_at_once(world: World) -> None:
    """As they are, not as news from the background."""
    database = world.open()
    database.put(b"a", b"1")
    world.filesystem.fail(Fault(operation="write", name="*.sst", error=errno.EIO))
    with pytest.raises(lsm.StorageError, match="write failed"):
        database.flush()
    database.flush()

    assert content(database) == {b"a": b"1"}


def test_an_idle_handle_writes_its_promise(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a synced write nothing says so in the log; when nobody writes any more, an empty frame does."""
    monkeypatch.setattr("lsm.maintenance._TICK_SECONDS", 0.01)
    database = world.open(dataclasses.replace(SMALL, maintenance=True))
    database.put(b"a", b"1", sync=True)
    durable = database.stats().durable
    wait_until(database, lambda: database.stats().live_log > durable)
    end = database.stats().live_log
    for _ in range(3):
        database.sync()
        for _ in range(10):
            with database._core.changed:
                database._core.changed.wait(0.01)

    assert database.stats().live_log == end
    assert database.stats().durable == end
    assert database.stats().last_sequence == 1
    damaged = world.killed()
    name = damaged.logs()[-1]
    whole = bytearray(damaged.read(name))
    whole[100] ^= 1
    damaged.replace(name, bytes(whole))
    with pytest.raises(lsm.CorruptionError, match="durable beyond"):
        damaged.open()


def test_progress_and_cancelling_of_a_compaction(world: World) -> None:
    """Progress only grows and ends complete; a cancelled one loses nothing and leaves no files."""
    database = world.open()
    written = fill(database, 600)
    database.flush()
    steps: list[tuple[int, int]] = []
    database.compact(progress=lambda done, total: steps.append((done, total)))
    assert steps[-1][0] == steps[-1][1] > 0
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)
    assert sum(level.tables > 0 for level in database.stats().levels) == 1
    written.update(fill(database, 600, start=300))
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > 2

    database.compact(cancelled=cancelled)
    assert asked > 2
    assert content(database) == written
    assert len(world.tables()) == sum(level.tables for level in database.stats().levels)
    database.compact()
    assert content(database) == written


def test_compacting_a_range_leaves_the_rest(world: World) -> None:
    """Deleted entries of the range are gone, others are not touched."""
    database = world.open()
    written = fill(database, 300)
    database.flush()
    database.delete_range(b"000100", b"000200")
    for number in range(100, 200):
        del written[b"%06d" % number]
    database.compact(b"000100", b"000200")
    assert content(database) == written
    database.compact()

    assert sum(level.entries for level in database.stats().levels) == len(written)
    assert sum(level.tombstones for level in database.stats().levels) == 0
