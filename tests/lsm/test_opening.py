"""Opening: what is made, what is refused, what is removed, and what a reader leaves alone."""

from __future__ import annotations

import dataclasses

import pytest

import lsm
from lsm.filenames import CURRENT, SHARED
from lsm.testing import Call, Fault, SimulatedEnvironment, Survival
from lsm.testing.survival import KEPT
from tests.support.small import SMALL
from tests.support.worlds import PATH, World, content

LOCK_FILES = {"LOCK", "MAINTENANCE", "PRESENCE"}


def filled(world: World) -> None:
    """Make a database with a table and something in a log, and close it."""
    database = world.open()
    database.put(b"in a table", b"1")
    database.flush()
    database.put(b"in a log", b"2")
    database.close()


FILLED = {b"in a table": b"1", b"in a log": b"2"}


def test_a_missing_directory_is_made_and_durable(world: World) -> None:
    """With its name in the parent; power may fail as soon as `open` returns."""
    world.open()
    after = world.without_power()

    assert not after.open().recovery.created
    assert {CURRENT, SHARED, *LOCK_FILES} <= set(world.names())


def test_an_empty_directory_becomes_a_database(world: World) -> None:
    """Nothing in it means nothing to lose."""
    world.filesystem.create_directory(PATH)

    assert world.open().recovery.created


def test_a_missing_parent_is_an_error_of_the_system(world: World) -> None:
    """No chain of directories is made."""
    with pytest.raises(lsm.MissingFileError):
        world.open(path="/no/such/place")


def test_create_if_missing_false_makes_nothing(world: World) -> None:
    """Neither the directory nor a file in it."""
    options = dataclasses.replace(SMALL, create_if_missing=False)
    with pytest.raises(lsm.NotADatabaseError, match="no such directory"):
        world.open(options)
    assert world.names("/") == []

    world.filesystem.create_directory(PATH)
    with pytest.raises(lsm.NotADatabaseError, match="no database in this directory"):
        world.open(options)
    assert world.names() == []


def test_error_if_exists(world: World) -> None:
    """A new one is made, an old one refused and unharmed."""
    options = dataclasses.replace(SMALL, error_if_exists=True)
    world.open(options).close()
    with pytest.raises(lsm.NotADatabaseError, match="error_if_exists"):
        world.open(options)

    assert not world.open().recovery.created


def test_foreign_files_are_left_alone(world: World) -> None:
    """No database is made among the files of somebody else, and nothing is added to them."""
    world.filesystem.create_directory(PATH)
    for name in ("letter.txt", "photo.jpg"):
        world.replace(name, b"content")
    with pytest.raises(lsm.NotADatabaseError, match=r"other files: letter\.txt, photo\.jpg"):
        world.open()

    assert world.names() == ["letter.txt", "photo.jpg"]


def test_foreign_files_in_a_database_do_not_matter(world: World) -> None:
    """They stay, whatever is removed."""
    filled(world)
    world.replace("notes.txt", b"x")

    assert content(world.open()) == FILLED
    assert "notes.txt" in world.names()


@pytest.mark.parametrize("left", ["000003.sst", "filled log"])
def test_no_current_but_data_is_corruption(world: World, left: str) -> None:
    """Somebody removed CURRENT; an empty database in its place would hide that."""
    filled(world)
    world.remove(CURRENT)
    if left == "filled log":
        for name in world.tables():
            world.remove(name)
    before = world.names()
    with pytest.raises(lsm.CorruptionError, match="CURRENT is missing, but there is") as caught:
        world.open()

    assert caught.value.path == f"{PATH}/CURRENT"
    assert world.names() == before


def test_an_interrupted_creation_is_done_again(world: World) -> None:
    """A crash before CURRENT leaves a log without frames, perhaps a manifest: nothing that could be lost."""
    world.filesystem.fail(Fault(operation="rename", name="CURRENT.tmp"))
    with pytest.raises(lsm.StorageError):
        world.open()
    world.filesystem.heal()
    before = set(world.names())
    assert {"000001.wal", "MANIFEST-000002"} <= before
    database = world.open()

    assert database.recovery.created
    assert "CURRENT.tmp" not in world.names()
    assert "000001.wal" not in world.names()


