"""Calls that fail, are cut short, or are the last ones; and the failed sync that Linux forgets."""

import errno

import pytest

from lsm.environment import File
from lsm.errors import DiskFullError, InvalidArgumentError, StorageError
from lsm.testing import Call, Fault, SimulatedCrash, SimulatedEnvironment, SimulatedFileSystem


@pytest.fixture
def filesystem() -> SimulatedFileSystem:
    """An empty file system."""
    return SimulatedFileSystem()


@pytest.fixture
def file(filesystem: SimulatedFileSystem) -> File:
    """A durable file `/a` with four bytes."""
    directory = filesystem.open_directory("/")
    made = directory.open("a", "create")
    made.write_at(0, b"data")
    made.sync()
    directory.sync()
    return made


def test_a_fault_meets_the_chosen_call(filesystem: SimulatedFileSystem, file: File) -> None:
    """Operation, name, number and count pick the calls; the others pass."""
    fault = filesystem.fail(Fault(operation="write", name="a*", skip=1, times=2, error=errno.ENOSPC))

    assert file.write_at(0, b"D") == 1
    for _ in range(2):
        with pytest.raises(DiskFullError) as full:
            file.write_at(0, b"x")
        assert (full.value.path, full.value.operation, full.value.errno) == ("/a", "write", errno.ENOSPC)
    assert file.write_at(1, b"A") == 1
    assert file.read_at(0, 4) == b"DAta"
    assert fault.hits == 2


def test_a_lasting_fault_is_healed(filesystem: SimulatedFileSystem, file: File) -> None:
    """Without a count every matching call fails, until the faults are removed."""
    filesystem.fail(Fault(operation="read", times=None))
    for _ in range(3):
        with pytest.raises(StorageError):
            file.read_at(0, 1)

    filesystem.heal()

    assert file.read_at(0, 1) == b"d"


def test_a_failed_call_changes_nothing(filesystem: SimulatedFileSystem, file: File) -> None:
    """A refused write, truncation, rename, unlink or creation has left no trace."""
    before = filesystem.fingerprint()
    directory = filesystem.open_directory("/")
    filesystem.fail(Fault(times=None))

    for use in (
        lambda: file.write_at(0, b"x"),
        lambda: file.truncate(0),
        lambda: directory.rename("a", "b"),
        lambda: directory.unlink("a"),
        lambda: directory.open("c", "create"),
        lambda: directory.link("a", directory, "d"),
        lambda: filesystem.create_directory("/e"),
        directory.sync,
    ):
        with pytest.raises(StorageError):
            use()
    assert filesystem.fingerprint() == before


def test_a_write_is_cut_short(filesystem: SimulatedFileSystem, file: File) -> None:
    """A short write takes the first bytes and says how many; other calls are not met."""
    filesystem.fail(Fault(short_bytes=2))

    assert file.size() == 4
    assert file.write_at(4, b"12345") == 2
    assert file.write_at(6, b"345") == 3
    assert file.read_at(0, 99) == b"data12345"


def test_a_failed_sync_forgets_for_ever(filesystem: SimulatedFileSystem, file: File) -> None:
    """Reads show the data and a second sync succeeds, yet neither it nor writing again in place stores anything."""
    file.write_at(2, b"--more")
    filesystem.fail(Fault(operation="sync"))
    with pytest.raises(StorageError):
        file.sync()

    file.sync()
    assert file.read_at(0, 99) == b"da--more"
    assert filesystem.after_power_loss().open_directory("/").open("a", "read").read_at(0, 99) == b"data"
    file.write_at(2, b"--more")
    file.sync()
    assert filesystem.after_power_loss().open_directory("/").open("a", "read").read_at(0, 99) == b"data"
    killed = filesystem.after_kill()
    reopened = killed.open_directory("/").open("a", "write")
    reopened.write_at(0, b"over")
    reopened.sync()
    assert reopened.read_at(0, 99) == b"over--more"[:4] + b"more"
    assert killed.after_power_loss().open_directory("/").open("a", "read").read_at(0, 99) == b"data"


