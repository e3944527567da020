"""The repair: survey, order, tables merged into a new database, logs on top, and the name in the end.

    check both paths -> survey -> picture -> (temporary directory) tables: what is lost, what is there, merged, written
    -> manifest, CURRENT -> opened as any database: commits of the logs -> closed (durable) -> renamed

The new database is made in a directory beside the target and gets its name when it is whole. Memory: one block of each
table in level 0 and of one in each deeper level, one commit, and a memtable.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

from lsm.directory_locks import check_nobody_writes
from lsm.environment import Directory, Environment, File, FileSystem, PathLike, discard_directory, path_text
from lsm.errors import InvalidArgumentError, MissingFileError, NotADatabaseError
from lsm.filenames import CURRENT, table_name
from lsm.merging import Source, merge
from lsm.opening import open_database
from lsm.options import Options
from lsm.posix import PosixEnvironment
from lsm.range_tombstones import flatten
from lsm.repair.blocks import TableSalvage
from lsm.repair.frames import LogSalvage
from lsm.repair.log_order import log_order
from lsm.repair.order import Layer, Picture, Placed, picture
from lsm.repair.report import Findings, RepairReport
from lsm.repair.survey import Survey, take_survey
from lsm.repair.target import Target
from lsm.runs import Range

OlderValues = Literal["keep", "drop"]


def repair(
    path: str | PathLike,
    to: str | PathLike,
    options: Options | None = None,
    *,
    older_values: OlderValues = "keep",
    environment: Environment | None = None,
) -> RepairReport:
    """Save what can be read of the database in `path` into a new one at `to`.

    The old directory is only read. Works without CURRENT, with damaged or missing manifests, tables and logs. What
    comes out is a whole database, also where values of different age stand beside each other; the report lists the
    keys for which that may be so.

    Args:
        path: the damaged directory, which nobody may have open for writing.
        to: the new directory; it must not exist, or be empty. Its parent must exist and be writable.
        options: how the new database is written; its `level_count` counts only if the old manifests are lost.
        older_values: what to do with older values of keys whose newest value may be lost. "keep": they are in the new
            database. "drop": those are left out that lie below a lost part of a table.
        environment: the outside world; None means the real one.

    Returns:
        What was saved and lost. The new database is durable.

    Raises:
        NotADatabaseError: there is nothing to repair in `path`.
        LockedError: a handle has `path` open for writing.
        InvalidArgumentError: `to` is not empty, or lies inside of `path`.
        FormatError: a newer release wrote the files. StorageError: a call failed; nothing is left at `to` then.

    Cost: reads every table twice and every log two or three times, writes everything once.
    """
    if older_values not in {"keep", "drop"}:
        raise InvalidArgumentError(f"older_values must be 'keep' or 'drop', not {older_values!r}")
    world: Environment = PosixEnvironment() if environment is None else environment
    source, target = (world.filesystem.absolute(path_text(one)) for one in (path, to))
    directory = _open_source(world.filesystem, source)
    try:
        check_nobody_writes(directory)
        _check_target(world.filesystem, source, target)
        chosen = Options() if options is None else options
        return _Repair(world, directory, chosen, older_values).run(target)
    finally:
        directory.close()


def _open_source(filesystem: FileSystem, path: str) -> Directory:
    try:
        return filesystem.open_directory(path)
    except MissingFileError:
        raise NotADatabaseError(path, "there is no such directory") from None


def _check_target(filesystem: FileSystem, source: str, target: str) -> None:
    if target == source or target.startswith(source.rstrip("/") + "/"):
        raise InvalidArgumentError(f"{target}: a repaired database cannot lie inside the damaged one")
    try:
        existing = filesystem.open_directory(target)
    except MissingFileError:
        return
    try:
        if existing.names():
            raise InvalidArgumentError(f"{target}: the directory is not empty")
    finally:
        existing.close()


class _Repair:
    """One run of a repair."""

    def __init__(
        self, environment: Environment, directory: Directory, options: Options, older_values: OlderValues
    ) -> None:
        self._environment = environment
        self._directory = directory
        self._older_values = older_values
        self._findings = Findings()
        self._survey = take_survey(directory, self._findings)
        if not self._survey.tables and not self._survey.logs and CURRENT not in directory.names():
            raise NotADatabaseError(directory.path, "there is no database in this directory")
        self._picture = picture(self._survey)
        self._options = _options(options, self._picture)
        self._tables = 0

    def run(self, target: str) -> RepairReport:
        """Make the new database at `target`."""
        filesystem = self._environment.filesystem
        place = f"{target}.tmp-{self._environment.random_bytes(4).hex()}"
        filesystem.create_directory(place)
        try:
            salvage = self._make(place)
            filesystem.rename_directory(place, target)
            place = target
            _sync(filesystem, filesystem.parent(target))
        except BaseException:
            discard_directory(filesystem, place)
            raise
        found = self._findings
        return RepairReport(
            path=self._directory.path,
            target=target,
            tables=self._tables,
            logs=salvage[1].logs,
            entries=salvage[0],
            commits=salvage[1].commits,
            losses=tuple(found.losses),
            more_losses=found.more_losses,
            dropped_bytes=found.dropped_bytes,
            notes=tuple(found.notes),
        )

    def _make(self, place: str) -> tuple[int, LogSalvage]:
        """Make the new database in the directory `place`; return how many entries its tables have, and the logs."""
        for note in self._picture.notes:
            self._findings.note(note)
        for number, reason, (start, stop) in self._picture.uncertain:
            self._findings.lost(table_name(number), 0, start, stop, reason)
        directory = self._environment.filesystem.open_directory(place)
        try:
            target = Target(self._environment, directory, self._options, _highest_sequence(self._survey, self._picture))
            for run in merge([source for layer in self._picture.layers for source in self._sources(layer)]):
                target.add(run)
            target.finish()
        finally:
            directory.close()
        return target.entry_count, self._apply_logs(place)

    def _sources(self, layer: Layer) -> list[Source]:
        """Return one layer of tables as sources of a merge; there is none when nothing of it can be read."""
        hidden: list[Range] = []
        salvages: list[TableSalvage] = []
        for table in layer:
            salvage = self._open(table)
            if salvage is not None:
                salvages.append(salvage)
                hidden += salvage.range_tombstones() or []
            lost = self._note_losses(table, salvage)
            if self._older_values == "drop":
                hidden += lost
        return [Source((run for salvage in salvages for run in salvage.runs()), flatten(hidden))]

    def _open(self, table: Placed) -> TableSalvage | None:
        """Open a table; None when it is missing."""
        try:
            file: File = self._directory.open(table_name(table.number), "read")
        except MissingFileError:
            return None
        self._tables += 1
        return TableSalvage(file, table)

    def _note_losses(self, table: Placed, salvage: TableSalvage | None) -> list[Range]:
        """Note what is lost of a table, and return the keys."""
        name = table_name(table.number)
        if salvage is None:
            self._findings.lost(name, 0, table.start, table.stop, "the table is missing")
            return [(table.start, table.stop)]
        lost: list[Range] = []
        for piece in salvage.pieces():
            if piece.run is None:
                self._findings.lost(name, piece.offset, piece.start, piece.stop, piece.reason)
                lost.append((piece.start, piece.stop))
        if salvage.range_tombstones() is None:
            reason = "range deletions are damaged; what they deleted may be there again"
            self._findings.lost(name, 0, table.start, table.stop, reason)
            lost.append((table.start, table.stop))
        return flatten(lost)

    def _apply_logs(self, place: str) -> LogSalvage:
        """Write the commits of the logs into the new database."""
        survey, wanted = self._survey, self._picture
        parts = log_order(survey.logs, wanted.oldest_log, wanted.first_log, survey.promise.incarnation)
        salvage = LogSalvage(self._directory, parts, wanted.last_sequence, survey.promise.durable, self._findings)
        with open_database(place, self._options, environment=self._environment) as database:
            for batch in salvage.batches():
                database.write(batch)
        return salvage


def _options(options: Options, found: Picture) -> Options:
    """Return options for writing the new database with as many levels as the old one."""
    level_count = options.level_count if found.level_count is None else found.level_count
    return dataclasses.replace(options, level_count=level_count, error_if_exists=False, sync=False)


def _highest_sequence(survey: Survey, found: Picture) -> int:
    """Return a number that is not below any sequence that the old directory is known to have used."""
    headers = (facts.header.predecessor_last_sequence for facts in survey.logs.values() if facts.header is not None)
    tables = (facts.properties.last_sequence for facts in survey.tables.values() if facts.properties is not None)
    return max(found.last_sequence, survey.promise.last_sequence, *headers, *tables, 0)


def _sync(filesystem: FileSystem, path: str) -> None:
    directory = filesystem.open_directory(path)
    try:
        directory.sync()
    finally:
        directory.close()
