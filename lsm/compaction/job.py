"""The execution of a plan: inputs are merged, what nobody needs any more is left out, and the rest written as tables.

What is left out: entries that a newer input has under the same key (O1) or hides by a range tombstone (O4), and
tombstones of both kinds below which nothing older can lie (O6). Inputs that lie wholly within a range tombstone of a
newer input are not even read.

The job installs nothing and removes nothing. Its memory does not grow with the data: it holds one run of each source,
the range tombstones, and two unfinished tables. It runs in one thread and takes no lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain, compress
from typing import Protocol

from lsm.compaction.outputs import OpenTable, Outputs
from lsm.compaction.plan import LevelTables, Plan
from lsm.environment import File
from lsm.errors import CorruptionError
from lsm.merging import Source, merge
from lsm.options import Options
from lsm.range_tombstones import clip, covers, flatten
from lsm.runs import Range, Run
from lsm.sstable.writer import TableWriter
from lsm.version import TableMetadata


class Reader(Protocol):
    """The part of `TableReader` that is used here."""

    @property
    def path(self) -> str:
        """Path of the file, for messages."""
        ...

    def runs(self, *, fill_cache: bool) -> Iterator[Run]:
        """Yield all entries."""
        ...

    def range_tombstones(self) -> list[Range]:
        """Return the deleted ranges."""
        ...


class NewTable(Protocol):
    """A table file that was just made: empty, with a number and a random identity."""

    @property
    def number(self) -> int:
        """Its number, never used before."""
        ...

    @property
    def identity(self) -> int:
        """128 random bits."""
        ...

    @property
    def file(self) -> File:
        """The open file."""
        ...


def run_job(
    plan: Plan,
    readers: Mapping[int, Reader],
    new_table: Callable[[], NewTable],
    options: Options,
    *,
    manifest_number: int,
    cancelled: Callable[[], bool],
    progress: Callable[[int], None] | None,
) -> list[TableMetadata] | None:
    """Write the outputs of `plan` and sync them; return them ascending, for `plan_edit`. There may be none.

    A trivial move returns its inputs at once. Costs about as much as reading, merging and writing all inputs once.

    Args:
        plan: what to do.
        readers: the inputs, by number.
        new_table: makes the next output file. What it made is worth nothing unless tables are returned; who made it
            removes it then.
        options: how to write tables.
        manifest_number: the manifest that `plan` was made for; it goes into the properties of the outputs.
        cancelled: asked between runs whether to stop.
        progress: told how many more bytes of the input are done; they add up to `plan.size_bytes`.

    Returns:
        The outputs, or None if `cancelled` said so.

    Raises:
        CorruptionError: an input is damaged, or does not hold as many entries as the version says.
        StorageError: a call failed.
    """
    if plan.trivial_move:
        return list(plan.tables())
    sources = _sources(plan, readers, progress or _ignore)
    ranges = flatten(chain.from_iterable(source.range_tombstones for source in sources))
    outputs = Outputs(plan, ranges, lambda: _open_table(plan, new_table(), options), manifest_number)
    for run in merge(sources, keep_tombstones=bool(plan.older)):
        if cancelled():
            return None
        outputs.add(without_useless_tombstones(run, plan.older))
    return None if cancelled() else outputs.finish()


def without_useless_tombstones(run: Run, older: tuple[Range, ...]) -> Run:
    """Return the run without tombstones of keys that lie in none of the flat ranges `older` (O6)."""
    keys, values = run
    if None not in values:
        return run
    kept = [value is not None or covers(older, key) for key, value in zip(keys, values, strict=True)]
    return list(compress(keys, kept)), list(compress(values, kept))


def _ignore(size_bytes: int) -> None:
    """Tell nobody."""


def _open_table(plan: Plan, new: NewTable, options: Options) -> OpenTable:
    writer = TableWriter(
        new.file,
        new.identity,
        block_bytes=options.block_bytes,
        compression=options.bottommost_compression if plan.bottommost else options.compression,
        filter_bits_per_key=options.filter_bits_per_key,
    )
    return OpenTable(new.number, new.identity, writer)


def _sources(plan: Plan, readers: Mapping[int, Reader], progress: Callable[[int], None]) -> list[Source]:
    """Return what to merge, newest first: each table of level 0 on its own, the tables of a deeper level in a row."""
    hidden: list[Range] = []
    sources = []
    for level, tables in plan.inputs:
        groups = [LevelTables(level, (table,)) for table in tables] if level == 0 else [LevelTables(level, tables)]
        for group in groups:
            source = _source(group.tables, readers, progress, hidden)
            hidden = flatten([*hidden, *source.range_tombstones])
            sources.append(source)
    return sources


def _source(
    tables: tuple[TableMetadata, ...],
    readers: Mapping[int, Reader],
    progress: Callable[[int], None],
    hidden: list[Range],
) -> Source:
    """Return ascending disjoint tables as one source, without those that newer range tombstones hide whole.

    What is hidden whole adds no range tombstones either: they reach no further than what hides them.
    """
    seen = []
    for table in tables:
        if clip(hidden, table.smallest, table.stop) == [(table.smallest, table.stop)]:
            progress(table.size_bytes)
        else:
            seen.append(table)
    ranges = [part for table in seen for part in readers[table.number].range_tombstones()]
    return Source(chain.from_iterable(_runs(readers[table.number], table, progress) for table in seen), ranges)


def _runs(reader: Reader, table: TableMetadata, progress: Callable[[int], None]) -> Iterator[Run]:
    """Yield the entries of a table; raise `CorruptionError` at the end if they are not as many as it should have."""
    entry_count = done_bytes = 0
    for run in reader.runs(fill_cache=False):
        entry_count += len(run[0])
        reached_bytes = table.size_bytes * min(entry_count, table.entry_count) // max(table.entry_count, 1)
        progress(reached_bytes - done_bytes)
        done_bytes = reached_bytes
        yield run
    if entry_count != table.entry_count:
        raise CorruptionError(reader.path, 0, f"{entry_count} entries instead of {table.entry_count}")
    progress(table.size_bytes - done_bytes)
