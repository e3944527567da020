"""The report of an opening: what it says is what happened."""

import dataclasses

import lsm
from lsm.recovery_report import RecoveryReport
from lsm.testing import Fault
from tests.support.small import SMALL
from tests.support.worlds import World, content


def test_a_new_database_was_created(world: World) -> None:
    """And nothing else is said."""
    report = world.open().recovery

    assert report == RecoveryReport(created=True)
    assert str(report) == "created"


def test_what_was_replayed_is_counted(world: World) -> None:
    """Commits and changes, and the logs that had any."""
    database = world.open()
    database.put(b"a", b"1")
    database.write_batch()
    with database.write_batch() as batch:
        batch.put(b"b", b"2")
        batch.delete(b"a")
    report = world.killed().open().recovery

    assert (report.frames, report.entries, report.last_sequence) == (2, 3, 3)
    assert report.logs == tuple(world.logs()[-1:])
    assert (report.created, report.interrupted, report.dropped_at, report.salvaged) == (False, False, None, False)
    assert str(report).startswith("2 commits (3 changes) replayed from 1 logs")


def test_a_dropped_tail_is_told_with_its_place(world: World) -> None:
    """File, offset, bytes and the reason."""
    database = world.open()
    database.put(b"a", b"1")
    after = world.killed()
    name = after.logs()[-1]
    whole = after.read(name)
    after.replace(name, whole + b"torn")
    report = after.open().recovery

    assert (report.dropped_bytes, report.dropped_at) == (4, (name, len(whole)))
    assert report.dropped_reason == "no valid frame header"
    assert f"4 bytes dropped at {name}:{len(whole)} (no valid frame header)" in str(report)


def test_a_salvaged_database_says_so(world: World) -> None:
    """Only with the option, and only when something promised was lost."""
    database = world.open()
    for number in range(4):
        database.put(b"%d" % number, b"v", sync=True)
    database.close()
    name = world.logs()[-1]
    damaged = bytearray(world.read(name))
    damaged[len(damaged) // 2] ^= 1
    world.replace(name, bytes(damaged))
    database = world.open(dataclasses.replace(SMALL, recovery="salvage"))

    assert database.recovery.salvaged
    assert content(database) == {b"%d" % number: b"v" for number in range(database.recovery.frames)}
    assert 0 < database.recovery.frames < 4


def test_files_that_nothing_names_are_told(world: World) -> None:
    """Their names, and their number in the text."""
    world.open().close()
    world.replace("000077.sst", b"left by a flush")
    report = world.open().recovery

    assert report.files_removed == ("000077.sst",)
    assert "; 1 unused files removed" in str(report)


def test_a_failed_sync_is_an_interruption(world: World) -> None:
    """Everything replayed was written to tables at once."""
    database = world.open()
    database.put(b"a", b"1")
    world.filesystem.fail(Fault(operation="sync", name="*.wal"))
    try:
        database.put(b"b", b"2", sync=True)
    except lsm.SyncFailedError:
        database.close()
    world.filesystem.heal()
    report = world.open().recovery

    assert report.interrupted


def test_a_report_is_plain_data(world: World) -> None:
    """For JSON and logs."""
    report = world.open().recovery

    assert report.as_dict()["created"] is True
    assert set(report.as_dict()) == {field.name for field in dataclasses.fields(RecoveryReport)}
