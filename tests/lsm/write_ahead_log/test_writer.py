"""Writing logs: whole frames, or an error and a cut."""

import errno

import pytest

from lsm.errors import DiskFullError, StorageError
from lsm.testing import Fault, SimulatedFileSystem
from lsm.write_ahead_log.header import LOG_HEADER_BYTES, LogHeader
from lsm.write_ahead_log.reader import LogReader
from lsm.write_ahead_log.writer import LogWriter, create_log

HEADER = LogHeader(7, 8, 3, predecessor_number=2, predecessor_last_sequence=41)


@pytest.fixture
def filesystem() -> SimulatedFileSystem:
    """Give an empty disk with one directory."""
    made = SimulatedFileSystem()
    made.create_directory("/data")
    return made


def created(filesystem: SimulatedFileSystem) -> LogWriter:
    """Make the log of this module."""
    return create_log(filesystem.open_directory("/data"), HEADER)


def test_a_new_log_has_its_header(filesystem: SimulatedFileSystem) -> None:
    """And nothing of it is durable yet."""
    writer = created(filesystem)
    reader = LogReader(writer.file)

    assert reader.header == HEADER
    assert (writer.end, writer.durable_end, writer.last_sequence) == (LOG_HEADER_BYTES, 0, 41)


def test_short_writes_are_continued(filesystem: SimulatedFileSystem) -> None:
    """The header and all frames, however little the system takes at a time."""
    fault = filesystem.fail(Fault(short_bytes=3, times=None))
    writer = created(filesystem)
    writer.append(b"0123456789")

    assert writer.file.read_at(LOG_HEADER_BYTES, 100) == b"0123456789"
    assert fault.hits > 30
    assert writer.end == LOG_HEADER_BYTES


def test_a_system_that_takes_nothing_is_an_error(filesystem: SimulatedFileSystem) -> None:
    """Not an endless loop."""
    writer = created(filesystem)
    filesystem.fail(Fault(short_bytes=0, times=None))
    with pytest.raises(StorageError, match="took no bytes"):
        writer.append(b"x")


def test_a_cut_removes_what_is_behind_the_end(filesystem: SimulatedFileSystem) -> None:
    """And nothing before it."""
    writer = created(filesystem)
    writer.append(b"committed")
    writer.end += 9
    writer.append(b"not")
    writer.cut()

    assert writer.file.read_at(LOG_HEADER_BYTES, 100) == b"committed"


def test_a_log_that_cannot_be_begun_leaves_no_file(filesystem: SimulatedFileSystem) -> None:
    """A file without a whole header would be in the way of the next attempt."""
    filesystem.fail(Fault(operation="write", error=errno.ENOSPC))
    with pytest.raises(DiskFullError):
        created(filesystem)

    assert filesystem.open_directory("/data").names() == []
    assert created(filesystem).number == 3
