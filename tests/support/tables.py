"""Small tables on a simulated disk, for the tests of everything that reads or writes tables."""

from collections.abc import Iterable, Iterator, Sequence

from lsm.block_cache import BlockCache
from lsm.environment import Directory, File
from lsm.kernel import kernel
from lsm.options import Compression
from lsm.runs import Missing, Range, Run, Value
from lsm.sstable.properties import TableEdit, TableProperties
from lsm.sstable.reader import TableReader
from lsm.sstable.writer import TableWriter, WrittenTable
from lsm.testing import SimulatedEnvironment, SimulatedFileSystem

IDENTITY = 0x00112233445566778899AABBCCDDEEFF
PROPERTIES = TableProperties(
    edit=TableEdit(manifest_number=4, level=1, place=0, consumed_tables=(2, 3)), first_sequence=1, last_sequence=99
)
NAME = "000005.sst"

Entries = Sequence[tuple[bytes, Value]]


def new_directory() -> Directory:
    """Return an empty directory of a new simulated disk."""
    filesystem = SimulatedFileSystem()
    filesystem.create_directory("/data")
    return filesystem.open_directory("/data")


def new_cache(capacity_bytes: int = 1 << 20) -> BlockCache:
    """Return an empty cache."""
    return BlockCache(capacity_bytes, SimulatedEnvironment().lock())


def new_writer(
    file: File,
    *,
    identity: int = IDENTITY,
    block_bytes: int = 64,
    compression: Compression = "none",
    filter_bits_per_key: int = 10,
) -> TableWriter:
    """Return a writer with small blocks."""
    return TableWriter(
        file,
        identity,
        block_bytes=block_bytes,
        compression=compression,
        filter_bits_per_key=filter_bits_per_key,
    )


def write_table(
    directory: Directory,
    entries: Entries,
    ranges: Sequence[Range] = (),
    *,
    identity: int = IDENTITY,
    block_bytes: int = 64,
    compression: Compression = "none",
    filter_bits_per_key: int = 10,
) -> WrittenTable:
    """Write a table called `NAME` in one go."""
    file = directory.open(NAME, "create")
    writer = new_writer(
        file,
        identity=identity,
        block_bytes=block_bytes,
        compression=compression,
        filter_bits_per_key=filter_bits_per_key,
    )
    writer.add([key for key, _ in entries], [value for _, value in entries])
    writer.add_range_tombstones(ranges)
    written = writer.finish(PROPERTIES)
    file.close()
    return written


def open_table(directory: Directory, cache: BlockCache | None = None, identity: int | None = IDENTITY) -> TableReader:
    """Return a reader of the table called `NAME`."""
    return TableReader(directory.open(NAME, "read"), identity, new_cache() if cache is None else cache)


def look_up(reader: TableReader, key: bytes) -> bytes | Missing | None:
    """Ask a reader for a key as the engine does."""
    return reader.get(key, kernel().key_hashes([key])[0])


def flatten(runs: Iterable[Run]) -> list[tuple[bytes, Value]]:
    """Return the entries of runs, checking on the way that no run is empty and that its lists are equally long."""
    return list(_flattened(runs))


def _flattened(runs: Iterable[Run]) -> Iterator[tuple[bytes, Value]]:
    for keys, values in runs:
        assert keys
        yield from zip(keys, values, strict=True)
