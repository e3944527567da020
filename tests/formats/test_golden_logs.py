"""A whole log and a whole shared page of format version 1, as bytes and as what they say.

A golden file gives the bytes in hexadecimal digits, and below the line `--` what they say.
"""

from pathlib import Path

import pytest

from lsm.dump import dump
from lsm.environment import Directory
from lsm.filenames import SHARED, log_name
from lsm.shared_page import PAGE_BYTES, Record, create_page, read_old_page, read_records
from lsm.testing import SimulatedEnvironment, SimulatedFileSystem
from lsm.write_batch import WriteBatch
from tests.support.logs import LogBytes

GOLDEN = Path(__file__).parent / "golden"
RECORDS = [Record(0x99AA, 2, 3, 84, 84, 3, 84, 6, 4), Record(0x99AA, 5, 3, 200, 190, 3, 150, 9, 7)]


def golden_text(name: str) -> tuple[bytes, list[str]]:
    """Read a golden file: the bytes, and what they say."""
    digits, _, words = (GOLDEN / name).read_text("ascii").partition("--\n")
    return bytes.fromhex(digits), words.splitlines()


def golden_log() -> LogBytes:
    """Make the log: every kind of change, a batch, and an empty frame with a promise."""
    before = LogBytes(6, identity=0x0706050403020100).put(b"a", b"b", b"c")
    log = LogBytes(7, after=before, durable=True, identity=0x1122334455667788)
    one, deletion, everything = WriteBatch(), WriteBatch(), WriteBatch()
    one.put(b"key", b"value")
    deletion.delete(b"gone")
    everything.put(b"", b"")
    everything.put(b"\xff" * 8, b"a key that is stored with a 00")
    everything.delete_range(b"from", b"to")
    everything.delete(b"key")
    everything.delete_range(None, None)
    log.add(one, promise=(6, 150)).add(deletion, promise=(6, 150))
    log.add(everything, promise=(7, log.ends[2]))
    return log.add(WriteBatch(), promise=(7, log.ends[3]))


@pytest.fixture
def filesystem() -> SimulatedFileSystem:
    """Give a disk with an empty directory."""
    made = SimulatedFileSystem()
    made.create_directory("/data")
    return made


@pytest.fixture
def directory(filesystem: SimulatedFileSystem) -> Directory:
    """Give the directory."""
    return filesystem.open_directory("/data")


def said(filesystem: SimulatedFileSystem, name: str) -> list[str]:
    """Return what a file says, in words."""
    return list(dump(f"/data/{name}", environment=SimulatedEnvironment(filesystem)))


def test_the_golden_log_is_written() -> None:
    """Header and frames have the pinned bytes."""
    assert golden_log().content == golden_text("log-1.txt")[0]


def test_the_golden_log_is_read(filesystem: SimulatedFileSystem, directory: Directory) -> None:
    """It says for ever what it said when it was written."""
    content, words = golden_text("log-1.txt")
    directory.open(log_name(7), "create").write_at(0, content)

    assert said(filesystem, log_name(7)) == words


def test_the_golden_page_is_written(filesystem: SimulatedFileSystem, directory: Directory) -> None:
    """A page with two records and both marks; all else is zero."""
    file = directory.open(SHARED, "create")
    page = create_page(SimulatedEnvironment(filesystem), file, RECORDS[0])
    page.publish(RECORDS[1])
    page.set_dirty()
    page.set_poison()

    assert file.read_at(0, 2 * PAGE_BYTES) == golden_text("shared-1.txt")[0].ljust(PAGE_BYTES, b"\x00")


def test_the_golden_page_is_read(filesystem: SimulatedFileSystem, directory: Directory) -> None:
    """Records in the order of their counters; marks of this boot, and the next file number."""
    content, words = golden_text("shared-1.txt")
    file = directory.open(SHARED, "create")
    file.write_at(0, content.ljust(PAGE_BYTES, b"\x00"))

    assert said(filesystem, SHARED) == words
    assert read_records(file) == RECORDS
    assert read_old_page(SimulatedEnvironment(filesystem), file) == (True, 7)
