"""Readable text of any file of a database, for people: what a log, a table, a manifest or CURRENT says."""

from __future__ import annotations

from collections.abc import Iterator

from lsm.block_cache import BlockCache
from lsm.environment import Directory, Environment, PathLike, path_text
from lsm.errors import InvalidArgumentError, MissingFileError
from lsm.filenames import CURRENT, SHARED, parse_name
from lsm.manifest import read_current, read_manifest
from lsm.posix import PosixEnvironment
from lsm.shared_page import read_records
from lsm.sstable.reader import TableReader
from lsm.write_ahead_log.reader import Frame, LogReader

_SHOWN_BYTES = 60


def dump(path: str | PathLike, *, environment: Environment | None = None) -> Iterator[str]:
    """Yield lines of text about a database directory (CURRENT, manifest, SHARED) or one file of it (with its entries).

    Raises `InvalidArgumentError` for a file that is none of ours, `CorruptionError` where it is damaged (what comes
    before is yielded), `FormatError`, `StorageError`. Changes nothing; may be used beside an open handle.
    """
    world = PosixEnvironment() if environment is None else environment
    absolute = world.filesystem.absolute(path_text(path))
    try:
        directory = world.filesystem.open_directory(absolute)
    except MissingFileError:
        raise
    except OSError:
        parent = world.filesystem.open_directory(world.filesystem.parent(absolute))
        yield from _dump_file(world, parent, absolute.rpartition("/")[2])
        return
    for name in directory.names():
        found = parse_name(name)
        if name in {CURRENT, SHARED} or (found is not None and found[0] == "manifest"):
            yield from _dump_file(world, directory, name)
        else:
            yield f"{name}"


def _dump_file(environment: Environment, directory: Directory, name: str) -> Iterator[str]:
    found = parse_name(name)
    if name == CURRENT:
        current = read_current(directory)
        if current is not None:
            yield f"CURRENT: manifest {current[0]}, checksum {current[1]:08x}"
    elif name == SHARED:
        file = directory.open(name, "read")
        yield from (f"SHARED: {record}" for record in read_records(file))
    elif found is None:
        raise InvalidArgumentError(f"{directory.path}/{name}: not a file of a database")
    elif found[0] == "manifest":
        yield from _dump_manifest(directory, found[1])
    elif found[0] == "log":
        yield from _dump_log(LogReader(directory.open(name, "read")))
    else:
        yield from _dump_table(TableReader(directory.open(name, "read"), None, BlockCache(0, environment.lock())))


def _dump_manifest(directory: Directory, number: int) -> Iterator[str]:
    manifest = read_manifest(directory, number, None)
    yield (
        f"MANIFEST {manifest.number}: format {manifest.format_version}, previous {manifest.previous_number}, "
        f"oldest log {manifest.oldest_log.number}, last sequence {manifest.version.last_sequence}, "
        f"next file {manifest.next_file_number}"
    )
    for level, tables in enumerate(manifest.version.levels):
        for table in tables:
            largest = "end" if table.largest is None else _shown(table.largest)
            yield (
                f"  level {level}: table {table.number}, {table.size_bytes} bytes, {table.entry_count} entries "
                f"({table.tombstone_count} deletions, {table.range_tombstone_count} ranges), "
                f"{_shown(table.smallest)} to {largest}, sequences {table.first_sequence} to {table.last_sequence}"
            )


def _dump_log(reader: LogReader) -> Iterator[str]:
    header = reader.header
    yield (
        f"LOG {header.number}: identity {header.identity:016x}, incarnation {header.incarnation:016x}, follows log "
        f"{header.predecessor_number} at {header.predecessor_end} after sequence {header.predecessor_last_sequence}"
    )
    for frame in reader.frames():
        yield from _dump_frame(frame)
    if reader.reason:
        yield f"  ends at {reader.end} of {reader.size_bytes} bytes: {reader.reason}"


def _dump_frame(frame: Frame) -> Iterator[str]:
    header = frame.header
    yield (
        f"  {frame.offset}: {header.entry_count} entries from sequence {header.first_sequence}, "
        f"durable to log {header.durable_log} offset {header.durable_offset}"
    )
    ranges = set(frame.batch.ranges)
    for place, (key, value) in enumerate(zip(frame.batch.keys, frame.batch.values, strict=True)):
        if place in ranges:
            yield f"    delete range {_shown(key)} to {_shown(value or b'')}"
        elif value is None:
            yield f"    delete {_shown(key)}"
        else:
            yield f"    put {_shown(key)} = {_shown(value)}"


def _dump_table(reader: TableReader) -> Iterator[str]:
    properties = reader.properties()
    yield f"TABLE {reader.path.rpartition('/')[2]}: identity {properties.identity}"
    for name in properties.__struct_fields__:
        yield f"  {name}: {getattr(properties, name)}"
    for start, stop in reader.range_tombstones():
        yield f"    delete range {_shown(start)} to {'end' if stop is None else _shown(stop)}"
    for keys, values in reader.runs(None, None, fill_cache=False):
        for key, value in zip(keys, values, strict=True):
            yield f"    delete {_shown(key)}" if value is None else f"    {_shown(key)} = {_shown(value)}"


def _shown(data: bytes) -> str:
    """Return bytes as Python would write them, cut off when they are long."""
    if len(data) <= _SHOWN_BYTES:
        return repr(data)
    return f"{data[:_SHOWN_BYTES]!r}... ({len(data)} bytes)"
