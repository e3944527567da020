"""Creating a database: in an order that a crash may interrupt anywhere, and never over something else."""

from __future__ import annotations

import dataclasses

import pytest

import lsm
from lsm.creation import check_creatable, create_database, open_or_create_directory
from lsm.manifest import read_current, read_manifest
from lsm.options import Options
from lsm.testing import Call, survivals
from tests.support.logs import LogBytes
from tests.support.small import SMALL
from tests.support.worlds import PATH, World, content


def test_what_is_made(world: World) -> None:
    """A log, a manifest that names it, and CURRENT, which names the manifest."""
    directory = open_or_create_directory(world.environment, PATH, SMALL)
    manifest = create_database(world.environment, directory, [], SMALL)

    assert world.names() == ["000001.wal", "CURRENT", "MANIFEST-000002"]
    current = read_current(directory)
    assert current is not None
    assert read_manifest(directory, *current) == manifest
    assert (manifest.level_count, manifest.oldest_log.number, manifest.next_file_number) == (4, 1, 3)
    assert manifest.version.last_sequence == 0


def test_numbers_begin_above_those_of_remains(world: World) -> None:
    """An interrupted creation has used some."""
    directory = open_or_create_directory(world.environment, PATH, SMALL)
    manifest = create_database(world.environment, directory, ["000001.wal", "MANIFEST-000007", "letter.txt"], SMALL)

    assert (manifest.oldest_log.number, manifest.number) == (8, 9)


def test_creation_may_be_interrupted_anywhere(world: World) -> None:
    """After every call, on every legal disk, the directory opens as an empty database, or is not there."""
    disks = []

    def crash(call: Call) -> None:
        for survival in survivals(world.filesystem.unsynced(), samples=2, seed=call.number):
            disks.append(world.without_power(survival))  # noqa: PERF401  # one by one, at each call
        disks.append(world.killed())

    world.filesystem.observe(crash)
    world.open()
    world.filesystem.observe(None)

    assert len(disks) > 50
    for disk in disks:
        assert content(disk.open()) == {}


def test_nothing_is_acknowledged_before_current_is_durable(world: World) -> None:
    """Neither the directory's own name nor anything in it can be lost after the opening."""
    database = world.open(dataclasses.replace(SMALL, sync=True))
    database.put(b"a", b"1")

    assert content(world.without_power().open()) == {b"a": b"1"}


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("000005.sst", lsm.CorruptionError),
        ("letter.txt", lsm.NotADatabaseError),
        ("12.sst", lsm.NotADatabaseError),
        ("CURRENT.tmp", None),
        ("LOCK", None),
        ("SHARED", None),
        ("MANIFEST-000002", None),
    ],
)
def test_what_may_lie_in_the_way(world: World, name: str, error: type[lsm.Error] | None) -> None:
    """Data means that there was a database; foreign files mean that there must be none; remains do not matter."""
    world.filesystem.create_directory(PATH)
    world.replace(name, b"x")
    directory = world.filesystem.open_directory(PATH)
    if error is None:
        check_creatable(directory, directory.names(), Options())
        return
    with pytest.raises(error, match=name):
        check_creatable(directory, directory.names(), Options())


@pytest.mark.parametrize("filled", [False, True])
def test_a_log_counts_if_it_has_frames(world: World, filled: bool) -> None:
    """An empty one is what an interrupted creation leaves; a part of a header as well."""
    world.filesystem.create_directory(PATH)
    directory = world.filesystem.open_directory(PATH)
    log = LogBytes(1)
    if filled:
        log.put(b"a")
    log.write(directory)
    LogBytes(2).write(directory, log.content[:30])
    if filled:
        with pytest.raises(lsm.CorruptionError, match=r"000001\.wal"):
            check_creatable(directory, directory.names(), Options())
    else:
        check_creatable(directory, directory.names(), Options())