def test_level_count_is_fixed(world: World) -> None:
    """It is checked by name, and everything else may change."""
    filled(world)
    with pytest.raises(lsm.OptionsMismatchError) as caught:
        world.open(dataclasses.replace(SMALL, level_count=5))
    assert (caught.value.option, caught.value.stored, caught.value.given) == ("level_count", 4, 5)

    other = dataclasses.replace(SMALL, block_bytes=4096, compression="zstd", level_ratio=9, filter_bits_per_key=0)
    assert content(world.open(other)) == FILLED


def test_a_missing_manifest_is_corruption(world: World) -> None:
    """CURRENT names it."""
    filled(world)
    for name in world.names():
        if name.startswith("MANIFEST"):
            world.remove(name)
    with pytest.raises((lsm.CorruptionError, lsm.MissingFileError), match="MANIFEST"):
        world.open()


def test_a_missing_table_names_itself(world: World) -> None:
    """At opening, not at some later read."""
    filled(world)
    (table,) = world.tables()
    world.remove(table)
    with pytest.raises((lsm.CorruptionError, lsm.MissingFileError), match=table):
        world.open()


def test_a_failed_opening_gives_its_locks_back(world: World) -> None:
    """Whatever call fails, the next attempt can succeed."""
    filled(world)
    for number in range(200):
        after = world.killed()
        fault = after.filesystem.fail(Fault(skip=number))
        try:
            database = after.open()
        except lsm.StorageError:
            after.filesystem.heal()
            database = after.open()
        after.filesystem.heal()
        assert content(database) == FILLED
        database.close()
        if not fault.hits:
            return
    pytest.fail("the fault was always met")


def test_file_numbers_are_never_used_again(world: World) -> None:
    """Not even that of a leftover that recovery removes, nor one that only SHARED remembers."""
    filled(world)
    world.replace("000500.sst", b"leftover")
    world.open().close()

    assert "000500.sst" not in world.names()
    assert all(int(name[:6]) < 500 or int(name[:6]) > 500 for name in world.logs())
    assert int(world.logs()[-1][:6]) > 500


def test_many_small_logs_are_flushed_together(world: World) -> None:
    """Reopening again and again keeps few files: at some number of logs their content becomes one table."""
    written = {}
    for number in range(40):
        database = world.open()
        database.put(b"%02d" % number, b"v")
        written[b"%02d" % number] = b"v"
        database.close()
    database = world.open()

    assert content(database) == written
    assert len(world.logs()) <= 18
    assert database.stats().levels[0].tables + sum(level.tables for level in database.stats().levels[1:]) >= 1


def test_opening_and_closing_without_writes_does_not_pile_up(world: World) -> None:
    """Empty logs go as well."""
    for _ in range(60):
        world.open().close()

    assert len(world.names()) < 30


def test_what_was_shown_after_recovery_cannot_be_lost(world: World) -> None:
    """Recovery made the logs durable before it believed them."""
    database = world.open()
    database.put(b"a", b"not synced")
    after = world.killed()
    assert content(after.open()) == {b"a": b"not synced"}

    assert content(after.without_power().open()) == {b"a": b"not synced"}


@pytest.mark.parametrize("page_is_there", [True, False])
def test_a_sync_that_failed_in_the_first_recovery_of_a_boot_is_remembered(world: World, page_is_there: bool) -> None:
    """The page then is of the boot before, or lost; the next recovery must not take the next OK for the truth."""
    database = world.open()
    database.put(b"a", b"1", sync=True)
    database.put(b"b", b"2")
    if not page_is_there:
        world.remove("SHARED")
    booted = world.without_power(Survival("everything", KEPT))
    booted.filesystem.fail(Fault(operation="sync", name="*.wal", times=3))  # both old logs, and the new one
    with pytest.raises(lsm.StorageError):
        booted.open()
    booted.filesystem.heal()
    database = booted.open()

    assert database.recovery.interrupted
    assert content(booted.without_power().open()) == content(database)


