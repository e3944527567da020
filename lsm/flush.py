"""Flush: sealed memtables become one table at the top of level 0.

All that are sealed go together, newest over older, so a start with many small logs makes one table of them. The oldest
are always among them: memtables are flushed in the order of their logs, and only complete ones, whose entry count and
last sequence are those that the header of the next log says.
"""

from __future__ import annotations

from collections.abc import Sequence

from lsm.core import Core
from lsm.errors import CorruptionError, Error
from lsm.install import Installer
from lsm.manifest import Manifest
from lsm.memtable import Memtable
from lsm.merging import Source, merge
from lsm.options import Options
from lsm.range_tombstones import flatten
from lsm.sstable.properties import TableEdit, TableProperties
from lsm.sstable.writer import TableWriter, WrittenTable
from lsm.table_files import NewTable, create_table_file
from lsm.version import Edit, LogReference, TableMetadata, inclusive_largest, shortened_largest, shortened_smallest


def flush_sealed(core: Core, installer: Installer) -> bool:
    """Write all sealed memtables to a table and install it; return whether there were any.

    One caller at a time. Raises `StorageError`, `CorruptionError`; the memtables and their logs stay as they are then.
    """
    sealed = core.view[0].sealed
    if not sealed:
        return False
    with core.mutex:
        next_log = _successor_locked(core, sealed)
        last_sequence = core.logs[sealed[0].log_number].last_sequence
        _check_complete_locked(core, sealed)
    if not any(memtable.entry_count for memtable in sealed):
        installer.install(Edit(oldest_log=next_log))
        return True
    new = create_table_file(core)
    try:
        table = _write_table(new, core.options, sealed, installer.manifest, last_sequence)
        installer.install(Edit(added=((0, table),), last_sequence=last_sequence, oldest_log=next_log))
    except Error:
        installer.discard([new.number])
        raise
    return True


def _successor_locked(core: Core, sealed: Sequence[Memtable]) -> LogReference:
    """Return the log that recovery will begin with: the one after the newest of the sealed memtables."""
    number = min(other for other in core.logs if other > sealed[0].log_number)
    return LogReference(number, core.logs[number].identity)


def _check_complete_locked(core: Core, sealed: Sequence[Memtable]) -> None:
    """Raise `CorruptionError` if a memtable is not exactly its log; its flush would lose or invent entries."""
    for memtable in sealed:
        log = core.logs[memtable.log_number]
        if memtable.entry_count != log.entry_count:
            reason = f"the memtable has {memtable.entry_count} entries, the log {log.entry_count}"
            raise CorruptionError(log.file.path, log.end, reason)


def _write_table(
    new: NewTable, options: Options, sealed: Sequence[Memtable], before: Manifest, last_sequence: int
) -> TableMetadata:
    """Write one table with the content of the memtables, which stand newest first."""
    writer = TableWriter(
        new.file,
        new.identity,
        block_bytes=options.block_bytes,
        compression=options.compression,
        filter_bits_per_key=options.filter_bits_per_key,
    )
    ranges = [memtable.range_tombstones(memtable.last_sequence) for memtable in sealed]
    sources = [
        Source(memtable.runs(None, None, memtable.last_sequence), hidden)
        for memtable, hidden in zip(sealed, ranges, strict=True)
    ]
    for keys, values in merge(sources, keep_tombstones=True):
        writer.add(keys, values)
    writer.add_range_tombstones(flatten([part for parts in ranges for part in parts]))
    first_sequence = before.version.last_sequence + 1
    logs = tuple(memtable.log_number for memtable in reversed(sealed))
    edit = TableEdit(manifest_number=before.number, level=0, place=0, consumed_logs=logs)
    written = writer.finish(TableProperties(edit=edit, first_sequence=first_sequence, last_sequence=last_sequence))
    return TableMetadata(
        number=new.number,
        identity=new.identity,
        size_bytes=written.size_bytes,
        smallest=shortened_smallest(written.smallest),
        largest=_largest(written),
        entry_count=written.entry_count,
        tombstone_count=written.tombstone_count,
        range_tombstone_count=written.range_tombstone_count,
        first_sequence=first_sequence,
        last_sequence=last_sequence,
        level_at_creation=0,
    )


def _largest(written: WrittenTable) -> bytes | None:
    """Return the inclusive upper bound of a table for the manifest."""
    largest = inclusive_largest(written.largest, written.largest_is_excluded)
    return None if largest is None else shortened_largest(largest)
