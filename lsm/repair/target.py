"""The new database of a repair: tables in the last level, an empty log, a manifest.

Sequence numbers go on above all that the old directory ever used, because positions in logs are made of them.
"""

from __future__ import annotations

from lsm.compaction.outputs import shortened_bounds
from lsm.environment import Directory, Environment
from lsm.filenames import table_name
from lsm.manifest import Manifest, write_current, write_manifest
from lsm.options import Options
from lsm.runs import Run
from lsm.sstable.properties import TableEdit, TableProperties
from lsm.sstable.writer import TableWriter, WrittenTable
from lsm.version import LogReference, TableMetadata, Version
from lsm.write_ahead_log.header import LogHeader
from lsm.write_ahead_log.writer import create_log

_TABLE_SHIFT = 2
"""Tables are written four times as large as those of the first level."""


class Target:
    """Writes the tables of one new directory, then makes it a database. One thread uses it."""

    def __init__(self, environment: Environment, directory: Directory, options: Options, last_sequence: int) -> None:
        """Write to `directory`, which is empty; the first commit will have the sequence after `last_sequence`."""
        self._environment = environment
        self._directory = directory
        self._options = options
        self._last_sequence = last_sequence
        self._writer: TableWriter | None = None
        self._identity = 0
        self._finished: list[tuple[int, WrittenTable]] = []
        self.entry_count = 0

    def add(self, run: Run) -> None:
        """Append entries, ascending over all calls. Raises `StorageError`."""
        if self._writer is None:
            self._writer = self._new_table()
        self._writer.add(*run)
        self.entry_count += len(run[0])
        if self._writer.size_bytes >= self._options.table_bytes << _TABLE_SHIFT:
            self._finish_table(self._writer)

    def finish(self) -> None:
        """Make the directory a database with what was added, durably. Raises `StorageError`."""
        if self._writer is not None:
            self._finish_table(self._writer)
        number = len(self._finished) + 1
        identity, incarnation = self._random(8), self._random(8)
        header = LogHeader(identity, incarnation, number, predecessor_last_sequence=self._last_sequence)
        log = create_log(self._directory, header)
        log.file.sync()
        log.file.close()
        levels = ((),) * (self._options.level_count - 1) + (self._tables(),)
        manifest = Manifest(
            number=number + 1,
            previous_number=None,
            oldest_log=LogReference(number, identity),
            version=Version(levels, self._last_sequence),
            next_file_number=number + 2,
        )
        write_current(self._directory, manifest.number, write_manifest(self._directory, manifest))

    def _new_table(self) -> TableWriter:
        options = self._options
        self._identity = self._random(16)
        return TableWriter(
            self._directory.open(table_name(len(self._finished) + 1), "create"),
            self._identity,
            block_bytes=options.block_bytes,
            compression=options.bottommost_compression,
            filter_bits_per_key=options.filter_bits_per_key,
        )

    def _finish_table(self, writer: TableWriter) -> None:
        edit = TableEdit(manifest_number=0, level=self._options.level_count - 1, place=len(self._finished))
        properties = TableProperties(edit=edit, first_sequence=0, last_sequence=self._last_sequence)
        self._finished.append((self._identity, writer.finish(properties)))
        self._writer = None

    def _tables(self) -> tuple[TableMetadata, ...]:
        bounds = shortened_bounds([(table.smallest, table.largest) for _, table in self._finished], (b"", None))
        return tuple(
            TableMetadata(
                number=number,
                identity=identity,
                size_bytes=table.size_bytes,
                smallest=smallest,
                largest=largest,
                entry_count=table.entry_count,
                tombstone_count=table.tombstone_count,
                range_tombstone_count=0,
                first_sequence=0,
                last_sequence=self._last_sequence,
                level_at_creation=self._options.level_count - 1,
            )
            for number, ((identity, table), (smallest, largest)) in enumerate(
                zip(self._finished, bounds, strict=True), start=1
            )
        )

    def _random(self, size_bytes: int) -> int:
        """Return a random number that is not 0."""
        return int.from_bytes(self._environment.random_bytes(size_bytes), "little") or 1
