"""Installing a new version: the manifest and tables durable first, then CURRENT, then the view, then old files go.

    tables written and synced (by flush or compaction) -> edit applied to the version as it now is (compare) -> manifest
    written and synced -> directory synced -> CURRENT replaced, directory synced -> view swapped -> old files removed

An edit whose inputs are gone, or whose outputs do not fit any more, is refused (`EditConflictError`) and its outputs
are deleted by who made them. One install at a time per handle. An exception in the middle leaves a mark; the next
install then reads CURRENT and adopts what it says before it does anything else, so that no version is built on a stale
one.
"""

from __future__ import annotations

from collections.abc import Iterable

from lsm.commit.durability import poison, sync_marked
from lsm.core import Core
from lsm.errors import Error, StorageError
from lsm.filenames import log_name, manifest_name, parse_name, table_name
from lsm.live_manifest import read_live_manifest
from lsm.manifest import Manifest, read_current, write_current, write_manifest
from lsm.state import State
from lsm.tables import TableSet, open_tables
from lsm.version import Edit, LogReference, Version, apply_edit
from lsm.write_ahead_log.header import LOG_HEADER_BYTES


class Installer:
    """Takes edits to the disk and into the view. `install` may be called by any thread."""

    def __init__(self, core: Core, manifest: Manifest) -> None:
        self._core = core
        self.lock = core.environment.lock()
        """Held over an install, and by whoever needs manifest and files to stay as they are."""
        self._manifest = manifest
        """The live one. Guarded by the lock."""
        self._unfinished = False
        """CURRENT may have been switched without the view. Guarded by the lock."""
        self._deferred: list[str] = []
        """Files that go only with the next install. Guarded by the lock."""

    @property
    def manifest(self) -> Manifest:
        """The live manifest."""
        return self._manifest

    def install(self, edit: Edit) -> None:
        """Make the version after `edit` the live one, durably.

        Raises `EditConflictError` when the edit does not fit any more, `SyncFailedError` when the directory is or gets
        poisoned, `StorageError` otherwise; the old version stays live then.
        """
        with self.lock:
            self._check_usable()
            before = self._manifest
            version = apply_edit(before.version, edit)
            oldest_log = before.oldest_log if edit.oldest_log is None else edit.oldest_log
            self._make_log_durable(oldest_log)
            number = self._core.allocate_file_number()
            after = Manifest(
                number=number,
                previous_number=before.number,
                oldest_log=oldest_log,
                version=version,
                next_file_number=self._core.next_file_number,
            )
            tables = self._open(version)
            self._switch(after)
            self._publish(after, tables)
            self._unfinished = False
            self._unlink(self._superseded(before, after, keep_inputs=not edit.added))

    def discard(self, numbers: Iterable[int]) -> None:
        """Remove tables that did not become part of a version.

        When an install ended between its steps they may have: then they are left to the next opening, which knows.
        """
        with self.lock:
            if not self._unfinished:
                self._unlink(table_name(number) for number in numbers)

    def _check_usable(self) -> None:
        self._core.check_not_poisoned("install")
        if self._unfinished:
            self._adopt()

    def _adopt(self) -> None:
        """Take over what CURRENT says, after an exception between its switch and that of the view."""
        manifest = read_live_manifest(self._core.directory)
        if manifest is not None and manifest.number != self._manifest.number:
            sync_marked(self._core, self._core.directory)  # nobody may hear of a switch that power loss could undo
            self._publish(manifest, self._open(manifest.version))
        self._unfinished = False

    def _open(self, version: Version) -> TableSet:
        return open_tables(self._core.directory, version, self._core.cache, self._core.view[0].tables)

    def _switch(self, manifest: Manifest) -> None:
        """Write the manifest and make CURRENT name it. After an error nothing is removed that may be named."""
        core = self._core
        self._unfinished = True
        try:
            write_current(core.directory, manifest.number, write_manifest(core.directory, manifest))
        except StorageError as error:
            if error.path == core.directory.path and error.operation.startswith("sync"):
                raise poison(core, error) from error
            if self._still_live():
                self._unfinished = False
                self._unlink([manifest_name(manifest.number)])
            raise

    def _still_live(self) -> bool:
        """Tell whether CURRENT is known to name the live manifest."""
        try:
            current = read_current(self._core.directory)
        except Error:
            return False
        return current is not None and current[0] == self._manifest.number

    def _publish(self, manifest: Manifest, tables: TableSet) -> None:
        """Swap the state: the new tables, without the memtables whose logs they contain."""
        core = self._core
        oldest = manifest.oldest_log.number
        with core.mutex:
            state, sequence = core.view
            flushed = [memtable for memtable in state.sealed if memtable.log_number < oldest]
            after: State = state.flushed(flushed, tables) if flushed else state.with_tables(tables)
            core.view = (after, sequence)
            core.manifest_number = manifest.number
            core.unsynced = [log for log in core.unsynced if log.number >= oldest]
            core.logs = {number: log for number, log in core.logs.items() if number >= oldest}
            core.durable = max(core.durable, (oldest, LOG_HEADER_BYTES))
            self._manifest = manifest
            core.publish_locked()
            core.state_changed_locked()
        core.notify()

    def _make_log_durable(self, oldest: LogReference) -> None:
        """Sync the log with which recovery will begin, so that its absence can only be damage."""
        core = self._core
        if oldest == self._manifest.oldest_log:
            return
        with core.mutex:
            log = core.logs[oldest.number]
            end = log.end
        if log.durable_end >= LOG_HEADER_BYTES:
            return
        sync_marked(core, log.file)
        with core.mutex:
            log.durable_end = max(log.durable_end, end)

    def _superseded(self, before: Manifest, after: Manifest, *, keep_inputs: bool) -> list[str]:
        """Return the names of files that nothing needs any more.

        The previous manifest is kept. Inputs of an edit without outputs are kept until the next install: no table
        records such an edit, so the previous manifest would need them.
        """
        live = {table.number for table in after.version.tables()}
        gone = [table_name(table.number) for table in before.version.tables() if table.number not in live]
        gone += [log_name(number) for number in self._logs_before(before.oldest_log, after.oldest_log)]
        names = self._deferred
        self._deferred = gone if keep_inputs else []
        if not keep_inputs:
            names = names + gone
        return names if before.previous_number is None else [*names, manifest_name(before.previous_number)]

    def _logs_before(self, old: LogReference, new: LogReference) -> list[int]:
        """Return the numbers of all logs from the old oldest one up to the new one, leftovers included."""
        if old == new:
            return []
        try:
            names = self._core.directory.names()
        except StorageError:
            return []  # the switch is done and must not fail any more; the next opening removes them
        numbered = map(parse_name, names)
        return [found[1] for found in numbered if found is not None and found[0] == "log" and found[1] < new.number]

    def _unlink(self, names: Iterable[str]) -> None:
        for name in names:
            try:
                self._core.directory.unlink(name)
            except StorageError:
                continue  # the next opening removes whatever nothing names
