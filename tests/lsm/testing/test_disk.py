"""What a simulated power loss, a kill and a failed sync leave."""

import pytest

from lsm.environment import Directory, File
from lsm.errors import MissingFileError
from lsm.testing import EVERYTHING, NOTHING, Fate, SimulatedFileSystem, Survival

LOST = Fate(0)
KEPT = Fate(None)


@pytest.fixture
def filesystem() -> SimulatedFileSystem:
    """A file system with a durable directory `/d`."""
    made = SimulatedFileSystem()
    made.create_directory("/d")
    made.open_directory("/").sync()
    return made


def _directory(filesystem: SimulatedFileSystem) -> Directory:
    return filesystem.open_directory("/d")


def _create(filesystem: SimulatedFileSystem, name: str, data: bytes, *, synced: bool) -> File:
    directory = _directory(filesystem)
    file = directory.open(name, "create")
    file.write_at(0, data)
    if synced:
        file.sync()
        directory.sync()
    return file


def _read(filesystem: SimulatedFileSystem, name: str) -> bytes:
    file = _directory(filesystem).open(name, "read")
    return file.read_at(0, file.size())


def test_synced_content_and_name_survive(filesystem: SimulatedFileSystem) -> None:
    """File sync plus directory sync make a file durable."""
    _create(filesystem, "a", b"data", synced=True)

    assert _read(filesystem.after_power_loss(), "a") == b"data"


def test_a_name_needs_the_sync_of_its_directory(filesystem: SimulatedFileSystem) -> None:
    """Syncing the file does not keep its name."""
    file = _create(filesystem, "a", b"data", synced=False)
    file.sync()

    assert _directory(filesystem.after_power_loss()).names() == []
    assert _read(filesystem.after_power_loss(EVERYTHING), "a") == b"data"


def test_content_needs_the_sync_of_its_file(filesystem: SimulatedFileSystem) -> None:
    """Syncing the directory keeps the name of a file that is empty."""
    _create(filesystem, "a", b"data", synced=False)
    _directory(filesystem).sync()

    assert _read(filesystem.after_power_loss(), "a") == b""


def test_later_writes_are_lost_and_earlier_ones_are_not(filesystem: SimulatedFileSystem) -> None:
    """A sync covers what was written before it, in place too."""
    file = _create(filesystem, "a", b"0123", synced=True)
    file.write_at(2, b"xy--")
    assert file.read_at(0, 99) == b"01xy--"

    assert _read(filesystem.after_power_loss(), "a") == b"0123"
    file.sync()
    file.truncate(1)
    assert _read(filesystem.after_power_loss(), "a") == b"01xy--"
    assert _read(filesystem.after_power_loss(EVERYTHING), "a") == b"0"


def test_any_subset_survives(filesystem: SimulatedFileSystem) -> None:
    """A later write can be there without an earlier one; the hole reads as zeros."""
    file = _create(filesystem, "a", b"", synced=True)
    file.write_at(0, b"first")
    file.write_at(5, b"second")

    assert _read(filesystem.after_power_loss(Survival("second", LOST, {1: KEPT})), "a") == bytes(5) + b"second"
    assert _read(filesystem.after_power_loss(Survival("first", LOST, {0: KEPT})), "a") == b"first"


def test_a_write_is_torn(filesystem: SimulatedFileSystem) -> None:
    """Part of a write survives; the rest is absent, zeros or garbage, and bytes in place are the old ones."""
    file = _create(filesystem, "a", b"12", synced=True)
    file.write_at(0, b"abcdef")

    def left(fate: Fate) -> bytes:
        return _read(filesystem.after_power_loss(Survival("torn", fate)), "a")

    assert left(Fate(1, "absent")) == b"a2"
    assert left(Fate(4, "absent")) == b"abcd"
    assert left(Fate(1, "zeros")) == b"a2" + bytes(4)
    garbage = left(Fate(1, "garbage"))
    assert len(garbage) == 6
    assert garbage[:2] == b"a2"
    assert garbage[2:] not in {b"cdef", bytes(4)}


def test_a_rename_is_atomic_and_needs_a_sync(filesystem: SimulatedFileSystem) -> None:
    """After a power loss either the old or the new state of both names is there."""
    _create(filesystem, "CURRENT", b"old", synced=True)
    _create(filesystem, "CURRENT.tmp", b"new", synced=True)
    _directory(filesystem).rename("CURRENT.tmp", "CURRENT")

    lost = filesystem.after_power_loss(NOTHING)
    assert (_read(lost, "CURRENT"), _read(lost, "CURRENT.tmp")) == (b"old", b"new")
    kept = filesystem.after_power_loss(EVERYTHING)
    assert _directory(kept).names() == ["CURRENT"]
    assert _read(kept, "CURRENT") == b"new"
    _directory(filesystem).sync()
    assert _read(filesystem.after_power_loss(NOTHING), "CURRENT") == b"new"


