"""Fuzz targets for the small parsers of the engine: logs, batches, manifests, CURRENT, SHARED."""

from __future__ import annotations

import msgspec

from lsm.checksum import place_salt
from lsm.environment import Directory, File
from lsm.errors import CorruptionError, FormatError, InvalidArgumentError
from lsm.filenames import CURRENT, SHARED
from lsm.kernel import kernels
from lsm.kernel.interface import Kernel
from lsm.kernel.log_frames import encode_frame
from lsm.manifest import Manifest, decode_manifest, encode_manifest, manifest_checksum, read_current, write_current
from lsm.shared_page import Record, create_page, read_old_page, read_promise, read_records
from lsm.testing import SimulatedEnvironment, SimulatedFileSystem
from lsm.version import LogReference, TableMetadata, Version
from lsm.write_ahead_log.frame import HEADER_BYTES, parse_header
from lsm.write_ahead_log.header import LOG_HEADER_BYTES, parse_log_header
from lsm.write_ahead_log.reader import LogReader, frame_headers, possible_identities, promise_beyond
from lsm.write_batch import WriteBatch, encode_batch
from tests.fuzz.seals import sealed_log, sealed_page, sealed_text
from tests.fuzz.target import Target
from tests.support.logs import LogBytes, put_batch

_IDENTITY = 0x0102030405060708


def _directory() -> Directory:
    filesystem = SimulatedFileSystem()
    filesystem.create_directory("/data")
    return filesystem.open_directory("/data")


def file_of(data: bytes, name: str = "000001.wal") -> File:
    """Return a file with this content."""
    file = _directory().open(name, "create")
    if data:
        file.write_at(0, data)
    return file


def _parse_log(data: bytes) -> None:
    """Read a log to its end, and look behind its breaks, as recovery and repair do."""
    file = file_of(data)
    for identity in possible_identities(file):
        list(frame_headers(file, identity, LOG_HEADER_BYTES))
    promise_beyond(file, 1, LOG_HEADER_BYTES, start=LOG_HEADER_BYTES)
    reader = LogReader(file)
    entries = sum(len(frame.batch) for frame in reader.frames())
    assert entries == reader.entry_count
    assert LOG_HEADER_BYTES <= reader.end <= len(data)


def _logs() -> list[bytes]:
    first = LogBytes(1).put(b"a", b"b").put(b"c", promise=(1, 90))
    batch = WriteBatch()
    batch.put(b"k", b"v" * 40)
    batch.delete(b"gone")
    batch.delete_range(b"a", b"bb")
    second = LogBytes(2, after=first, durable=True).add(batch, promise=(2, 84)).add(WriteBatch())
    return [first.content, second.content, first.content[:LOG_HEADER_BYTES]]


def _parse_frame(data: bytes) -> None:
    """Read the header of a frame at a place that the input chooses."""
    offset = int.from_bytes(data[:2], "little")
    header = parse_header(data[2:], _IDENTITY, offset)
    if header is not None:
        assert len(data) - 2 >= HEADER_BYTES
        place_salt(header.marker, offset)


def _frames() -> list[bytes]:
    body = encode_batch(put_batch(b"key"))
    return [(84).to_bytes(2, "little") + encode_frame(_IDENTITY, 84, 1, 1, (1, 84), body)]


def _parse_batch(data: bytes) -> None:
    """Decode a batch with every kernel; the first four bytes are the count."""
    count, body = int.from_bytes(data[:4], "little"), data[4:]
    agreed(lambda kernel: kernel.decode_entries(body, count))


def agreed(question: object) -> object:
    """Ask every kernel the same; return the answer or raise the error, which must be the same for all."""
    answers = [_answer(question, kernel) for kernel in kernels().values()]
    assert all(answer == answers[0] for answer in answers), f"the kernels disagree: {answers}"
    if isinstance(answers[0], tuple) and answers[0][:1] == ("error",):
        raise CorruptionError("agreed", 0, str(answers[0][1]))
    return answers[0]


def _answer(question: object, kernel: Kernel) -> object:
    assert callable(question)
    try:
        return question(kernel)
    except (CorruptionError, FormatError, InvalidArgumentError) as error:
        return ("error", type(error).__name__)


def _batches() -> list[bytes]:
    batch = put_batch(b"one", b"two")
    batch.delete(b"three")
    batch.delete_range(b"four", b"six")
    return [len(batch).to_bytes(4, "little") + encode_batch(batch), bytes(4)]


def _parse_manifest(data: bytes) -> None:
    manifest = decode_manifest(data, "MANIFEST-000001")
    assert decode_manifest(encode_manifest(manifest), "again") == manifest


def _manifests() -> list[bytes]:
    table = TableMetadata(
        number=3, identity=1 << 100, size_bytes=900, smallest=b"a", largest=b"m", entry_count=9, tombstone_count=1,
        range_tombstone_count=0, first_sequence=1, last_sequence=9, level_at_creation=0,
    )  # fmt: skip
    empty = Manifest(
        number=2, previous_number=None, oldest_log=LogReference(1, 7), version=Version(((), ())), next_file_number=3
    )
    full = msgspec.structs.replace(
        empty, number=4, previous_number=2, version=Version(((table,), ()), 9), next_file_number=5
    )
    return [encode_manifest(empty), encode_manifest(full)]


def _parse_current(data: bytes) -> None:
    directory = _directory()
    directory.open(CURRENT, "create").write_at(0, data or b" ")
    read_current(directory)


def _currents() -> list[bytes]:
    directory = _directory()
    write_current(directory, 4, manifest_checksum(_manifests()[1]))
    file = directory.open(CURRENT, "read")
    return [file.read_at(0, file.size())]


def _parse_page(data: bytes) -> None:
    directory = _directory()
    file = directory.open(SHARED, "create")
    file.write_at(0, data or b" ")
    read_records(file)
    promise = read_promise(directory)
    page = read_old_page(SimulatedEnvironment(), file)
    assert max(page.next_file_number, promise.manifest_number, *promise.durable) < 1 << 62


def _pages() -> list[bytes]:
    directory = _directory()
    file = directory.open(SHARED, "create")
    page = create_page(SimulatedEnvironment(), file, Record(9, 2, 3, 84, 84, 3, 84, 7, 5))
    page.publish(Record(9, 2, 3, 184, 184, 3, 84, 8, 5))
    return [file.read_at(0, 4096)[:360]]


ENGINE_TARGETS = [
    Target("log", _parse_log, _logs, sealed_log),
    Target("log-header", lambda data: parse_log_header(data, "log"), _logs, sealed_log),
    Target("frame", _parse_frame, _frames),
    Target("batch", _parse_batch, _batches),
    Target("manifest", _parse_manifest, _manifests, sealed_text),
    Target("current", _parse_current, _currents, sealed_text),
    Target("shared", _parse_page, _pages, sealed_page),
]
