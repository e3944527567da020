"""Installs: durable before they are named, adopted when they were interrupted, and old files go last."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest

import lsm
from lsm import install as install_module
from lsm.core import Core
from lsm.install import Installer
from lsm.manifest import read_current, write_current
from lsm.testing import Call, Fault
from lsm.version import Edit
from tests.support.interruptions import Interruption, Once, after, before
from tests.support.worlds import PATH, World, content

STEPS: dict[str, tuple[object, str, Callable[[Callable[..., object], Once], object]]] = {
    "before the tables are opened": (install_module, "open_tables", before),
    "before the manifest": (install_module, "write_manifest", before),
    "after the manifest": (install_module, "write_manifest", after),
    "after CURRENT": (install_module, "write_current", after),
    "before the view": (Installer, "_publish", before),
    "after the view": (Installer, "_publish", after),
    "before the news": (Core, "notify", before),
    "before the old files go": (Installer, "_unlink", before),
}


def filled(world: World) -> tuple[lsm.Database, dict[bytes, bytes]]:
    """Open a database with two tables and something in the memtable."""
    database = world.open()
    for number in range(30):
        database.put(b"%02d" % number, b"v%d" % number)
        if number in {9, 19}:
            database.flush()
    return database, content(database)


def live_tables(database: lsm.Database) -> list[str]:
    """Return the names of the tables of the version in the view."""
    return sorted(f"{table.number:06d}.sst" for table in database._core.view[0].version.tables())


def check_directory(world: World, database: lsm.Database) -> None:
    """Check that the directory has exactly the tables of the view, and that CURRENT names its version."""
    current = read_current(world.filesystem.open_directory(PATH))
    assert current is not None
    assert current[0] == database.stats().manifest_number
    assert world.tables() == live_tables(database)


@pytest.mark.parametrize("work", ["flush", "compact"])
def test_everything_is_durable_before_it_is_named(world: World, work: str) -> None:
    """When CURRENT is renamed, nothing of the tables and the manifest is left to be synced, names included."""
    database, written = filled(world)
    seen: list[World] = []

    def look(call: Call) -> None:
        if call.operation == "rename" and call.path.endswith("CURRENT.tmp"):
            pending = [change.kind for change in world.filesystem.unsynced()]
            assert pending.count("names") <= 1  # that of CURRENT.tmp itself
            seen.append(world.without_power())

    world.filesystem.observe(look)
    getattr(database, work)()
    world.filesystem.observe(None)

    assert seen
    for survivor in seen:
        assert content(survivor.open()).items() <= written.items()
    assert content(database) == written


@pytest.mark.parametrize("work", ["flush", "compact"])
def test_old_files_go_only_after_the_switch_is_durable(world: World, work: str) -> None:
    """No name is removed before the directory was synced after the rename of CURRENT."""
    database, _ = filled(world)
    calls: list[Call] = []
    world.filesystem.observe(calls.append)
    getattr(database, work)()
    world.filesystem.observe(None)
    switched = False
    renamed = False
    removed = 0
    for call in calls:
        if call.operation == "rename":
            renamed, switched = True, False
        elif call.operation == "sync_directory":
            switched = renamed
        elif call.operation == "unlink" and not call.path.endswith("CURRENT.tmp"):
            assert switched
            removed += 1
        elif call.operation == "open" and "MANIFEST" in call.path:
            renamed = False

    assert removed > 0


@pytest.mark.parametrize("work", ["flush", "compact"])
@pytest.mark.parametrize("step", STEPS)
def test_an_interrupted_install_is_done_or_not(
    world: World, monkeypatch: pytest.MonkeyPatch, step: str, work: str
) -> None:
    """Nothing is lost or shown twice; the next install goes on from what CURRENT says."""
    database, written = filled(world)
    target, name, how = STEPS[step]
    once = Once(skip=0 if work == "flush" else 1)
    monkeypatch.setattr(target, name, how(getattr(target, name), once))
    with pytest.raises(Interruption):
        getattr(database, work)()
    assert once.fired
    assert content(database) == written
    assert content(world.killed().open()) == written
    assert content(world.without_power().open()).items() <= written.items()

    database.put(b"later", b"1")
    written[b"later"] = b"1"
    assert content(database) == written
    getattr(database, work)()
    database.delete(b"00")
    del written[b"00"]
    database.compact()
    assert content(database) == written
    assert database.verify().ok
    reopened = world.killed().open()
    assert content(reopened) == written
    database.close()
    final = world.open()
    assert content(final) == written
    check_directory(world, final)


def test_an_interrupted_install_adopts_current(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was switched on the disk is taken over before anything else is installed."""
    database, written = filled(world)
    monkeypatch.setattr(install_module, "write_current", after(write_current, Once()))
    with pytest.raises(Interruption):
        database.flush()
    monkeypatch.undo()
    assert database.stats().levels[0].tables == 2
    assert database.stats().sealed_memtables == 1
    database.put(b"later", b"1")
    database.flush()

    assert database.stats().levels[0].tables == 4  # the adopted one is not made again
    assert database.stats().sealed_memtables == 0
    assert content(database) == {**written, b"later": b"1"}
    assert content(world.killed().open()) == {**written, b"later": b"1"}