def test_a_rename_may_outlive_its_creation(filesystem: SimulatedFileSystem) -> None:
    """Names that are not synced are independent of each other: an unlink can be durable before a rename."""
    _create(filesystem, "old", b"", synced=True)
    directory = _directory(filesystem)
    directory.open("new.tmp", "create")
    directory.rename("new.tmp", "new")
    directory.unlink("old")

    assert _directory(filesystem.after_power_loss(Survival("rename", LOST, {1: KEPT}))).names() == ["new", "old"]
    assert _directory(filesystem.after_power_loss(Survival("unlink", LOST, {2: KEPT}))).names() == []


def test_unlinks_need_a_sync(filesystem: SimulatedFileSystem) -> None:
    """A removed file returns when its directory was not synced."""
    _create(filesystem, "a", b"data", synced=True)
    _directory(filesystem).unlink("a")

    assert _read(filesystem.after_power_loss(), "a") == b"data"
    _directory(filesystem).sync()
    with pytest.raises(MissingFileError):
        _read(filesystem.after_power_loss(), "a")


def test_a_link_is_one_file_after_a_power_loss(filesystem: SimulatedFileSystem) -> None:
    """Both names of a file still lead to one content, and the count of names is right."""
    _create(filesystem, "a", b"data", synced=True)
    _directory(filesystem).link("a", _directory(filesystem), "b")
    _directory(filesystem).sync()

    survivor = filesystem.after_power_loss()

    linked = _directory(survivor).open("a", "write")
    assert linked.link_count() == 2
    linked.write_at(0, b"D")
    assert _read(survivor, "b") == b"Data"


def test_a_directory_and_its_parent_are_synced_apart(filesystem: SimulatedFileSystem) -> None:
    """A directory's own name is durable only after its parent was synced, whatever it holds."""
    filesystem.create_directory("/e")
    inner = filesystem.open_directory("/e")
    inner.open("a", "create")
    inner.sync()

    with pytest.raises(MissingFileError):
        filesystem.after_power_loss().open_directory("/e")
    filesystem.open_directory("/").sync()
    assert filesystem.after_power_loss().open_directory("/e").names() == ["a"]


def test_a_kill_keeps_the_cache_and_forgets_it_at_the_next_power_loss(filesystem: SimulatedFileSystem) -> None:
    """What a killed process wrote is read by the next one, and is no more durable than before."""
    file = _create(filesystem, "a", b"data", synced=True)
    assert file.try_lock(exclusive=True)
    file.write_at(4, b" more")

    killed = filesystem.after_kill()

    assert _read(killed, "a") == b"data more"
    assert _directory(killed).open("a", "read").try_lock(exclusive=True)
    assert _read(killed.after_power_loss(), "a") == b"data"
    _directory(killed).open("a", "write").sync()
    assert _read(killed.after_power_loss(), "a") == b"data more"
    assert _read(filesystem.after_power_loss(), "a") == b"data", "the copy has nothing to do with the original"


def test_mapped_stores_survive_a_kill_but_not_surely_a_power_loss(filesystem: SimulatedFileSystem) -> None:
    """Shared memory is lost with the power, or was written back before: both are tried, and all stores count as one."""
    file = _create(filesystem, "SHARED", bytes(16), synced=True)
    memory = file.map(16)
    memory.store(0, b"one")
    memory.store(8, b"two")

    assert len(filesystem.unsynced()) == 1
    assert _read(filesystem.after_kill(), "SHARED") == b"one" + bytes(5) + b"two" + bytes(5)
    assert _read(filesystem.after_power_loss(), "SHARED") == bytes(16)
    assert _read(filesystem.after_power_loss(EVERYTHING), "SHARED") == b"one" + bytes(5) + b"two" + bytes(5)


def test_several_processes_share_a_disk() -> None:
    """Locks hold between processes until one is killed; both see each other's files."""
    first = SimulatedFileSystem()
    second = SimulatedFileSystem(first.disk)
    held = first.open_directory("/").open("LOCK", "create")
    assert held.try_lock(exclusive=True)
    wanted = second.open_directory("/").open("LOCK", "read")
    assert not wanted.try_lock(exclusive=False)

    first.kill()

    assert wanted.try_lock(exclusive=True)


def test_equal_disks_have_equal_fingerprints(filesystem: SimulatedFileSystem) -> None:
    """Different choices that leave the same disk are told by the fingerprint."""
    file = _create(filesystem, "a", b"data", synced=True)
    before = filesystem.fingerprint()
    file.write_at(0, b"DATA")

    assert filesystem.after_power_loss(NOTHING).fingerprint() == before
    assert filesystem.after_power_loss(EVERYTHING).fingerprint() == filesystem.fingerprint() != before
