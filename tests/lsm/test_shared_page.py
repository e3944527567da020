"""The shared page: one of two records is always whole, and nothing old is believed that could be wrong."""

import pytest

from lsm.environment import Environment, File
from lsm.shared_page import PAGE_BYTES, Record, SharedPage, create_page, read_old_page, read_records
from lsm.testing import Fault, SimulatedEnvironment, SimulatedFileSystem

SLOTS = (128, 256)
SLOT_BYTES = 88


def record(number: int) -> Record:
    """Return a record that can be told from others."""
    return Record(*range(number, number + 9))


@pytest.fixture
def filesystem() -> SimulatedFileSystem:
    """Give a disk with a directory."""
    made = SimulatedFileSystem()
    made.create_directory("/data")
    return made


@pytest.fixture
def environment(filesystem: SimulatedFileSystem) -> Environment:
    """Give the environment of a process on the disk."""
    return SimulatedEnvironment(filesystem)


@pytest.fixture
def file(filesystem: SimulatedFileSystem) -> File:
    """Give an empty file."""
    return filesystem.open_directory("/data").open("SHARED", "create")


@pytest.fixture
def page(environment: Environment, file: File) -> SharedPage:
    """Give a new page with record 1."""
    return create_page(environment, file, record(1))


def test_the_newest_record_is_read(page: SharedPage) -> None:
    """Of any number, in either slot."""
    assert page.read() == record(1)
    for number in range(2, 7):
        page.publish(record(number))
        assert page.read() == record(number)


def test_a_torn_record_leaves_the_one_before(page: SharedPage, file: File) -> None:
    """Whichever of its bytes was not written."""
    page.publish(record(2))
    page.publish(record(3))
    whole = file.read_at(0, PAGE_BYTES)
    newest = next(slot for slot in SLOTS if whole[slot] == 2)
    for place in range(newest, newest + SLOT_BYTES):
        file.write_at(place, bytes([whole[place] ^ 0x10]))
        assert page.read() == record(2)
        file.write_at(place, whole[place : place + 1])
    assert page.read() == record(3)


def test_without_a_whole_record_there_is_none(page: SharedPage, file: File) -> None:
    """And nothing is made up."""
    for slot in SLOTS:
        file.write_at(slot, bytes(SLOT_BYTES))

    assert page.read() is None


def test_marks_are_apart_from_records(page: SharedPage) -> None:
    """Setting and clearing them changes nothing else."""
    assert (page.dirty, page.poisoned) == (False, False)
    page.set_dirty()
    assert (page.dirty, page.poisoned) == (True, False)
    page.set_poison()
    page.clear_dirty()
    page.publish(record(2))

    assert (page.dirty, page.poisoned, page.read()) == (False, True, record(2))


@pytest.mark.parametrize(("dirty", "poisoned"), [(True, False), (False, True), (True, True), (False, False)])
def test_marks_count_in_the_boot_that_set_them(
    filesystem: SimulatedFileSystem, page: SharedPage, file: File, dirty: bool, poisoned: bool
) -> None:
    """A kill leaves them valid; a power loss dropped the pages they speak of, so they say nothing any more."""
    if dirty:
        page.set_dirty()
    if poisoned:
        page.set_poison()
    file.sync()
    filesystem.open_directory("/data").sync()
    filesystem.open_directory("/").sync()
    for survivor, believed in ((filesystem.after_kill(), True), (filesystem.after_power_loss(), False)):
        old = survivor.open_directory("/data").open("SHARED", "read")
        found = read_old_page(SimulatedEnvironment(survivor), old)
        assert found.interrupted == (believed and (dirty or poisoned))
        assert found.next_file_number == record(1).next_file_number


@pytest.mark.parametrize(
    "content", [b"", b"LDBSHARE", bytes(PAGE_BYTES), b"LDBSHARE\x02" + b"\xff" * 200, b"\xff" * 9000]
)
def test_an_unreadable_page_says_nothing(environment: Environment, file: File, content: bytes) -> None:
    """Too short, empty, of another version, or nonsense."""
    if content:
        file.write_at(0, content)

    assert read_old_page(environment, file) == (False, 1)
    assert read_records(file) == []


def test_a_page_is_written_in_full_and_durable(
    filesystem: SimulatedFileSystem, environment: Environment, file: File
) -> None:
    """Also over an older, longer one whose marks are set, and when writes are short."""
    file.write_at(0, b"\xff" * PAGE_BYTES)
    filesystem.fail(Fault(short_bytes=1000, times=None))
    create_page(environment, file, record(5))
    filesystem.open_directory("/data").sync()
    filesystem.open_directory("/").sync()
    after = filesystem.after_power_loss()
    old = after.open_directory("/data").open("SHARED", "read")

    assert old.size() == PAGE_BYTES
    assert read_records(old) == [record(5)]
    assert read_old_page(environment, old) == (False, record(5).next_file_number)