@pytest.mark.parametrize("name", ["*.sst", "MANIFEST-*", "CURRENT.tmp"])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_a_failed_install_leaves_the_old_version_and_no_files(world: World, name: str, error: int) -> None:
    """However often it is tried; a full disk must not be filled with what nobody needs."""
    database, written = filled(world)
    world.filesystem.fail(Fault(operation="write", name=name, error=error, times=None))
    before = world.names()
    for _ in range(4):
        with pytest.raises(lsm.StorageError):
            database.flush()
        assert content(database) == written
        assert world.tables() == live_tables(database)
    added = set(world.names()) - set(before)
    assert all(name.endswith(".wal") or name == "CURRENT.tmp" for name in added)
    world.filesystem.heal()
    database.flush()

    assert content(database) == written
    check_directory(world, database)
    assert content(world.killed().open()) == written


@pytest.mark.parametrize("operation", ["sync", "sync_directory"])
@pytest.mark.parametrize("skip", range(6))
def test_a_failed_sync_in_an_install(world: World, operation: str, skip: int) -> None:
    """Nothing that was shown is lost, whatever is tried afterwards, and whatever the disk then does."""
    database, written = filled(world)
    fault = world.filesystem.fail(Fault(operation=operation, skip=skip))
    try:
        database.compact()
    except lsm.StorageError:
        assert fault.hits == 1
    world.filesystem.heal()
    assert content(database) == written
    try:
        database.compact()
    except lsm.SyncFailedError:
        assert fault.hits == 1
    assert content(database) == written
    assert content(world.killed().open()) == written


def test_a_failed_sync_of_the_directory_poisons(world: World) -> None:
    """CURRENT may be either one on the disk: the handle must not build on a guess."""
    database, written = filled(world)
    world.filesystem.fail(Fault(operation="sync_directory", name="data", skip=1))
    with pytest.raises(lsm.SyncFailedError):
        database.flush()
    world.filesystem.heal()
    with pytest.raises(lsm.SyncFailedError):
        database.put(b"later", b"1")
    assert content(database) == written
    database.close()

    assert content(world.open()) == written


def test_an_edit_without_outputs_keeps_its_inputs_until_the_next_install(world: World) -> None:
    """No table tells of it, so the version before must stay whole until there is another one after it."""
    database = world.open()
    for number in range(20):
        database.put(b"%02d" % number, b"v")
    database.flush()
    tables = world.tables()
    installer = database._parts.installer
    installer.install(Edit(removed=frozenset(table.number for table in installer.manifest.version.tables())))
    assert content(database) == {}
    assert world.tables() == tables
    database.put(b"next", b"1")
    database.flush()

    assert len(world.tables()) == 1
    assert world.tables() != tables
    check_directory(world, database)


def test_two_manifests_are_kept(world: World) -> None:
    """The live one and the one before it."""
    database = world.open()
    for number in range(5):
        database.put(b"%d" % number, b"v")
        database.flush()
        manifests = [name for name in world.names() if name.startswith("MANIFEST")]
        assert len(manifests) == 2
        assert manifests[-1] == f"MANIFEST-{database.stats().manifest_number:06d}"
