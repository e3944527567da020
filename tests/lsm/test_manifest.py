"""Writing manifests and switching CURRENT: the order of calls, crashes between them, and refused calls."""

import pytest

from lsm.errors import MissingFileError, StorageError
from lsm.manifest import Manifest, read_current, read_manifest, write_current, write_manifest
from lsm.testing import Call, Fault, SimulatedCrash, SimulatedFileSystem, survivals
from lsm.version import LogReference, Version
from tests.lsm.level_pictures import LAST_SEQUENCE, version


def manifest(number: int) -> Manifest:
    """Return a manifest of which the content tells its number."""
    levels = version(f"1: {number}:a-c", level_count=2).levels
    return Manifest(
        number=number,
        previous_number=None,
        oldest_log=LogReference(number, number),
        version=Version(levels, LAST_SEQUENCE),
        next_file_number=number + 1,
    )


def switch(filesystem: SimulatedFileSystem, number: int) -> None:
    """Write a manifest and make it the live one."""
    directory = filesystem.open_directory("/data")
    write_current(directory, number, write_manifest(directory, manifest(number)))


def live(filesystem: SimulatedFileSystem) -> Manifest | None:
    """Read the live manifest as recovery does."""
    directory = filesystem.open_directory("/data")
    current = read_current(directory)
    return None if current is None else read_manifest(directory, *current)


@pytest.fixture
def filesystem() -> SimulatedFileSystem:
    """Give each test an empty durable directory `/data`."""
    filesystem = SimulatedFileSystem()
    filesystem.create_directory("/data")
    filesystem.open_directory("/").sync()
    return filesystem


def test_there_is_no_manifest_before_the_first(filesystem: SimulatedFileSystem) -> None:
    """A missing CURRENT is no error, a missing manifest is."""
    assert live(filesystem) is None
    with pytest.raises(MissingFileError, match="MANIFEST-000007"):
        read_manifest(filesystem.open_directory("/data"), 7, None)


def test_switching_makes_exactly_these_calls(filesystem: SimulatedFileSystem) -> None:
    """The directory is synced before CURRENT changes and after; each file before its name counts."""
    switch(filesystem, 1)
    calls: list[Call] = []
    filesystem.observe(calls.append)

    switch(filesystem, 2)

    assert [(call.operation, call.path.rpartition("/")[2]) for call in calls[1:]] == [
        ("open", "MANIFEST-000002"),
        ("write", "MANIFEST-000002"),
        ("sync", "MANIFEST-000002"),
        ("sync_directory", "data"),
        ("unlink", "CURRENT.tmp"),
        ("open", "CURRENT.tmp"),
        ("write", "CURRENT.tmp"),
        ("sync", "CURRENT.tmp"),
        ("rename", "CURRENT.tmp"),
        ("sync_directory", "data"),
    ]


def test_a_crash_at_any_call_leaves_the_old_or_the_new_manifest(filesystem: SimulatedFileSystem) -> None:
    """Whatever survives the power loss; and once the switch has returned it is the new one."""
    switch(filesystem, 1)
    states = 0
    for crash in range(12):
        process = filesystem.after_kill()
        process.crash_at(crash)
        done = True
        try:
            switch(process, 2)
        except SimulatedCrash:
            done = False
        for survival in survivals(process.unsynced(), samples=5, seed=crash):
            found = live(process.after_power_loss(survival))
            assert found in ([manifest(2)] if done else [manifest(1), manifest(2)])
            states += 1
    assert done
    assert states > 50


@pytest.mark.parametrize("operation", ["open", "write", "sync", "sync_directory", "rename"])
@pytest.mark.parametrize("skip", [0, 1])
def test_a_refused_call_leaves_a_whole_manifest(filesystem: SimulatedFileSystem, operation: str, skip: int) -> None:
    """The error is typed, the old or the new manifest is live, and the next switch works."""
    switch(filesystem, 1)
    fault = filesystem.fail(Fault(operation=operation, skip=skip if operation != "rename" else 0))

    with pytest.raises(StorageError):
        switch(filesystem, 2)

    assert fault.hits == 1
    assert live(filesystem) in [manifest(1), manifest(2)]
    switch(filesystem, 3)
    assert live(filesystem) == manifest(3)


def test_short_writes_are_continued(filesystem: SimulatedFileSystem) -> None:
    """A call may take fewer bytes than it is given."""
    filesystem.fail(Fault(operation="write", times=None, short_bytes=7))

    switch(filesystem, 1)

    assert live(filesystem) == manifest(1)


def test_a_write_that_takes_nothing_is_an_error(filesystem: SimulatedFileSystem) -> None:
    """It does not go on for ever."""
    filesystem.fail(Fault(operation="write", times=None, short_bytes=0))

    with pytest.raises(StorageError, match="took no bytes"):
        switch(filesystem, 1)
