"""Verification: silent about a healthy database, and naming every damage that was planted."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import msgspec
import pytest

import lsm
from lsm.filenames import manifest_name, table_name
from lsm.manifest import read_current, read_manifest, write_current, write_manifest
from lsm.testing import Call
from tests.support.small import SMALL
from tests.support.worlds import PATH, World


@pytest.fixture
def filled(world: World) -> World:
    """Give a closed database with several tables, range deletions and two logs with entries."""
    database = world.open(dataclasses.replace(SMALL, sealed_memtable_limit=20))
    for number in range(80):
        database.put(b"%02d" % number, b"v%d" % number * 5)
        if number in {30, 45, 60}:
            database.delete_range(b"%02d" % (number - 9), b"%02d" % (number - 6))
            database.flush()
        if number == 50:
            database.compact()
    database.sync()
    database.put(b"last", b"1")
    database.close()
    return world


def verify(world: World) -> lsm.VerificationReport:
    """Verify the database of a world."""
    return lsm.verify(PATH, environment=world.environment)


def test_a_healthy_database(filled: World) -> None:
    """Everything is read and counted, nothing is found, nothing is changed."""
    before = filled.filesystem.fingerprint()
    read: set[str] = set()

    def note(call: Call) -> None:
        if call.operation == "read":
            read.add(call.path.rpartition("/")[2])
        assert call.operation not in {"write", "truncate", "unlink", "rename", "sync"}

    filled.filesystem.observe(note)
    report = verify(filled)
    filled.filesystem.observe(None)

    assert (report.ok, report.damage, report.dropped_bytes) == (True, (), 0)
    assert report.tables == len(filled.tables()) > 1
    assert report.logs == len(filled.logs()) > 1
    assert report.entries > 70
    assert read >= {*filled.tables(), *filled.logs(), "CURRENT"}
    assert filled.filesystem.fingerprint() == before
    sizes = [len(filled.read(name)) for name in (*filled.tables(), *filled.logs())]
    assert report.size_bytes >= sum(sizes)


def test_an_open_database_verifies_itself(filled: World) -> None:
    """While it is being written."""
    database = filled.open()
    database.put(b"more", b"1")
    report = database.verify()

    assert report.ok
    assert report.tables == len(filled.tables())
    database.put(b"even more", b"1")
    assert database.verify().entries >= report.entries


def test_a_torn_end_is_no_damage(filled: World) -> None:
    """It is counted, as opening would drop it."""
    name = filled.logs()[-1]
    filled.replace(name, filled.read(name) + b"torn")
    report = verify(filled)

    assert report.ok
    assert report.dropped_bytes == 4


def damaged(content: bytes, place: float) -> bytes:
    """Return the content with one bit changed, at a share of its length."""
    changed = bytearray(content)
    changed[int(len(content) * place)] ^= 4
    return bytes(changed)


@pytest.mark.parametrize("place", [0, 0.2, 0.5, 0.8, 0.999])
def test_a_damaged_table_is_named(filled: World, place: float) -> None:
    """Each of several, with an offset inside the file; all others are still checked."""
    tables = filled.tables()
    for name in (tables[0], tables[-1]):
        filled.replace(name, damaged(filled.read(name), place))
    report = verify(filled)

    assert not report.ok
    assert {error.path.rpartition("/")[2] for error in report.damage} == {tables[0], tables[-1]}
    for error in report.damage:
        assert 0 <= error.offset <= len(filled.read(error.path.rpartition("/")[2]))
    assert report.tables == len(tables)


def test_a_damage_behind_the_back_of_an_open_handle(filled: World) -> None:
    """The files are read, not the cache."""
    database = filled.open()
    assert database.get(b"00") is not None
    name = filled.tables()[0]
    file = filled.filesystem.open_directory(PATH).open(name, "write")
    file.write_at(0, damaged(file.read_at(0, 40), 0.5))
    report = database.verify()

    assert [error.path.rpartition("/")[2] for error in report.damage] == [name]


@pytest.mark.parametrize("name", ["CURRENT", "MANIFEST"])
@pytest.mark.parametrize("place", [0.1, 0.6, 0.99])
def test_damaged_metadata_is_reported(filled: World, name: str, place: float) -> None:
    """Not raised."""
    found = [other for other in filled.names() if other.startswith(name)][-1]
    filled.replace(found, damaged(filled.read(found), place))
    report = verify(filled)

    assert [error.path.rpartition("/")[2] for error in report.damage] == [found]


def test_a_damaged_log_is_named(filled: World) -> None:
    """With the place of the frame that does not match."""
    name = filled.logs()[0]
    filled.replace(name, damaged(filled.read(name), 0.5))
    report = verify(filled)

    assert [error.path.rpartition("/")[2] for error in report.damage] == [name]
    assert 84 <= report.damage[0].offset < len(filled.read(name))


@pytest.mark.parametrize(
    ("find", "reason"),
    [
        (lambda world: world.tables()[0], "missing"),
        (lambda world: world.logs()[0], "missing"),
        (lambda world: [name for name in world.names() if name.startswith("MANIFEST")][-1], "missing"),
    ],
    ids=["table", "log", "manifest"],
)
def test_a_missing_file_is_named(filled: World, find: Callable[[World], str], reason: str) -> None:
    """As damage, by what needs it."""
    name = find(filled)
    filled.remove(name)
    report = verify(filled)

    assert [(error.path.rpartition("/")[2], reason in error.reason) for error in report.damage] == [(name, True)]


def test_a_table_of_another_database_is_noticed(filled: World) -> None:
    """Its checksums are right, its identity is not."""
    other = World()
    database = other.open()
    database.put(b"a", b"1")
    database.flush()
    foreign = other.read(other.tables()[0])
    other.close()
    name = filled.tables()[0]
    filled.replace(name, foreign)
    report = verify(filled)

    assert {error.path.rpartition("/")[2] for error in report.damage} == {name}


def test_two_tables_exchanged_are_noticed(filled: World) -> None:
    """Both."""
    first, second = filled.tables()[:2]
    contents = filled.read(first), filled.read(second)
    filled.replace(first, contents[1])
    filled.replace(second, contents[0])

    assert {error.path.rpartition("/")[2] for error in verify(filled).damage} == {first, second}


@pytest.mark.parametrize("field", ["entry_count", "tombstone_count", "range_tombstone_count", "first_sequence"])
def test_a_manifest_that_says_something_else_is_noticed(filled: World, field: str) -> None:
    """Every file is whole by itself; together they are wrong."""
    directory = filled.filesystem.open_directory(PATH)
    current = read_current(directory)
    assert current is not None
    manifest = read_manifest(directory, *current)
    level = next(number for number, tables in enumerate(manifest.version.levels) if tables)
    first, *others = manifest.version.levels[level]
    wrong = msgspec.structs.replace(first, **{field: getattr(first, field) + 1})
    levels = (*manifest.version.levels[:level], (wrong, *others), *manifest.version.levels[level + 1 :])
    version = msgspec.structs.replace(manifest.version, levels=levels)
    filled.remove(manifest_name(manifest.number))
    write_current(
        directory,
        manifest.number,
        write_manifest(directory, msgspec.structs.replace(manifest, version=version)),
    )
    report = verify(filled)

    assert [(error.path.rpartition("/")[2], field in error.reason) for error in report.damage] == [
        (table_name(first.number), True)
    ]


def test_what_is_no_database(world: World) -> None:
    """A missing and an empty directory."""
    with pytest.raises(lsm.NotADatabaseError, match="no such directory"):
        verify(world)
    world.filesystem.create_directory(PATH)
    with pytest.raises(lsm.NotADatabaseError, match="no database"):
        verify(world)


def test_an_open_database_is_left_to_its_handle(filled: World) -> None:
    """The error names the process."""
    filled.open()
    with pytest.raises(lsm.LockedError):
        verify(filled)


def test_a_report_is_plain_data(filled: World) -> None:
    """Also with damage in it."""
    name = filled.tables()[0]
    filled.replace(name, damaged(filled.read(name), 0.1))
    plain = verify(filled).as_dict()

    assert plain["ok"] is False
    assert isinstance(plain["damage"], list)
    assert set(plain["damage"][0]) == {"path", "offset", "reason"}
