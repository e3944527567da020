"""Bugs of wrong bytes: damage that was believed, dropped in silence, or cost all memory."""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

import lsm
from lsm.checksum import checksum, place_salt
from lsm.compression import Decompressor
from lsm.sstable.frame import FOOTER_BYTES, read_footer
from lsm.sstable.parts import TableParts
from lsm.testing import Fate, SimulatedEnvironment, SimulatedFileSystem, Survival, abandon
from lsm.write_ahead_log.frame import HEADER_BYTES
from lsm.write_ahead_log.header import LOG_HEADER_BYTES
from tests.defects.damage_faults import disk_of, read_files
from tests.defects.defect import Patch, instead
from tests.defects.planted_logs import damage_is_a_torn_end, first_sector_checked, torn_frames_believed
from tests.defects.planted_tables import MOST_BYTES, length_believed
from tests.historic.teeth import assert_only_twins_fail
from tests.support.small import SMALL

pytestmark = pytest.mark.filterwarnings("ignore")  # a check that fails, as it must with a twin, leaves its handle
PATH = "/data"
Files = dict[str, bytes]
KEPT, LOST = Fate.kept(), Fate()
MOST_EXTRA_BYTES = 1 << 20


def files_of(act: Callable[[lsm.Database], object]) -> Files:
    """Return the files of a database in which something was done, after closing it."""
    filesystem = SimulatedFileSystem()
    with lsm.open(PATH, SMALL, environment=SimulatedEnvironment(filesystem)) as database:
        act(database)
    return read_files(filesystem.open_directory(PATH))


def read_all(files: Files) -> dict[bytes, bytes]:
    """Open the files as a database and read it."""
    database = lsm.open(PATH, SMALL, environment=SimulatedEnvironment(disk_of(files)))
    try:
        return dict(database.scan())
    finally:
        abandon(database)


def test_a_large_write_that_was_torn_is_not_believed() -> None:
    """Of a write of many pages some came to the disk and some did not, and the record was accepted.

    leveldb #251; pebblesdb #28, found with LazyFS.
    """

    def check() -> None:
        filesystem = SimulatedFileSystem()
        database = lsm.open(PATH, SMALL, environment=SimulatedEnvironment(filesystem))
        database.put(b"small", b"1", sync=True)
        batch = lsm.WriteBatch()
        batch.put(b"large", bytes(range(256)) * 32)
        batch.put(b"other", b"2")
        database.write(batch)
        (place,) = (number for number, change in enumerate(filesystem.unsynced()) if change.bytes > 8000)
        for lost in range(17):
            kept = frozenset(range(17)) - {lost}
            survival = Survival(f"without sector {lost}", KEPT, {place: Fate(0, "zeros", kept)})
            survivor = lsm.open(PATH, SMALL, environment=SimulatedEnvironment(filesystem.after_power_loss(survival)))
            assert survivor.get(b"large") in {None, bytes(range(256)) * 32}
            assert survivor.get(b"small") == b"1"
            abandon(survivor)
        abandon(database)

    assert_only_twins_fail(check, torn_frames_believed, first_sector_checked)


def test_damage_in_the_middle_of_a_log_is_no_end() -> None:
    """A bad record in the middle of a log was taken for its end, and what followed was dropped in silence.

    pebble #453, #864, #4560, #6031 (of 2026); rocksdb #12467.
    """

    def act(database: lsm.Database) -> None:
        for number in range(6):
            database.put(b"%d" % number, b"v", sync=True)

    files = files_of(act)
    log = max(name for name in files if name.endswith(".wal"))

    def check() -> None:
        for place in range(LOG_HEADER_BYTES, len(files[log]) - HEADER_BYTES, 7):
            damaged = bytearray(files[log])
            damaged[place] ^= 1
            with suppress(lsm.CorruptionError):
                found = read_all({**files, log: bytes(damaged)})
                assert len(found) == 6, f"a flipped bit at {place} has cut the log to {sorted(found)}"

    assert_only_twins_fail(check, damage_is_a_torn_end)


def unreadable_ranges_ignored(patch: Patch) -> None:
    """Range tombstones that cannot be read count as none."""

    def make(read: Callable[[TableParts], object]) -> Callable[[TableParts], object]:
        def wrong(self: TableParts) -> object:
            try:
                return read(self)
            except lsm.CorruptionError:
                return [], []

        return wrong

    instead(patch, "lsm.sstable.parts:TableParts.range_tombstones", make)


