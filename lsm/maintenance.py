"""Maintenance: flushing sealed memtables and compacting, in two background threads or in the thread of whoever asks.

Both kinds of work have a mutex of their own, so that a long compaction never keeps a flush waiting. A thread that finds
nothing to do sleeps until something changes. A failure is kept for the next writer and for `stats()`; the work is tried
again after a pause, so a full disk that gets space again heals by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from lsm.commit.durability import sync_logs
from lsm.commit.pipeline import CommitPipeline
from lsm.commit.request import Request
from lsm.compaction.job import run_job
from lsm.compaction.leveled import next_cursors, pick
from lsm.compaction.manual import RangeWork, plan_range
from lsm.compaction.plan import Plan, plan_edit
from lsm.core import Core
from lsm.environment import Thread
from lsm.errors import Error
from lsm.flush import flush_sealed
from lsm.install import Installer
from lsm.table_files import NewTable, create_table_file
from lsm.version import EditConflictError, TableMetadata
from lsm.write_batch import WriteBatch

Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in all."""

_RETRY_SECONDS = 1.0
_TICK_SECONDS = 1.0


class Work(NamedTuple):
    """What maintenance has done since the handle was opened."""

    flushes: int
    compactions: int
    trivial_moves: int
    bytes_flushed: int
    bytes_compacted: int