def test_pages_beyond_the_failed_ones_are_stored(filesystem: SimulatedFileSystem, file: File) -> None:
    """Only the pages whose sync failed are spoilt; what is written behind them becomes durable."""
    file.write_at(0, b"lost")
    filesystem.fail(Fault(operation="sync"))
    with pytest.raises(StorageError):
        file.sync()
    file.write_at(4090, b"0123456789")
    file.sync()

    survivor = filesystem.after_power_loss().open_directory("/").open("a", "read")
    assert survivor.read_at(0, 4) == b"data"
    assert survivor.read_at(4090, 20) == bytes(6) + b"6789"


def test_a_fresh_file_is_not_spoilt(filesystem: SimulatedFileSystem, file: File) -> None:
    """What a failed sync lost is saved through a new file."""
    file.write_at(0, b"save")
    filesystem.fail(Fault(operation="sync"))
    with pytest.raises(StorageError):
        file.sync()
    directory = filesystem.open_directory("/")
    fresh = directory.open("b", "create")
    fresh.write_at(0, file.read_at(0, 99))
    fresh.sync()
    directory.sync()

    assert filesystem.after_power_loss().open_directory("/").open("b", "read").read_at(0, 99) == b"save"


def test_the_chosen_call_is_the_last(filesystem: SimulatedFileSystem, file: File) -> None:
    """The call at which the process crashes is not made, and none after it; the disk remains."""
    file.try_lock(exclusive=True)
    filesystem.crash_at(filesystem.calls + 1)
    file.write_at(0, b"D")

    with pytest.raises(SimulatedCrash):
        file.write_at(0, b"x")
    with pytest.raises(SimulatedCrash):
        file.read_at(0, 1)
    other = SimulatedFileSystem(filesystem.disk).open_directory("/").open("a", "read")
    assert other.read_at(0, 99) == b"Data"
    assert other.try_lock(exclusive=True)


def test_the_observer_sees_each_call_before_it_is_made(filesystem: SimulatedFileSystem, file: File) -> None:
    """The record names the call, and the disk is the one before it."""
    seen: list[tuple[Call, bytes]] = []

    def look(call: Call) -> None:
        seen.append((call, filesystem.after_kill().open_directory("/").open("a", "read").read_at(0, 9)))

    filesystem.observe(look)
    first = filesystem.calls
    file.write_at(0, b"D")
    file.sync()
    filesystem.observe(None)
    file.size()

    assert seen == [(Call(first, "write", "/a", 1), b"data"), (Call(first + 1, "sync", "/a"), b"Data")]


def _after_power_loss(filesystem: SimulatedFileSystem) -> bytes:
    return filesystem.after_power_loss().open_directory("/").open("a", "read").read_at(0, 99)


def test_a_failed_sync_of_xfs_is_healed_by_the_next_write_into_its_pages(
    filesystem: SimulatedFileSystem, file: File
) -> None:
    """The pages are clean and read as written; a later write makes the whole page dirty again."""
    file.write_at(0, b"DATA")
    filesystem.fail(Fault(operation="sync", sync_failure="xfs"))
    with pytest.raises(StorageError):
        file.sync()

    file.sync()
    assert file.read_at(0, 9) == b"DATA"
    assert _after_power_loss(filesystem) == b"data"
    file.write_at(4, b"+")
    file.sync()
    assert _after_power_loss(filesystem) == b"DATA+"


def test_a_failed_sync_of_btrfs_takes_the_content_back(filesystem: SimulatedFileSystem, file: File) -> None:
    """Bytes and length are those of the last sync, for every reader; later writes are stored."""
    file.write_at(0, b"DATA and more")
    filesystem.fail(Fault(operation="sync", sync_failure="btrfs"))
    with pytest.raises(StorageError):
        file.sync()

    assert file.read_at(0, 99) == b"data"
    file.write_at(0, b"D")
    file.sync()
    assert _after_power_loss(filesystem) == b"Data"


