"""What a repair promises beside the data: refusals, nothing half done, sequences that go on, a bounded report."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import suppress

import pytest

import lsm
from lsm.manifest import _checked
from lsm.repair.report import LISTED_LOSSES, Findings
from lsm.testing import Fault, SimulatedEnvironment
from tests.support.damage import OPTIONS, PATH, disk_of, files_of, made, pieces
from tests.support.small import SMALL
from tests.support.worlds import World, content

NEW = "/new"


@pytest.fixture
def world() -> Iterator[World]:
    """Return a simulated machine."""
    world = World()
    yield world
    world.close()


def _fill(database: lsm.Database, count: int = 30) -> None:
    for number in range(count):
        database.put(b"%02d" % number, b"v%d" % number, sync=True)


def _repair(world: World, **arguments: object) -> lsm.RepairReport:
    return lsm.repair(PATH, NEW, SMALL, environment=world.environment, **arguments)  # type: ignore[arg-type]


def test_a_sound_database_comes_out_as_it_is(world: World) -> None:
    """Nothing is lost, the number of levels stays, counters, logs and sequences go on."""
    options = lsm.Options(level_count=5, maintenance=False)
    with world.open(options) as database:
        _fill(database)
        database.flush()
        with database.transaction() as transaction:
            transaction.add(b"visits", 3)
            transaction.append(b"feed", b"first")
        number = database.allocate(b"ids", 4)
    report = _repair(world)
    with lsm.open(NEW, lsm.Options(level_count=5), environment=world.environment) as database:
        with database.transaction() as transaction:
            transaction.append(b"feed", b"second")
            transaction.add(b"visits", 1)
        with database.snapshot() as snapshot:
            assert [value for _, value in snapshot.log(b"feed")] == [b"first", b"second"]
            assert snapshot.counter(b"visits") == 4
        assert database.allocate(b"ids", 1) >= number + 4
        assert len(content(database)) == 30

    assert report.ok
    assert (report.path, report.target, report.tables, report.notes) == (PATH, NEW, 1, ())
    assert str(report).endswith("nothing lost")


def test_refusals(world: World) -> None:
    """A live writer, a target that is not empty or inside, a directory without a database, a wrong word."""
    with world.open() as database:
        _fill(database, 3)
        with pytest.raises(lsm.LockedError):
            _repair(world)
    before = files_of(world.filesystem)
    for target in (PATH, PATH + "/inside"):
        with pytest.raises(lsm.InvalidArgumentError, match="inside"):
            lsm.repair(PATH, target, SMALL, environment=world.environment)
    world.filesystem.create_directory(NEW)
    world.filesystem.open_directory(NEW).open("file", "create").close()
    with pytest.raises(lsm.InvalidArgumentError, match="not empty"):
        _repair(world)
    with pytest.raises(lsm.NotADatabaseError):
        lsm.repair(NEW, "/other", SMALL, environment=world.environment)
    with pytest.raises(lsm.NotADatabaseError):
        lsm.repair("/nowhere", "/other", SMALL, environment=world.environment)
    with pytest.raises(lsm.InvalidArgumentError, match="older_values"):
        _repair(world, older_values="all")
    assert files_of(world.filesystem) == before


def test_an_empty_target_is_taken(world: World) -> None:
    """A directory that was made for it is as good as none."""
    with world.open() as database:
        _fill(database, 3)
    world.filesystem.create_directory(NEW)

    assert _repair(world).ok
    with world.open(path=NEW) as database:
        assert len(content(database)) == 3


@pytest.mark.parametrize("operation", ["write", "open", "sync", "sync_directory", "rename*"])
def test_a_failed_repair_leaves_nothing(world: World, operation: str) -> None:
    """A full disk or a failing call ends in a typed error; neither target nor temporary directory is there."""
    with world.open() as database:
        _fill(database)
        database.flush()
    for skip in range(3):
        world.filesystem.fail(Fault(operation=operation, skip=skip, error=errno.ENOSPC))
        with suppress(lsm.StorageError):
            _repair(world)
            assert operation == "rename*"  # there are two of them
            break
        world.filesystem.heal()
        assert [name for name in world.names("/") if name.startswith("new")] == []


def test_a_hole_in_the_log_loses_its_commits_only() -> None:
    """Later commits are applied on top, and the report counts exactly the changes that are missing."""
    sample = made(closed=True)
    frames = [piece for piece in pieces(sample.files) if piece[0] == "000028.wal"]
    whole = lsm.repair(PATH, NEW, OPTIONS, environment=SimulatedEnvironment(disk_of(sample.files)))
    assert len(frames) > 8
    for name, offset, size in frames[:-1]:
        data = sample.files[name]
        damaged = data[: offset + size - 1] + bytes((data[offset + size - 1] ^ 1,)) + data[offset + size :]
        environment = SimulatedEnvironment(disk_of({**sample.files, name: damaged}))
        report = lsm.repair(PATH, NEW, OPTIONS, environment=environment)

        [loss] = report.losses
        assert (loss.name, loss.offset, loss.start, loss.stop) == (name, offset, b"", None)
        assert "changes (sequences" in loss.reason
        assert report.commits == whole.commits - 1


def test_older_values_can_be_left_out(world: World) -> None:
    """Below a lost part of a table nothing is kept then; a key is right or absent."""
    with world.open() as database:
        for value in (b"old", b"new"):
            for number in range(20):
                database.put(b"%02d" % number, value)
            database.flush()
    newest = max(world.tables())
    data = world.read(newest)
    world.replace(newest, data[:10] + bytes((data[10] ^ 1,)) + data[11:])
    found = {}
    for choice in ("keep", "drop"):
        report = lsm.repair(PATH, f"/{choice}", SMALL, older_values=choice, environment=world.environment)
        [loss] = report.losses
        with world.open(path=f"/{choice}") as database:
            found[choice] = content(database)

    assert loss.stop is not None
    inside = {b"%02d" % number for number in range(20) if loss.start <= b"%02d" % number < loss.stop}
    assert 0 < len(inside) < 20
    assert found["keep"] == {b"%02d" % number: b"old" if b"%02d" % number in inside else b"new" for number in range(20)}
    assert found["drop"] == {key: value for key, value in found["keep"].items() if key not in inside}


def test_a_newer_format_is_no_damage(world: World) -> None:
    """Files of a newer release are refused by name, and never taken for something lost."""
    with world.open() as database:
        _fill(database, 3)
    [name] = [name for name in world.names() if name.startswith("MANIFEST")]
    text = world.read(name).replace(b'"format_version":1', b'"format_version":9')
    body = text[: text.rindex(b"crc32c")]
    world.replace(name, _checked(body))
    with pytest.raises(lsm.FormatError):
        _repair(world)


def test_the_report_is_bounded() -> None:
    """A thousand losses are listed, the others counted; neighbours with one reason are one loss."""
    findings = Findings()
    for number in range(2 * LISTED_LOSSES):
        findings.lost("000001.sst", number, b"%06d" % (2 * number), b"%06d" % (2 * number + 1), "block")

    assert (len(findings.losses), findings.more_losses) == (LISTED_LOSSES, LISTED_LOSSES)
    near = Findings()
    near.lost("000001.sst", 0, b"a", b"b", "block")
    near.lost("000001.sst", 9, b"b", b"c", "block")
    assert [(loss.start, loss.stop, loss.offset) for loss in near.losses] == [(b"a", b"c", 0)]
    assert "keys from b'a' to b'c'" in str(near.losses[0])


def test_the_report_for_programs(world: World) -> None:
    """All fields by name, and whether all is well."""
    with world.open() as database:
        _fill(database)
        database.flush()
    [name] = world.tables()
    world.remove(name)
    facts = _repair(world).as_dict()

    assert facts["ok"] is False
    assert facts["losses"] == (
        {"name": name, "offset": 0, "start": b"00", "stop": b"29\0", "reason": "the table is missing"},
    )