def test_recovery_changes_no_old_log(world: World) -> None:
    """Not a byte, also where it has dropped something."""
    database = world.open()
    database.put(b"a", b"1")
    database.put(b"b", b"2")
    after = world.killed()
    name = after.logs()[-1]
    torn = after.read(name)[:-1]
    after.replace(name, torn)
    calls: list[Call] = []
    after.filesystem.observe(calls.append)
    assert content(after.open()) == {b"a": b"1"}
    after.filesystem.observe(None)

    assert after.read(name) == torn
    assert not [call for call in calls if call.path.endswith(name) and call.operation in {"write", "truncate"}]
    assert content(after.killed().open()) == {b"a": b"1"}


# Reading only.


def test_a_reader_shows_everything_and_changes_nothing(world: World) -> None:
    """No call of it leaves a trace, and every write is refused by name."""
    filled(world)
    before = world.filesystem.fingerprint()
    database = world.open(read_only=True)
    assert content(database) == FILLED
    assert database.get(b"in a log") == b"2"
    assert database.stats().read_only
    assert database.verify().ok
    writes = [
        lambda: database.put(b"a", b"1"),
        lambda: database.put(b"a", b"1", sync=True),
        lambda: database.delete(b"a"),
        lambda: database.delete_range(None, None),
        lambda: database.allocate(b"ids"),
        lambda: database.run(lambda transaction: transaction.put(b"a", b"1")),
        database.flush,
        database.compact,
        database.sync,
    ]
    for write in writes:
        with pytest.raises(lsm.ReadOnlyError, match="opened read-only"):
            write()
    database.close()

    assert world.filesystem.fingerprint() == before


def test_a_transaction_of_a_reader_may_read(world: World) -> None:
    """And commit, as long as it wrote nothing."""
    filled(world)
    database = world.open(read_only=True)
    with database.transaction() as transaction:
        assert transaction.get(b"in a log") == b"2"


def test_a_reader_makes_no_database(world: World) -> None:
    """Neither a missing nor an empty directory, whatever the options say."""
    with pytest.raises(lsm.NotADatabaseError, match="no such directory"):
        world.open(read_only=True)
    world.filesystem.create_directory(PATH)
    with pytest.raises(lsm.NotADatabaseError, match="no database in this directory"):
        world.open(read_only=True)

    assert world.names() == []


def test_readers_do_not_disturb_each_other_or_a_writer(world: World) -> None:
    """They hold no lock, and keep what they have open, also after compaction removed it."""
    filled(world)
    first, second = world.open(read_only=True), world.open(read_only=True)
    writer = world.open()
    writer.put(b"new", b"3")
    writer.delete(b"in a table")
    writer.compact()

    assert content(first) == content(second) == FILLED
    assert first.get(b"in a table") == b"1"


def test_a_reader_is_refused_while_somebody_writes(world: World) -> None:
    """It would show half of what is going on; the error names the writer."""
    world.open()
    with pytest.raises(lsm.LockedError) as caught:
        world.open(read_only=True)

    assert caught.value.process_id == world.environment.process_id()


def test_a_reader_drops_a_torn_tail_only_for_itself(world: World) -> None:
    """And reports it."""
    filled(world)
    name = world.logs()[-1]
    torn = world.read(name) + b"torn"
    world.replace(name, torn)
    database = world.open(read_only=True)

    assert content(database) == FILLED
    assert database.recovery.dropped_bytes == 4
    assert world.read(name) == torn


# One handle at a time.


def test_a_second_handle_of_the_same_process_is_refused(world: World) -> None:
    """With the number of this process; the first one goes on."""
    database = world.open()
    with pytest.raises(lsm.LockedError, match=f"process {world.environment.process_id()}") as caught:
        world.open()
    assert caught.value.path == PATH
    database.put(b"a", b"1")
    database.close()

    assert content(world.open()) == {b"a": b"1"}


def test_the_lock_of_a_killed_process_is_free(world: World) -> None:
    """The file that names it is still there; the lock is what counts."""
    world.open()
    after = world.killed()

    assert after.read("PRESENCE").strip() == b"%d" % world.environment.process_id()
    after.open()
    assert after.read("PRESENCE").strip() == b"%d" % after.environment.process_id()


def test_a_path_with_nul_is_refused() -> None:
    """Before the system is asked."""
    with pytest.raises(lsm.InvalidArgumentError, match="NUL"):
        lsm.open("/da\0ta", environment=SimulatedEnvironment())
