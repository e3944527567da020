"""Defects of concurrency: something is seen, or done, between two steps that belong together."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from lsm.commit.durability import _sync_all
from lsm.commit.pipeline import CommitPipeline
from lsm.core import Core
from lsm.environment import Directory
from lsm.filenames import table_name
from lsm.install import Installer
from lsm.maintenance import Maintenance
from lsm.sstable.reader import TableReader
from lsm.state import View
from lsm.version import Edit, Version
from tests.defects.defect import Defect, Patch, instead, nothing


class NoLock:
    """A lock that keeps nobody out."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take nothing."""
        return True

    def release(self) -> None:
        """Give nothing back."""

    def locked(self) -> bool:
        """Tell that nobody has it."""
        return False

    def __enter__(self) -> bool:
        return True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return


def view_read_twice(patch: Patch) -> None:
    """A snapshot reads state and sequence of the view one after the other."""

    def wrong(self: Core) -> View:
        state = self.view[0]
        self.check_open()
        return state, self.view[1]

    patch.setattr(Core, "current_view", wrong)


def published_before_applied(patch: Patch) -> None:
    """The view is swapped before the entries of the commit are in the memtable."""

    def make(write: Any) -> Any:
        def wrong(self: CommitPipeline, log: Any, admitted: list[tuple[Any, Any]], frames: list[bytes]) -> bool:
            done: bool = write(self, log, admitted, frames)
            state, last = self._core.view
            if done:
                self._core.view = (state, last + sum(len(batch) for _, batch in admitted))
            return done

        return wrong

    instead(patch, "lsm.commit.pipeline:CommitPipeline._write_locked", make)


def sync_proves_what_came_later(patch: Patch) -> None:
    """A sync in the background publishes the end that the log has after it, also if that is another log."""

    def wrong(core: Core) -> None:
        with core.mutex:
            log, older, names = core.live_log, list(core.unsynced), core.names_unsynced
            if core.durable == (log.number, log.end):
                return
        _sync_all(core, older, log, names=names)
        with core.mutex:
            core.unsynced = [entry for entry in core.unsynced if entry not in older]
            core.durable = (core.live_log.number, core.live_log.end)
            core.publish_locked()

    patch.setattr("lsm.database.sync_logs", wrong)


def inputs_taken_twice(patch: Patch) -> None:
    """Two compactions may take the same inputs, and an install does not compare."""

    def make_init(init: Any) -> Any:
        def wrong(self: Maintenance, *rest: Any) -> None:
            init(self, *rest)
            self._compacting = NoLock()

        return wrong

    instead(patch, "lsm.maintenance:Maintenance.__init__", make_init)
    _uncompared(patch)


def _uncompared(patch: Patch) -> None:
    def make(apply: Any) -> Any:
        def wrong(version: Version, edit: Edit) -> Version:
            there = {table.number for table in version.tables()}
            removed = edit.removed & there
            kept = tuple(tuple(table for table in tables if table.number not in removed) for tables in version.levels)
            added = [list(tables) for tables in kept]
            for level, table in edit.added:
                added[level].insert(0, table)
            levels = (
                tuple(added[0]),
                *(tuple(sorted(tables, key=lambda table: table.smallest)) for tables in added[1:]),
            )
            last = version.last_sequence if edit.last_sequence is None else edit.last_sequence
            return Version(levels, last)

        return wrong

    instead(patch, "lsm.install:apply_edit", make)


def checkpoint_of_two_moments(patch: Patch) -> None:
    """A checkpoint copies while others flush and compact: manifest and files are of different moments."""

    def make(fill: Any) -> Any:
        def wrong(core: Core, installer: Installer, directory: Directory) -> None:
            class Unlocked:
                """What a checkpoint needs of core and installer, without their locks."""

                def __init__(self, target: Any) -> None:
                    self._target = target
                    self.lock = self.mutex = NoLock()

                def __getattr__(self, name: str) -> Any:
                    return getattr(self._target, name)

            fill(Unlocked(core), Unlocked(installer), directory)

        return wrong

    instead(patch, "lsm.checkpoint:_fill", make)


def nothing_validated(patch: Patch) -> None:
    """A transaction commits whatever happened to what it read."""
    patch.setattr("lsm.transaction.check_unchanged", nothing)


def group_validated_against_the_past(patch: Patch) -> None:
    """Transactions of one group are not compared with each other."""

    def make(resolve: Any) -> Any:
        return lambda self, request, last, staging: resolve(self, request, last, None)

    instead(patch, "lsm.commit.pipeline:CommitPipeline._resolve_locked", make)


def tables_closed_under_readers(patch: Patch) -> None:
    """A table that a compaction has replaced is closed, though a snapshot may still read it."""
    readers: dict[str, TableReader] = {}

    def make_init(init: Any) -> Any:
        def wrong(self: TableReader, *rest: Any) -> None:
            init(self, *rest)
            readers[self.path] = self

        return wrong

    def make_unlink(unlink: Any) -> Any:
        def wrong(self: Installer, names: Any) -> None:
            listed = list(names)
            live = {table_name(number) for number in self._core.view[0].tables.readers}
            for name in listed:
                reader = readers.get(f"{self._core.path}/{name}")
                if reader is not None and name not in live:
                    reader._file.close()
            unlink(self, listed)

        return wrong

    instead(patch, "lsm.sstable.reader:TableReader.__init__", make_init)
    instead(patch, "lsm.install:Installer._unlink", make_unlink)


DEFECTS = [
    Defect("a view is read in two steps", view_read_twice, "meetings", slow=True),
    Defect("a commit is shown before it is applied", published_before_applied, "meetings"),
    Defect("a sync proves what came after it", sync_proves_what_came_later, "meetings"),
    Defect("two compactions take the same inputs", inputs_taken_twice, "meetings of maintenance"),
    Defect("a checkpoint of two moments", checkpoint_of_two_moments, "meetings"),
    Defect("transactions are not validated", nothing_validated, "meetings"),
    Defect("a group is validated against the past only", group_validated_against_the_past, "meetings"),
    Defect("tables are closed under their readers", tables_closed_under_readers, "meetings of maintenance"),
]