def test_a_rule_has_chances_of_its_own(filesystem: SimulatedFileSystem, file: File) -> None:
    """With a probability some calls fail, the same ones for the same seed, whatever other rules there are."""

    def failed(seed: int, *others: Fault) -> list[bool]:
        filesystem.heal()
        for fault in (*others, Fault(operation="read", times=None, probability=0.5, seed=seed)):
            filesystem.fail(fault)
        found = []
        for _ in range(40):
            try:
                file.read_at(0, 1)
            except StorageError:
                found.append(True)
            else:
                found.append(False)
        return found

    first = failed(1)
    assert 5 < sum(first) < 35
    assert failed(1) == first
    assert failed(1, Fault(operation="write", times=None, probability=0.5, seed=2)) == first
    assert failed(2) != first


def test_bits_are_flipped_on_read(filesystem: SimulatedFileSystem, file: File) -> None:
    """What is read is wrong once; the file is not."""
    filesystem.fail(Fault(flip_bits=1, seed=3))

    wrong = int.from_bytes(file.read_at(0, 4)) ^ int.from_bytes(b"data")

    assert wrong.bit_count() == 1
    assert file.read_at(0, 4) == b"data"


def test_a_bit_is_flipped_at_rest(filesystem: SimulatedFileSystem, file: File) -> None:
    """The file is wrong for everybody, and after a power loss."""
    filesystem.flip_bit("/a", 8)

    assert file.read_at(0, 4) == b"d`ta"
    assert _after_power_loss(filesystem) == b"d`ta"
    with pytest.raises(InvalidArgumentError):
        filesystem.flip_bit("/a", 32)


def test_a_slow_call_puts_the_clock_forward(filesystem: SimulatedFileSystem, file: File) -> None:
    """Nobody waits for it."""
    environment = SimulatedEnvironment(filesystem)
    filesystem.fail(Fault(operation="sync", delay_seconds=1000.0))
    before = environment.monotonic_seconds()

    file.sync()

    assert 1000 <= environment.monotonic_seconds() - before < 1100


def test_a_disk_lies(filesystem: SimulatedFileSystem, file: File) -> None:
    """Its syncs succeed and do nothing, for files and directories."""
    filesystem.fail(Fault(operation="sync*", times=None, is_ignored=True))
    file.write_at(0, b"DATA")
    file.sync()
    directory = filesystem.open_directory("/")
    directory.open("b", "create")
    directory.sync()

    assert _after_power_loss(filesystem) == b"data"
    assert filesystem.after_power_loss().open_directory("/").names() == ["a"]


def test_a_full_disk_takes_what_there_is_room_for(filesystem: SimulatedFileSystem, file: File) -> None:
    """A write at the brim is short, the next one fails; writing in place goes on, and all does when there is room."""
    filesystem.limit(capacity_bytes=6)

    assert file.write_at(4, b"12345") == 2
    with pytest.raises(DiskFullError):
        file.write_at(6, b"345")
    assert file.write_at(0, b"DATA") == 4
    other = filesystem.open_directory("/").open("b", "create")
    with pytest.raises(DiskFullError):
        other.write_at(0, b"x")
    filesystem.open_directory("/").unlink("a")
    assert other.write_at(0, b"x") == 1
    filesystem.limit()
    assert other.write_at(1, b"y" * 100) == 100


def test_too_many_open_files(filesystem: SimulatedFileSystem, file: File) -> None:
    """Opening fails without a trace, and works again when something was closed or forgotten."""
    directory = filesystem.open_directory("/")
    filesystem.limit(open_files=2)

    with pytest.raises(StorageError) as refused:
        directory.open("b", "create")
    assert refused.value.errno == errno.EMFILE
    assert directory.names() == ["a"]
    file.close()
    assert directory.open("b", "create").write_at(0, b"x") == 1
    with pytest.raises(StorageError):
        filesystem.limit(open_files=1)
        filesystem.open_directory("/")
