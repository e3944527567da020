"""Flushes: whole memtables, in the order of their logs, and only what the logs say."""

from __future__ import annotations

import dataclasses

import pytest

import lsm
from lsm.block_cache import BlockCache
from lsm.environment import Directory
from lsm.sstable.reader import TableReader
from tests.support.small import SMALL
from tests.support.worlds import PATH, World, content

PATIENT = dataclasses.replace(SMALL, sealed_memtable_limit=100)


def seal(database: lsm.Database, *keys: bytes) -> None:
    """Write keys and seal the memtable that holds them."""
    for key in keys:
        database.put(key, b"v of " + key)
    database._pipeline.seal()


def reader_of(world: World, name: str) -> TableReader:
    """Open a table."""
    directory: Directory = world.filesystem.open_directory(PATH)
    return TableReader(directory.open(name, "read"), None, BlockCache(0, world.environment.lock()))


def test_all_that_is_sealed_becomes_one_table(world: World) -> None:
    """Newer over older; its properties name the logs that it consumed, oldest first, and all sequences."""
    database = world.open(PATIENT)
    seal(database, b"a", b"b")
    database.delete(b"a")
    seal(database, b"b", b"c")
    logs = [int(name[:6]) for name in world.logs()]
    database.put(b"live", b"1")
    assert database._parts.maintenance.flush_sealed()
    (name,) = world.tables()
    properties = reader_of(world, name).properties()

    assert properties.edit.consumed_logs == tuple(logs[:-1])
    assert (properties.first_sequence, properties.last_sequence) == (1, 5)
    assert (properties.entry_count, properties.tombstone_count) == (3, 1)
    assert [int(name[:6]) for name in world.logs()] == logs[-1:]
    assert content(database) == {b"b": b"v of b", b"c": b"v of c", b"live": b"1"}
    assert content(world.killed().open()) == content(database)


def test_an_older_memtable_is_never_left_behind(world: World) -> None:
    """A flush takes a suffix of the sealed ones; anything else is refused by the state."""
    database = world.open(PATIENT)
    seal(database, b"a")
    seal(database, b"b")
    state = database._core.view[0]
    with pytest.raises(ValueError, match="oldest"):
        state.flushed(state.sealed[:1], state.tables)


def test_range_deletions_are_flushed_with_their_age(world: World) -> None:
    """They hide what came before them, in this table and in older ones, and nothing after."""
    database = world.open(PATIENT)
    for key in (b"a", b"aa", b"b", b"c"):
        database.put(key, b"old")
    database.flush()
    database.put(b"b", b"hidden")
    database.delete_range(b"a", b"c")
    database.put(b"a", b"new")
    database.flush()

    assert content(database) == {b"a": b"new", b"c": b"old"}
    database.compact()
    assert content(database) == {b"a": b"new", b"c": b"old"}
    assert content(world.killed().open()) == {b"a": b"new", b"c": b"old"}


def test_a_range_deletion_across_memtables(world: World) -> None:
    """In a newer memtable it hides the older one's entries when both go into one table."""
    database = world.open(PATIENT)
    seal(database, b"a", b"b", b"c")
    database.delete_range(b"b", None)
    seal(database, b"d")
    database._parts.maintenance.flush_sealed()

    assert content(database) == {b"a": b"v of a", b"d": b"v of d"}
    assert [database.get(key) for key in (b"b", b"c")] == [None, None]


def test_nothing_to_flush_makes_no_table(world: World) -> None:
    """And no manifest."""
    database = world.open()
    database.flush()
    before = world.names()
    database.flush()

    assert world.tables() == []
    assert world.names() == before


def test_empty_memtables_of_old_logs_go_without_a_table(world: World) -> None:
    """Only the manifest moves on, and the logs go."""
    for _ in range(3):
        world.open().close()
    database = world.open()
    database._parts.maintenance.flush_sealed()

    assert world.tables() == []
    database.put(b"a", b"1")
    database.flush()
    assert len(world.logs()) == 1
    assert content(world.killed().open()) == {b"a": b"1"}


def test_a_memtable_that_is_not_its_log_is_not_flushed(world: World) -> None:
    """What a table would lose or invent is an error, and the log is kept."""
    database = world.open(PATIENT)
    seal(database, b"a", b"b")
    sealed = database._core.view[0].sealed[0]
    sealed.put(b"invented", b"1", 99)
    with pytest.raises(lsm.CorruptionError, match="the memtable has 3 entries, the log 2"):
        database._parts.maintenance.flush_sealed()

    assert world.tables() == []
    assert content(world.killed().open()) == {b"a": b"v of a", b"b": b"v of b"}


def test_a_flush_is_durable(world: World) -> None:
    """Without any sync of the log."""
    database = world.open()
    database.put(b"a", b"1")
    database.flush()

    assert content(world.without_power().open()) == {b"a": b"1"}


def test_counters_logs_and_ids_are_flushed(world: World) -> None:
    """The engine's own keys are keys."""
    database = world.open()
    with database.transaction() as transaction:
        transaction.add(b"count", 5)
        transaction.append(b"log", b"entry")
        transaction.bump_epoch()
    database.allocate(b"ids", 7)
    database.flush()
    database.compact()
    database.close()
    database = world.open()

    assert (database.counter(b"count"), database.epoch, database.allocate(b"ids")) == (5, 1, 8)
    assert [value for _, value in database.log(b"log")] == [b"entry"]
