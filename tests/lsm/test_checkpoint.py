"""Checkpoints: databases of their own with the state of one moment, or nothing at all."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path

import pytest

import lsm
from lsm.testing import Fault
from tests.support.small import SMALL
from tests.support.worlds import World, content

COPY = "/copy"


@pytest.fixture
def database(world: World) -> lsm.Database:
    """Give a database with tables in two levels, a sealed memtable, and unsynced entries."""
    made = world.open(dataclasses.replace(SMALL, sealed_memtable_limit=20))
    for number in range(60):
        made.put(b"%02d" % number, b"v%d" % number)
        if number == 20:
            made.compact()
        if number == 30:
            made.flush()
    made.run(lambda transaction: transaction.add(b"count", 5))
    made.delete_range(b"40", b"45")
    return made


def test_a_checkpoint_is_a_database(world: World, database: lsm.Database) -> None:
    """With everything of that moment, also what was not synced; it verifies, and takes writes."""
    state = content(database)
    database.checkpoint(COPY)
    assert lsm.verify(COPY, environment=world.environment).ok
    copy = world.open(path=COPY)

    assert content(copy) == state
    assert copy.counter(b"count") == 5
    copy.put(b"own", b"1")
    copy.compact()
    assert content(copy) == {**state, b"own": b"1"}


def test_both_go_their_own_ways(world: World, database: lsm.Database) -> None:
    """Writes, compaction and damage of one never reach the other."""
    state = content(database)
    database.checkpoint(COPY)
    copy = world.open(path=COPY)
    database.delete_range(None, None)
    database.put(b"original", b"1")
    database.compact()
    copy.delete_range(b"00", b"30")
    copy.put(b"copy", b"1")
    copy.compact()
    database.compact()
    copied = {key: value for key, value in state.items() if key >= b"30"} | {b"copy": b"1"}

    assert content(database) == {b"original": b"1"}
    assert content(copy) == copied
    for handle, path, expected in ((database, "/data", {b"original": b"1"}), (copy, COPY, copied)):
        handle.close()
        assert content(world.open(path=path)) == expected


def test_a_checkpoint_is_durable_when_it_is_made(world: World, database: lsm.Database) -> None:
    """As a whole: content, names, and the directory itself."""
    state = content(database)
    database.checkpoint(COPY)

    assert content(world.without_power().open(path=COPY)) == state


def test_a_checkpoint_of_an_empty_database(world: World) -> None:
    """And one of a checkpoint."""
    database = world.open()
    database.checkpoint(COPY)
    copy = world.open(path=COPY)
    copy.put(b"a", b"1")
    copy.checkpoint("/again")

    assert content(database) == {}
    assert content(world.open(path="/again")) == {b"a": b"1"}


def test_a_reader_can_make_one(world: World, database: lsm.Database) -> None:
    """It writes nothing into its own directory."""
    state = content(database)
    database.close()
    reader = world.open(read_only=True)
    before = world.names()
    reader.checkpoint(COPY)

    assert world.names() == before
    copy = world.open(path=COPY)
    copy.put(b"own", b"1")
    copy.flush()
    assert content(copy) == {**state, b"own": b"1"}


@pytest.mark.parametrize("existing", ["file", "empty directory", "directory", "database"])
def test_a_path_that_exists_is_refused(world: World, database: lsm.Database, existing: str) -> None:
    """Whatever is there stays as it is."""
    if existing == "file":
        world.filesystem.open_directory("/").open("copy", "create").write_at(0, b"letter")
    else:
        world.filesystem.create_directory(COPY)
    if existing == "directory":
        world.filesystem.open_directory(COPY).open("letter", "create")
    if existing == "database":
        world.open(path=COPY).close()
    before = world.filesystem.fingerprint()
    with pytest.raises(lsm.InvalidArgumentError, match=COPY):
        database.checkpoint(COPY)

    assert world.filesystem.fingerprint() == before


@pytest.mark.parametrize("path", ["/data", "/data/copy", "/data/../data/copy", "/other/../data"])
def test_a_path_inside_the_database_is_refused(world: World, database: lsm.Database, path: str) -> None:
    """It would become part of what it copies."""
    before = world.names()
    with pytest.raises(lsm.InvalidArgumentError, match="inside its database"):
        database.checkpoint(path)

    assert world.names() == before


def test_a_missing_parent_is_an_error_of_the_system(database: lsm.Database) -> None:
    """No chain of directories is made."""
    with pytest.raises(lsm.MissingFileError):
        database.checkpoint("/no/such/place")


def test_a_failed_checkpoint_leaves_nothing(world: World, database: lsm.Database) -> None:
    """Whichever call fails, neither the target nor a temporary directory is there, and the database goes on."""
    state = content(database)
    for skip in range(200):
        fault = world.filesystem.fail(Fault(skip=skip))
        try:
            database.checkpoint(COPY)
        except lsm.StorageError:
            assert world.names("/") == ["data"]
        if not fault.hits:
            break
        world.filesystem.heal()
    else:
        pytest.fail("the fault was always met")
    world.filesystem.heal()
    assert skip > 20
    assert content(world.killed().open(path=COPY)) == state
    database.put(b"after", b"1")
    assert content(database) == {**state, b"after": b"1"}


def test_a_checkpoint_among_writers(tmp_path: Path) -> None:
    """It is a moment: both halves of each pair that is written at once, and no number without the ones before it."""
    options = dataclasses.replace(SMALL, maintenance=True)
    stop = threading.Event()
    with lsm.open(tmp_path / "data", options) as database:

        def write() -> None:
            number = 0
            while not stop.is_set():
                with database.write_batch() as batch:
                    batch.put(b"left %06d" % number, b"v")
                    batch.put(b"right %06d" % number, b"v")
                number += 1

        writer = threading.Thread(target=write)
        writer.start()
        for number in range(5):
            database.checkpoint(tmp_path / f"copy {number}")
        stop.set()
        writer.join()
    for number in range(5):
        with lsm.open(tmp_path / f"copy {number}", options) as copy:
            left = [key.partition(b" ")[2] for key in copy.scan_keys(prefix=b"left")]
            right = [key.partition(b" ")[2] for key in copy.scan_keys(prefix=b"right")]
        assert left == right == [b"%06d" % place for place in range(len(left))]


def test_tables_are_shared_on_the_disk(tmp_path: Path) -> None:
    """They are hard links, and stay when the original is gone."""
    with lsm.open(tmp_path / "data", SMALL) as database:
        for number in range(100):
            database.put(b"%03d" % number, b"v" * 50)
        database.compact()
        database.checkpoint(tmp_path / "copy")
        tables = sorted(path.name for path in (tmp_path / "data").glob("*.sst"))
        assert sorted(path.name for path in (tmp_path / "copy").glob("*.sst")) == tables
        assert all((tmp_path / "copy" / name).samefile(tmp_path / "data" / name) for name in tables)
    for path in (tmp_path / "data").iterdir():
        path.unlink()
    with lsm.open(tmp_path / "copy", SMALL) as copy:
        assert len(content(copy)) == 100
