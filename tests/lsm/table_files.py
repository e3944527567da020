"""Small tables on a simulated disk, for the tests of what stands above single tables."""

from collections.abc import Iterable, Mapping, Sequence
from threading import Lock

from lsm.block_cache import BlockCache
from lsm.environment import Directory
from lsm.filenames import table_name
from lsm.runs import Range, Run, Value
from lsm.sstable.properties import TableEdit, TableProperties
from lsm.sstable.writer import TableWriter
from lsm.testing import SimulatedFileSystem
from lsm.version import TableMetadata, inclusive_largest


def new_directory() -> Directory:
    """Return an empty directory on a disk of its own."""
    filesystem = SimulatedFileSystem()
    filesystem.create_directory("/data")
    return filesystem.open_directory("/data")


def new_cache() -> BlockCache:
    """Return a cache that holds everything these tests have."""
    return BlockCache(1 << 20, Lock())


def entries_run(entries: Mapping[bytes, Value]) -> Run:
    """Return entries as one run."""
    keys = sorted(entries)
    return keys, [entries[key] for key in keys]


def write_table(
    directory: Directory, number: int, runs: Iterable[Run], ranges: Sequence[Range] = (), *, level: int = 0
) -> TableMetadata:
    """Write a table with small blocks; its identity is derived from its number."""
    identity = number << 64
    file = directory.open(table_name(number), "create")
    writer = TableWriter(file, identity, block_bytes=64, compression="none", filter_bits_per_key=10)
    for keys, values in runs:
        writer.add(keys, values)
    writer.add_range_tombstones(ranges)
    edit = TableEdit(manifest_number=1, level=level, place=0)
    written = writer.finish(TableProperties(edit=edit, first_sequence=1, last_sequence=1))
    file.close()
    return TableMetadata(
        number=number,
        identity=identity,
        size_bytes=written.size_bytes,
        smallest=written.smallest,
        largest=inclusive_largest(written.largest, written.largest_is_excluded),
        entry_count=written.entry_count,
        tombstone_count=written.tombstone_count,
        range_tombstone_count=written.range_tombstone_count,
        first_sequence=1,
        last_sequence=1,
        level_at_creation=level,
    )