class Maintenance:
    """Flushes and compacts for one handle. Every method may be called by any thread."""

    def __init__(self, core: Core, installer: Installer) -> None:
        self._core = core
        self._installer = installer
        self._flushing = core.environment.lock()
        self._compacting = core.environment.lock()
        self._cursors: dict[int, bytes] = {}
        """Where the next compaction of each level begins. Guarded by `_compacting`."""
        self._threads: list[Thread] = []
        self.flushes = 0
        self.bytes_flushed = 0
        """Guarded by `_flushing`, as `flushes`."""
        self.compactions = 0
        self.trivial_moves = 0
        self.bytes_compacted = 0
        """Guarded by `_compacting`, as the two before."""

    def start(self, pipeline: CommitPipeline) -> None:
        """Start the background threads; `pipeline` is for the promise that an idle handle writes."""
        environment = self._core.environment
        self._threads = [
            environment.thread(lambda: self._flush_loop(pipeline), "layerdb-flush"),
            environment.thread(self._compact_loop, "layerdb-compact"),
        ]

    def join(self) -> None:
        """Wait for all work, also that of other callers, after the handle was marked closed; no new one begins then."""
        self._core.notify()
        for thread in self._threads:
            thread.join()
        with self._flushing, self._compacting:
            return

    def flush_sealed(self) -> bool:
        """Flush what is sealed; tell whether there was anything."""
        with self._flushing:
            self._core.check_open()
            sealed = self._core.view[0].sealed
            if not flush_sealed(self._core, self._installer):
                return False
            self.flushes += 1
            self.bytes_flushed += sum(memtable.size_bytes for memtable in sealed)
            return True

    def compact(
        self, start: bytes | None, stop: bytes | None, progress: Progress | None, cancelled: Callable[[], bool]
    ) -> None:
        """Bring the keys of [start, stop) that are in tables into the last level; each step is installed on its own."""
        work: RangeWork | None = RangeWork(start=start, stop=stop)
        version = self._core.view[0].version
        every = [version.overlapping(level, start, stop) for level in range(len(version.levels))]
        meter = _Meter(progress, sum(table.size_bytes for tables in every for table in tables))

        def stopped() -> bool:
            return cancelled() or self._core.closed is not None

        while work is not None and not stopped():
            with self._compacting:
                self._core.check_open()
                step = plan_range(self._core.view[0].version, self._core.options, work)
                if step is None:
                    break
                if self._execute(step.plan, stopped, meter.advance):
                    work = step.rest
        self._core.check_open()
        meter.finish()

    def compact_once(self) -> bool:
        """Do the compaction that is needed most; tell whether one was needed."""
        with self._compacting:
            self._core.check_open()
            plan = pick(self._core.view[0].version, self._core.options, self._cursors)
            if plan is None:
                return False
            if self._execute(plan, lambda: self._core.closed is not None, None):
                self._cursors = next_cursors(self._cursors, plan)
            return True

    def relieve(self) -> None:
        """Do in the calling thread what a stalled writer waits for."""
        if not self.flush_sealed() and self._core.stall_reason() is not None:
            self.compact_once()

    def work(self) -> Work:
        """Return what was done so far."""
        return Work(self.flushes, self.compactions, self.trivial_moves, self.bytes_flushed, self.bytes_compacted)

    def _execute(self, plan: Plan, cancelled: Callable[[], bool], progress: Callable[[int], None] | None) -> bool:
        """Run a plan and install its outcome; return whether it was installed. Under `_compacting`."""
        made: list[NewTable] = []
        try:
            outputs = self._run(plan, made, cancelled, progress)
            if outputs is not None:
                self._installer.install(plan_edit(plan, outputs))
        except EditConflictError:
            outputs = None
        except Error:
            self._installer.discard(table.number for table in made)
            raise
        if outputs is None:
            self._installer.discard(table.number for table in made)
            return False
        if plan.trivial_move:
            self.trivial_moves += 1
        else:
            self.compactions += 1
            self.bytes_compacted += sum(table.size_bytes for table in outputs)
        return True

    def _run(
        self, plan: Plan, made: list[NewTable], cancelled: Callable[[], bool], progress: Callable[[int], None] | None
    ) -> list[TableMetadata] | None:
        """Write the outputs of a plan; None when it was cancelled.

        All files go to `made`, which keeps them open, and so locked, until they are installed.
        """

        def new_table() -> NewTable:
            made.append(create_table_file(self._core))
            return made[-1]

        return run_job(
            plan,
            self._core.view[0].tables.readers,
            new_table,
            self._core.options,
            manifest_number=self._installer.manifest.number,
            cancelled=cancelled,
            progress=progress,
        )

    def _flush_loop(self, pipeline: CommitPipeline) -> None:
        core = self._core
        interval = core.options.sync_interval_milliseconds / 1000
        due = core.environment.monotonic_seconds() + interval
        while core.closed is None:
            if core.flush_is_due():
                self._attempt(self.flush_sealed)
                continue
            now = core.environment.monotonic_seconds()
            if interval and now >= due:
                self._attempt(lambda: sync_logs(core))
                due = now + interval
            with core.changed:
                woken = core.changed.wait(min(interval, _TICK_SECONDS) if interval else _TICK_SECONDS)
            if not woken and core.promise_is_due():
                self._attempt(lambda: pipeline.commit(Request(WriteBatch(), None, sync=False, size_bytes=0)))

    def _compact_loop(self) -> None:
        core = self._core
        while core.closed is None:
            if not self._attempt(self.compact_once):
                with core.changed:
                    core.changed.wait(_TICK_SECONDS)

    def _attempt(self, action: Callable[[], object]) -> bool:
        """Run one piece of work; keep its error for others and pause. Return whether it did something."""
        core = self._core
        try:
            did = bool(action())
        except Error as error:
            if core.closed is None:
                core.report_background_error(error)
                with core.changed:
                    core.changed.wait(_RETRY_SECONDS)
            return False
        if did:
            core.clear_background_error()
        return did


class _Meter:
    """Adds up progress over the steps of a manual compaction."""

    def __init__(self, progress: Progress | None, total_bytes: int) -> None:
        self._progress = progress
        self._done_bytes = 0
        self._total_bytes = total_bytes

    def advance(self, size_bytes: int) -> None:
        """Count bytes that were read."""
        self._done_bytes += size_bytes
        self._total_bytes = max(self._total_bytes, self._done_bytes)
        if self._progress is not None:
            self._progress(self._done_bytes, self._total_bytes)

    def finish(self) -> None:
        """Report the end."""
        if self._progress is not None:
            self._progress(self._total_bytes, self._total_bytes)
