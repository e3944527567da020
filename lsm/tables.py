"""The open tables of one version, in the order in which they are asked: level 0 newest first, then deeper levels.

Order is what replaces sequence numbers: newer data always lies above, so the first table that speaks about a key has
the answer. A table is passed over only by its bounds, which include its range tombstones; its filter is its own matter.

A `TableSet` never changes. All its files are open from the beginning, so a table stays readable for whoever holds the
set, also when a compaction has removed its name; a file is closed when nobody holds a set with it any more. The set of
the next version takes over the open tables that both have. Any number of threads may read; no lock is taken here.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import chain, pairwise
from typing import NamedTuple

from lsm.block_cache import BlockCache
from lsm.environment import Directory
from lsm.errors import CorruptionError
from lsm.filenames import table_name
from lsm.kernel import LookupLevel, LookupTable, kernel
from lsm.merging import Source
from lsm.range_tombstones import clip, flatten, gaps
from lsm.runs import Range, Run
from lsm.sstable.reader import TableReader
from lsm.version import TableMetadata, Version, empty_version

SKIPPED_ENTRIES = 1000
"""A deleted range with about as many entries of a table is jumped over; a smaller one is read and left out."""
LOOK_AHEAD = 64
"""So many deleted ranges are measured at a time, lest a short scan measures thousands."""


class _Level(NamedTuple):
    """A level below 0, laid out for look-ups: bounds ascending, readers beside them."""

    largest: list[bytes]
    """One shorter than the others if the last table has no upper bound."""
    smallest: list[bytes]
    readers: list[TableReader]
    ranged: frozenset[TableReader]
    """Those that have range tombstones."""


class TableSet:
    """Open readers for all tables of `version`; see the module."""

    __slots__ = ("_deeper", "_newest", "_newest_ranged", "get", "multi_get", "readers", "version")

    def __init__(self, version: Version, readers: dict[int, TableReader], hits: array[int]) -> None:
        """Make the set from a version and the reader of each of its tables, by number.

        `hits` counts blocks that are found in the cache.
        """
        self.version = version
        self.readers = readers
        self._newest = [(table.smallest, table.largest, readers[table.number]) for table in version.levels[0]]
        self._newest_ranged = _ranged(version.levels[0], readers)
        self._deeper = [_level(tables, readers) for tables in version.levels[1:] if tables]
        newest = [_level((table,), readers) for table in version.levels[0]]
        levels = kernel().new_levels([_lookup_level(level) for level in (*newest, *self._deeper)], hits)
        self.get = levels.get
        """Return the value of a key, None if it is deleted, `MISSING` if no table speaks about it.

        Raises `CorruptionError`, `StorageError`. Cost: a probe of the filter of each table in level 0 and of one table
        in each deeper level whose bounds contain the key; rarely more than one block.
        """
        self.multi_get = levels.multi_get
        """Return what `get` returns for each of some keys, in their order."""

    def sources(
        self, start: bytes | None, stop: bytes | None, hidden: Sequence[Range] = (), *, reverse: bool = False
    ) -> list[Source]:
        """Return what the tables hold in [start, stop), newest first, as sources of a merge.

        `hidden` are flat ranges that newer sources delete; long ones are not read. Nothing is read before it is needed,
        except the range tombstones. Raises as `get`, also while the sources are read.
        """
        found: list[Source] = []
        for readers, ranged in self._groups(start, stop):
            having = [reader.range_tombstones() for reader in readers if reader in ranged]
            ranges = [part for ranges in having for part in clip(ranges, start, stop)]
            found.append(Source(_level_runs(readers, start, stop, hidden, reverse), ranges))
            if ranges:
                hidden = flatten([*hidden, *ranges])
        return found

    def estimate(self, start: bytes | None, stop: bytes | None) -> tuple[int, int]:
        """Return about how many entries lie in [start, stop) and their bytes on disk, from the indexes alone."""
        entries = size_bytes = 0
        for reader in chain.from_iterable(readers for readers, _ in self._groups(start, stop)):
            more = reader.estimate(start, stop)
            entries += more[0]
            size_bytes += more[1]
        return entries, size_bytes

    def _groups(
        self, start: bytes | None, stop: bytes | None
    ) -> Iterator[tuple[list[TableReader], frozenset[TableReader]]]:
        """Yield the tables that overlap [start, stop), newest first; those of one age, being disjoint, together.

        Beside them stands which tables have range tombstones.
        """
        for smallest, largest, reader in self._newest:
            if (stop is None or smallest < stop) and (start is None or largest is None or start <= largest):
                yield [reader], self._newest_ranged
        for level in self._deeper:
            first = 0 if start is None else bisect_left(level.largest, start)
            last = None if stop is None else bisect_left(level.smallest, stop)
            readers = level.readers[first:last]
            if readers:
                yield readers, level.ranged


def open_tables(
    directory: Directory, version: Version, cache: BlockCache, previous: TableSet | None = None
) -> TableSet:
    """Open the tables of `version`; those that `previous` has open are shared with it.

    Raises:
        MissingFileError: a file is gone; if another process may have compacted it away, load the version anew.
        CorruptionError: a file has not the length that the version says.
        StorageError: the system refused, for example because too many files are open.
    """
    known = {} if previous is None else previous.readers
    readers = {}
    for table in version.tables():
        readers[table.number] = known.get(table.number) or _open_table(directory, table, cache)
    return TableSet(version, readers, cache.hit_counter)


def no_tables(level_count: int) -> TableSet:
    """Return the set of a new database."""
    return TableSet(empty_version(level_count), {}, array("Q", [0]))


def _open_table(directory: Directory, table: TableMetadata, cache: BlockCache) -> TableReader:
    file = directory.open(table_name(table.number), "read")
    size_bytes = file.size()
    if size_bytes != table.size_bytes:
        reason = f"the file has {size_bytes} bytes, the manifest says {table.size_bytes}"
        raise CorruptionError(file.path, min(size_bytes, table.size_bytes), reason)
    return TableReader(file, table.identity, cache)


def _level(tables: Sequence[TableMetadata], readers: dict[int, TableReader]) -> _Level:
    return _Level(
        [table.largest for table in tables if table.largest is not None],
        [table.smallest for table in tables],
        [readers[table.number] for table in tables],
        _ranged(tables, readers),
    )


def _lookup_level(level: _Level) -> LookupLevel:
    tables = [LookupTable(reader.get, reader.root, reader in level.ranged) for reader in level.readers]
    return LookupLevel(level.largest, level.smallest, tables)


def _ranged(tables: Sequence[TableMetadata], readers: dict[int, TableReader]) -> frozenset[TableReader]:
    return frozenset(readers[table.number] for table in tables if table.range_tombstone_count)


def _level_runs(
    readers: Sequence[TableReader], start: bytes | None, stop: bytes | None, hidden: Sequence[Range], reverse: bool
) -> Iterator[Run]:
    """Return the entries of disjoint, ascending tables in [start, stop), without long hidden ranges."""
    if len(readers) == 1 and not hidden:
        return readers[0].runs(start, stop, reverse=reverse)
    ordered = reversed(readers) if reverse else readers
    if not hidden:
        return chain.from_iterable(reader.runs(start, stop, reverse=reverse) for reader in ordered)
    return chain.from_iterable(_runs_between(reader, start, stop, hidden, reverse) for reader in ordered)


def _runs_between(
    reader: TableReader, start: bytes | None, stop: bytes | None, hidden: Sequence[Range], reverse: bool
) -> Iterator[Run]:
    """Yield the entries of a table in [start, stop), jumping over hidden ranges in which it has many."""
    cuts = [low for low, _ in clip(hidden, start, stop)[LOOK_AHEAD::LOOK_AHEAD]]
    windows = list(pairwise([start or b"", *cuts, stop]))
    for low, high in reversed(windows) if reverse else windows:
        assert low is not None
        long = [part for part in clip(hidden, low, high) if reader.estimate(*part)[0] >= SKIPPED_ENTRIES]
        parts = gaps(long, low, high)
        for part in reversed(parts) if reverse else parts:
            yield from reader.runs(*part, reverse=reverse)
