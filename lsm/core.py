"""What the parts of one open handle share: the view, the logs, the numbers, and what stands in the way of a write.

`Core` holds values and has next to no behaviour; `lsm.commit` changes it for writes, `lsm.install` for new versions.

Fields, by who may touch them:

- constant after construction: everything up to `mutex`.
- `view`: read by anyone, by one load of one tuple (state, sequence): whoever has it has both halves of one moment.
  Replaced, by one assignment, only under `mutex`.
- guarded by `mutex`: all other fields. Some are read without it where a stale answer does no harm (`attention`,
  `closed`): the reader then takes the mutex and looks again.

`mutex` is the commit mutex. It is held over the append to the log and over the sync of a commit, never over a flush,
a compaction or a wait for room. Order of locks: `Installer` lock, `mutex`, memtable locks; nobody waits for an earlier
one while holding a later one.
"""

from __future__ import annotations

from lsm.block_cache import BlockCache
from lsm.directory_locks import DirectoryLocks
from lsm.environment import Condition, Directory, Environment, Lock
from lsm.errors import BackgroundError, ClosedError, DiskFullError, Error, ReadOnlyError, SyncFailedError
from lsm.history import HistoryLink
from lsm.memtable import Memtable
from lsm.options import Options
from lsm.shared_page import Record, SharedPage
from lsm.state import State, View
from lsm.tables import TableSet
from lsm.version import empty_version
from lsm.write_ahead_log.writer import LogWriter


class Core:
    """The shared state of one handle; see the module's text for who may touch what."""

    def __init__(
        self, environment: Environment, directory: Directory, options: Options, cache: BlockCache, *, read_only: bool
    ) -> None:
        self.environment = environment
        self.directory = directory
        self.options = options
        self.cache = cache
        self.read_only = read_only
        self.mutex: Lock = environment.lock()
        self.changed: Condition = environment.condition()
        """Notified after a rotation, an install, a background error and at closing; waited for without other locks."""

        self.incarnation = 0
        self.view: View
        self.history: HistoryLink
        """The link of the active memtable, or of the one before it; replaced under `mutex` before the view is."""
        self.page: SharedPage | None = None
        self.logs: dict[int, LogWriter] = {}
        """Logs whose memtable is not flushed; the live one is that of the active memtable."""
        self.unsynced: list[LogWriter] = []
        """Logs before the live one that may hold bytes which are not on the disk; oldest first."""
        self.names_unsynced = False
        """Whether a log was created since the directory was last synced."""
        self.durable: tuple[int, int] = (0, 0)
        """(log number, offset): all before it is on the disk. Never goes back."""
        self.first_log = 0
        """The first log of this handle; the logs before it were replayed."""
        self.epochs: tuple[tuple[int, int], ...] = ()
        """(sequence, schema epoch from there on), ascending; a cache of what the epoch key says."""
        self.manifest_number = 0
        self.next_file_number = 1
        self.unfinished = False
        """A commit began and did not end: the active memtable may hold what was never committed."""
        self.rotating = False
        """A rotation began and did not end: the live log may have a successor and must not grow."""
        self.poison: SyncFailedError | None = None
        self.background_error: Error | None = None
        self.background_error_told = True
        self.sync_lock: Lock = environment.lock()
        """Held over each sync of a log or of the directory, so that they come one after the other."""
        self.doubts = 0
        """Reasons for the dirty mark of SHARED: a sync under way, and what a recovery could not believe. Guarded by
        `sync_lock`."""
        self.locks: DirectoryLocks | None = None
        """The lock files; held here, so that no background thread ever works without them."""
        self.closed: type[ClosedError] | None = None
        self.closed_reason = ""
        self.attention = read_only
        """Whether a writer has to call `attend` first. Set by whoever changes one of its reasons."""

    @property
    def live_log(self) -> LogWriter:
        """The log that takes the next frame. Under `mutex`."""
        return self.logs[self.view[0].active.log_number]

    @property
    def path(self) -> str:
        """The path of the directory, for messages."""
        return self.directory.path

    def current_view(self) -> View:
        """Return the newest view; raise `ClosedError` when the handle is closed."""
        view = self.view
        self.check_open()
        return view

    def check_open(self) -> None:
        """Raise `ClosedError` when the handle is closed.

        Asked before `mutex` is waited for: in a forked child nobody is left to give it back.
        """
        if self.closed is not None:
            raise self.closed_error()

    def closed_error(self) -> ClosedError:
        """Return the error for using a closed handle."""
        return (self.closed or ClosedError)(f"{self.path}: {self.closed_reason}")

    def close_as(self, kind: type[ClosedError], reason: str) -> None:
        """Refuse everything from now on. Plain stores, so also for finalisers and forked children."""
        self.closed_reason = reason
        self.closed = kind
        self.attention = True

    def drop_files_locked(self) -> None:
        """Forget memtables and files of a handle that is closed, lest they live as long as somebody names the handle.

        Readers that have a view keep what is in it. Others see that the handle is closed: they look for that after
        they have loaded the view. Under `mutex`.
        """
        state, sequence = self.view
        memtable = self.new_memtable(state.active.log_number)
        empty = TableSet(empty_version(self.options.level_count), {}, self.cache.hit_counter)
        self.view = (State(memtable, (), empty), sequence)
        self.history = HistoryLink(memtable)
        self.logs = {}
        self.unsynced = []
        self.cache.resize(0)

    def allocate_file_number_locked(self) -> int:
        """Return a number that no file of this directory had or will have. Under `mutex`."""
        number = self.next_file_number
        self.next_file_number += 1
        self.publish_locked()
        return number

    def allocate_file_number(self) -> int:
        """Return a number that no file of this directory had or will have."""
        with self.mutex:
            return self.allocate_file_number_locked()

    def publish_locked(self) -> None:
        """Tell other processes what was committed. Under `mutex`."""
        if self.page is None:
            return
        state, sequence = self.view
        log = self.logs[state.active.log_number]
        self.page.publish(
            Record(
                self.incarnation,
                self.manifest_number,
                log.number,
                log.end,
                log.end,
                self.durable[0],
                self.durable[1],
                sequence,
                self.next_file_number,
            )
        )

    def new_memtable(self, log_number: int) -> Memtable:
        """Return an empty memtable for the log with this number."""
        return Memtable(log_number, self.environment.lock())

    def check_writable_locked(self) -> None:
        """Raise the error that stands in the way of every write, if there is one. Under `mutex`."""
        if self.closed is not None:
            raise self.closed_error()
        if self.read_only:
            raise ReadOnlyError(f"{self.path}: opened read-only")
        self.check_not_poisoned("write")

    def check_not_poisoned(self, operation: str) -> None:
        """Raise `SyncFailedError` for `operation` if a sync failed since the directory was opened."""
        cause = self.poison
        if cause is not None:
            raise SyncFailedError(cause.path, operation, cause.errno, f"an earlier sync failed ({cause.reason})")

    def report_background_error(self, error: Error) -> None:
        """Keep the error of background work for the next writer and for `stats()`."""
        with self.mutex:
            self.background_error = error
            self.background_error_told = False
            self.update_attention_locked()
        self.notify()

    def clear_background_error(self) -> None:
        """Forget the error of background work, since it works again."""
        if self.background_error is not None:
            with self.mutex:
                self.background_error = None
                self.background_error_told = True
                self.update_attention_locked()

    def notify(self) -> None:
        """Wake everybody who waits for a change."""
        with self.changed:
            self.changed.notify_all()

    def flush_is_due(self) -> bool:
        """Whether sealed memtables are to be flushed now.

        Small ones that a recovery left may wait for company; their logs are replayed again if it comes to that.
        """
        sealed = self.view[0].sealed
        return any(memtable.log_number >= self.first_log for memtable in sealed)

    def promise_is_due(self) -> bool:
        """Whether the last frame of the log was synced, and no later frame says so yet.

        A frame that is a promise itself needs none: with a sync interval the log of an idle handle would grow for ever.
        """
        with self.mutex:
            if self.closed is not None:
                return False
            log = self.live_log
            is_durable = self.durable == (log.number, log.end)
            return is_durable and log.entry_count > 0 and log.promised_end != log.end and not self.attention

    def tell_background_error(self) -> None:
        """Raise the error of background work to the first caller after it."""
        error = self.background_error
        if error is None or self.background_error_told:
            return
        with self.mutex:
            self.background_error_told = True
            self.update_attention_locked()
        raise background_failure(self.path, error) from error

    def state_changed_locked(self) -> None:
        """Do what follows from other memtables or tables: attention, and the share of the cache. Under `mutex`."""
        self.update_attention_locked()
        sealed = self.view[0].sealed
        self.cache.resize(self.options.cache_bytes(sum(memtable.size_bytes for memtable in sealed)))

    def update_attention_locked(self) -> None:
        """Bring `attention` up to date with its reasons. Under `mutex`."""
        self.attention = self.read_only or not self.background_error_told or self.room_is_short()
        # These come without the mutex and set it themselves; asked last, so that the line above cannot undo that.
        if self.poison is not None or self.closed is not None:
            self.attention = True

    def room_is_short(self) -> bool:
        """Whether writers have to be slowed or stopped until maintenance has caught up."""
        return self.stall_reason() is not None or self.level0_count() >= self.options.level0_slow_tables

    def level0_count(self) -> int:
        """Return the number of tables in level 0."""
        return len(self.view[0].version.levels[0])

    def stall_reason(self) -> str | None:
        """Return why writers must wait, or None."""
        state: State = self.view[0]
        limit = self.options.active_memtable_bytes * self.options.sealed_memtable_limit
        if sum(memtable.size_bytes for memtable in state.sealed) >= limit:
            return "memtables wait to be flushed"
        if self.level0_count() >= self.options.level0_stop_tables:
            return "level 0 waits for compaction"
        return None


def background_failure(path: str, error: Error) -> Error:
    """Return the error that a caller gets for failed background work; a full disk keeps its own class."""
    if isinstance(error, DiskFullError):
        return DiskFullError(error.path, error.operation, error.errno, f"{error.reason} (in background work)")
    return BackgroundError(f"{path}: background work failed: {error}")
