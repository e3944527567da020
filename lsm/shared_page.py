"""The page that all processes with the directory open see at once: where the log ends and what state it is in.

Nothing in it is relied on for durability: recovery rebuilds it and believes the marks for a sync under way and for a
failed one, and those only in the same boot of the machine. It makes things cheap, not right. What its records promise
(that a manifest was live, that a log was on the disk up to a place) was true before the record was written and is true
ever after, so a directory that shows less is damaged; a page that is lost, old or damaged promises less.

    page     := magic version boot_id zeros...            4096 bytes, written in full and synced by recovery
                dirty poison request at their offsets
                record zeros record zeros
    magic    := "LDBSHARE"         offset 0
    version  := u32                offset 8     layout of this page, 1
    boot_id  := 16 bytes           offset 16    of the boot in which recovery wrote the page
    dirty    := u8                 offset 64    1 while a sync is under way, and while a recovery is not at its end
    poison   := u8                 offset 72    1 after a failed sync: nobody may write until recovery
    request  := u8                 offset 80    0 none, 1 flush, 2 compact, 3 hand over: asked of the maintenance holder
    record   := at offset 128 and 256, written in turn; a reader takes the valid one with the higher counter
        counter, incarnation, manifest number, live log, appended end, committed end,
        durable log, durable offset, last sequence, next file number     u64 each
        version u32, CRC-32C u32 of what precedes

All integers little-endian. A record is 88 bytes. Written only under LOCK (today: by the one process that has the
directory open, under its commit mutex); read by anyone.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from lsm.checksum import checksum
from lsm.environment import Directory, Environment, File, SharedMemory, write_all
from lsm.errors import MissingFileError
from lsm.filenames import SHARED

PAGE_BYTES = 4096
_LARGEST_NUMBER = (1 << 62) - 1
_MAGIC = b"LDBSHARE"
_VERSION = 1
_HEADER = struct.Struct("<8sI4x16s")
_DIRTY, _POISON, _REQUEST = 64, 72, 80
_RECORDS = (128, 256)
_FIELDS = struct.Struct("<10QI")
_CRC = struct.Struct("<I")
_RECORD_BYTES = _FIELDS.size + _CRC.size


class Record(NamedTuple):
    """What one process tells the others at the end of a commit; offsets in bytes."""

    incarnation: int
    manifest_number: int
    live_log: int
    appended_end: int
    committed_end: int
    durable_log: int
    durable_offset: int
    last_sequence: int
    next_file_number: int


class SharedPage:
    """The mapped page. `publish` is for the writer under its lock; everything else may be called by anyone."""

    __slots__ = ("_counter", "_memory")

    def __init__(self, memory: SharedMemory) -> None:
        self._memory = memory
        self._counter = 0

    @property
    def dirty(self) -> bool:
        """Whether a sync, or a recovery, began and did not end."""
        return self._memory.load(_DIRTY, 1) != b"\x00"

    def set_dirty(self) -> None:
        """Mark that a sync begins, whose failure nobody would hear of if the process died in it."""
        self._memory.store(_DIRTY, b"\x01")

    def clear_dirty(self) -> None:
        """Mark that no sync is under way."""
        self._memory.store(_DIRTY, b"\x00")

    @property
    def poisoned(self) -> bool:
        """Whether a sync failed since the last recovery."""
        return self._memory.load(_POISON, 1) != b"\x00"

    def set_poison(self) -> None:
        """Stop all writes of all processes until recovery."""
        self._memory.store(_POISON, b"\x01")

    def publish(self, record: Record) -> None:
        """Write the record in the slot that holds the older one. About 0.6 µs."""
        self._counter += 1
        data = _FIELDS.pack(self._counter, *record, _VERSION)
        self._memory.store(_RECORDS[self._counter & 1], data + _CRC.pack(checksum(data)))

    def read(self) -> Record | None:
        """Return the newest whole record, or None when there is none."""
        records = _records(self._memory.load(0, PAGE_BYTES))
        return records[-1] if records else None

    def close(self) -> None:
        """Give the mapping back."""
        self._memory.close()


class Promise(NamedTuple):
    """What the disk held for certain when a record was written; (0, 0) and 0 when nothing is known."""

    manifest_number: int = 0
    """This manifest was live: CURRENT, or the one after it, named it."""
    durable: tuple[int, int] = (0, 0)
    """(log number, offset): everything before this place was on the disk."""
    incarnation: int = 0
    """That of the newest record; proves that a log is one of this directory."""
    last_sequence: int = 0
    """No sequence number up to this one is free."""


class OldPage(NamedTuple):
    """What recovery takes from the page of the incarnation before."""

    interrupted: bool
    """A sync or a recovery was under way, or a sync had failed, in this boot of the machine."""
    next_file_number: int


def create_page(environment: Environment, file: File, record: Record, *, dirty: bool = False) -> SharedPage:
    """Write the page in full with `record` and the dirty mark, sync it, and map it."""
    header = _HEADER.pack(_MAGIC, _VERSION, environment.boot_id())
    data = _FIELDS.pack(0, *record, _VERSION)
    page = bytearray(PAGE_BYTES)
    page[: len(header)] = header
    page[_DIRTY] = dirty
    page[_RECORDS[0] : _RECORDS[0] + _RECORD_BYTES] = data + _CRC.pack(checksum(data))
    write_all(file, 0, bytes(page))
    file.sync()
    return SharedPage(file.map(PAGE_BYTES))


def read_old_page(environment: Environment, file: File) -> OldPage:
    """Return what the page says, believing nothing that could be wrong; an unreadable page says nothing."""
    data = file.read_at(0, PAGE_BYTES).ljust(PAGE_BYTES, b"\x00")
    magic, version, boot_id = _HEADER.unpack_from(data)
    if magic != _MAGIC or version != _VERSION:
        return OldPage(interrupted=False, next_file_number=1)
    marked = data[_DIRTY] != 0 or data[_POISON] != 0
    numbers = [record.next_file_number for record in _records(data)]
    return OldPage(marked and boot_id == environment.boot_id(), max(numbers, default=1))


def mark_doubtful(environment: Environment, file: File) -> None:
    """Set the dirty mark of this boot in the page of the incarnation before, for the time of a recovery.

    The records stay. Without the boot id the mark would not count in the first recovery after a power loss, nor where
    the page was lost.
    """
    header = _HEADER.pack(_MAGIC, _VERSION, environment.boot_id())
    write_all(file, 0, header.ljust(_DIRTY, b"\x00") + b"\x01")


def read_records(file: File) -> list[Record]:
    """Return the whole records in the page, the newest last."""
    return _records(file.read_at(0, PAGE_BYTES).ljust(PAGE_BYTES, b"\x00"))


def read_promise(directory: Directory) -> Promise:
    """Return what the page of a directory promises; nothing when there is no page that can be read."""
    try:
        file = directory.open(SHARED, "read")
    except MissingFileError:
        return Promise()
    try:
        records = read_records(file)
    finally:
        file.close()
    return Promise(
        max((record.manifest_number for record in records), default=0),
        max(((record.durable_log, record.durable_offset) for record in records), default=(0, 0)),
        records[-1].incarnation if records else 0,
        max((record.last_sequence for record in records), default=0),
    )


def _records(page: bytes) -> list[Record]:
    parsed = [_parse_record(page[offset : offset + _RECORD_BYTES]) for offset in _RECORDS]
    return [Record(*fields[1:10]) for fields in sorted(fields for fields in parsed if fields is not None)]


def _parse_record(data: bytes) -> tuple[int, ...] | None:
    if _CRC.unpack_from(data, _FIELDS.size)[0] != checksum(data[: _FIELDS.size]):
        return None
    fields: tuple[int, ...] = _FIELDS.unpack_from(data)
    # No number ever gets that large; one that did would be given out, and could not be written back.
    return fields if fields[10] == _VERSION and max(fields[2:10]) <= _LARGEST_NUMBER else None