def test_damaged_range_tombstones_bring_nothing_back() -> None:
    """A block of range tombstones that could not be read was ignored, and deleted keys returned (rocksdb 6.0.0)."""

    def act(database: lsm.Database) -> None:
        for number in range(8):
            database.put(b"k%d" % number, b"v")
        database.flush()
        database.delete_range(b"k2", b"k6")
        database.flush()

    files = files_of(act)
    table = max(name for name in files if name.endswith(".sst"))
    handle = read_footer(disk_of(files).open_directory(PATH).open(table, "read"), None).range_tombstones

    def check() -> None:
        for place in range(handle.offset, handle.offset + handle.size):
            damaged = bytearray(files[table])
            damaged[place] ^= 1
            with suppress(lsm.CorruptionError):
                assert b"k3" not in read_all({**files, table: bytes(damaged)})

    assert handle.size
    assert_only_twins_fail(check, unreadable_ranges_ignored)


def room_made_first(patch: Patch) -> None:
    """Room for the content of a block is made as its trailer says, before anything is compared."""

    def make(decompress: Callable[..., bytes]) -> Callable[..., bytes]:
        def wrong(self: Decompressor, method: int, stored: bytes, size: int, path: str, offset: int) -> bytes:
            room = bytearray(min(size, MOST_BYTES))
            content = decompress(self, method, stored, size, path, offset)
            del room
            return content

        return wrong

    instead(patch, "lsm.compression:Decompressor.decompress", make)


def test_a_crafted_file_cannot_ask_for_memory() -> None:
    """A file of 111 bytes, with right checksums, made its reader ask for 7e16 bytes.

    leveldb #1054, #1318, #1326; rocksdb #14993, #15213; LMDB CVE-2019-16224 to -16228.
    """

    def act(database: lsm.Database) -> None:
        database.put(b"a", b"1" * 100)
        database.flush()
        database.put(b"b", b"2", sync=True)

    files = files_of(act)

    def check() -> None:
        allowed = _peak_bytes(files) + MOST_EXTRA_BYTES
        for what, crafted in _crafted(files):
            peak = _peak_bytes(crafted)
            assert peak < allowed, f"{what}: {peak} bytes"

    check()
    assert_only_twins_fail(check, length_believed, room_made_first)


def _crafted(files: Files) -> Iterator[tuple[str, Files]]:
    """Yield files in which a length is impossible and every checksum is right."""
    log = max(name for name in files if name.endswith(".wal"))
    frame = bytearray(files[log][LOG_HEADER_BYTES:])
    frame[8:16] = struct.pack("<Q", 1 << 60)
    salt = place_salt(struct.unpack_from("<Q", frame)[0], LOG_HEADER_BYTES)
    frame[52:56] = struct.pack("<I", checksum(bytes(frame[:52]), salt))
    yield "the length of a frame", {**files, log: files[log][:LOG_HEADER_BYTES] + bytes(frame)}
    (table,) = (name for name in files if name.endswith(".sst"))
    footer = read_footer(disk_of(files).open_directory(PATH).open(table, "read"), None)
    for what, handle in (("properties", footer.properties), ("top index", footer.top_index)):
        data = bytearray(files[table])
        end = handle.offset + handle.size
        struct.pack_into("<I", data, end - 9, 0xFFFFFFFF)
        covered = bytes(data[handle.offset : end - 4])
        struct.pack_into("<I", data, end - 4, checksum(covered, place_salt(footer.identity, handle.offset)))
        yield f"the size of the {what}", {**files, table: bytes(data)}
    begin = len(files[table]) - FOOTER_BYTES
    data = bytearray(files[table])
    struct.pack_into("<I", data, begin + 24, 0xFFFFFFFF)
    body = bytes(data[begin : begin + FOOTER_BYTES - 12])
    struct.pack_into("<I", data, len(data) - 12, checksum(body, place_salt(footer.identity, begin)))
    yield "a handle in the footer", {**files, table: bytes(data)}


def _peak_bytes(files: Files) -> int:
    disk = disk_of(files)
    tracemalloc.start()
    try:
        with suppress(lsm.CorruptionError), lsm.open(PATH, SMALL, environment=SimulatedEnvironment(disk)) as database:
            assert len(dict(database.scan())) <= 2
            assert database.verify() is not None
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak
