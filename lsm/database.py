"""The handle of an open database: the public verbs, each handed to the part that does the work."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self, TypeVar

from lsm.checkpoint import make_checkpoint
from lsm.commit.durability import sync_logs
from lsm.commit.pipeline import CommitPipeline
from lsm.commit.request import Request
from lsm.commit.room import Room
from lsm.core import Core
from lsm.environment import PathLike, path_text
from lsm.errors import ClosedError, ConflictError, ForkedError, StorageError
from lsm.gathering import gather_statistics
from lsm.install import Installer
from lsm.keys import RESERVED, checked_value, internal_key, internal_range
from lsm.maintenance import Maintenance, Progress
from lsm.options import MAXIMUM_KEY_BYTES, MAXIMUM_VALUE_BYTES, Options
from lsm.reading import Reader
from lsm.recovery_report import RecoveryReport
from lsm.sequences import IdSequences
from lsm.snapshot import Snapshot
from lsm.state import View
from lsm.statistics import Statistics
from lsm.transaction import Transaction
from lsm.verify import VerificationReport, verify_live
from lsm.write_batch import WriteBatch

Result = TypeVar("Result")


@dataclasses.dataclass(slots=True)
class Parts:
    """What a handle is made of; put together by `lsm.opening`."""

    core: Core
    installer: Installer
    maintenance: Maintenance
    room: Room
    pipeline: CommitPipeline
    reopen: Callable[[str, Options, bool], Database]
    report: RecoveryReport = dataclasses.field(default_factory=RecoveryReport)


class Database(Reader):
    """An open database, from `lsm.open`. Any number of threads may use one handle.

    Reads show everything that was committed before the call began. Every write is atomic, and visible to reads in all
    threads when the call returns. As a context manager it closes at the end of the block. It also is a mapping from
    `bytes` to `bytes`: `db[key]`, `key in db`, `del db[key]`, `for key in db`.

    A handle does not work in a forked child (`ForkedError`); a pickled one opens the directory anew.
    """

    __slots__ = ("__weakref__", "_cancel_fork_hook", "_commit_entry", "_parts", "_pipeline", "_sequences", "_sync")

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts.core)
        self._parts = parts
        self._pipeline = parts.pipeline
        self._commit_entry = parts.pipeline.commit_entry
        self._sync = parts.core.options.sync
        self._sequences = IdSequences(parts.pipeline, parts.core)
        self._cancel_fork_hook = parts.core.environment.after_fork_in_child(self._forked)

    @property
    def path(self) -> str:
        """The path of the directory when it was opened."""
        return self._core.path

    @property
    def options(self) -> Options:
        """The options it was opened with."""
        return self._core.options

    @property
    def recovery(self) -> RecoveryReport:
        """What opening found and did."""
        return self._parts.report

    @property
    def closed(self) -> bool:
        """Whether the handle was closed."""
        return self._core.closed is not None

    def put(self, key: bytes, value: bytes, sync: bool | None = None) -> None:
        """Set `key` (up to 64 KiB) to `value` (up to 1 GiB).

        sync: whether to wait until it is on the disk; None means `Options.sync`, where the text says what is lost in
        which crash. Raises `InvalidArgumentError`, `ClosedError`, `ReadOnlyError`, `DiskFullError` and other
        `StorageError`s ("not committed": nothing was written), `SyncFailedError`, `BackgroundError`. About 3 µs.
        """
        if sync or (sync is None and self._sync):
            batch = WriteBatch()
            batch.put(key, value)
            self.write(batch, sync=True)
        else:
            # The checks of `keys` in line, for `fill_random` in bench.
            if type(key) is not bytes or key >= RESERVED or len(key) > MAXIMUM_KEY_BYTES:
                key = internal_key(key)
            if type(value) is not bytes or len(value) > MAXIMUM_VALUE_BYTES:
                value = checked_value(value)
            self._commit_entry(key, value)

    def delete(self, key: bytes, sync: bool | None = None) -> None:
        """Remove `key`, whether it exists or not. Arguments, errors and cost as for `put`."""
        if sync or (sync is None and self._sync):
            batch = WriteBatch()
            batch.delete(key)
            self.write(batch, sync=True)
        else:
            self._pipeline.commit_entry(internal_key(key), None)

    def delete_range(self, start: bytes | None, stop: bytes | None, sync: bool | None = None) -> None:
        """Remove all keys with start <= key < stop at once; None means from the first, to the last. Errors as `put`.

        Cost: as one `put`, however many keys there are; space comes back with compaction.
        """
        batch = WriteBatch()
        batch.delete_range(start, stop)
        self.write(batch, sync=sync)

    def write(self, batch: WriteBatch, sync: bool | None = None) -> None:
        """Apply all changes of a batch, or none; readers see all of them at once. Errors as `put`. 0.5 µs a change.

        With sync, everything committed before is on the disk as well when it returns, also if the batch is empty.
        """
        wanted = self._sync if sync is None else sync
        if not len(batch):
            if wanted:
                self.sync()
        else:
            self._pipeline.commit(Request(batch, None, sync=wanted, size_bytes=batch.size_bytes))

    @contextmanager
    def write_batch(self, sync: bool | None = None) -> Iterator[WriteBatch]:
        """Give an empty batch for a `with` block and write it at the end, unless an exception leaves the block."""
        batch = WriteBatch()
        yield batch
        self.write(batch, sync=sync)

    def snapshot(self) -> Snapshot:
        """Return the present state for reading, unchanged by whatever happens later. Use it in a `with` block."""
        return Snapshot(self._core)

    def transaction(self) -> Transaction:
        """Begin a serializable transaction. In a `with` block it commits at the end; see `run` for retries."""
        return Transaction(self._core, self._pipeline)

    def run(self, function: Callable[[Transaction], Result], retries: int = 10, sync: bool | None = None) -> Result:
        """Call `function` with a new transaction, commit, and return its result; again after each `ConflictError`.

        The function may run several times, so it must not do anything else that cannot be repeated. Between tries it
        waits a random time that grows. Raises the last `ConflictError` after `retries` repetitions, and every other
        exception at once.
        """
        for attempt in range(retries + 1):
            transaction = self.transaction()
            try:
                with transaction:
                    result = function(transaction)
                    transaction.commit(sync=sync)
                    return result
            except ConflictError:
                if attempt == retries:
                    raise
                self._pause(attempt)
        raise AssertionError("unreachable: the loop returns or raises")

    def allocate(self, name: bytes, count: int = 1) -> int:
        """Return the first of `count` consecutive integers, from 1 upward, that nobody was ever given under `name`.

        Outside of transactions; gaps are normal. Errors as `put`.
        """
        return self._sequences.allocate(name, count)

    def reserve(self, name: bytes, last: int) -> None:
        """Make `allocate` give only integers above `last` from now on."""
        self._sequences.reserve(name, last)

    def give_back(self, name: bytes, first: int, last: int) -> bool:
        """Return the unused end `first` to `last` of what `allocate` gave, so that it is given out again.

        Does nothing, and returns False, if somebody was given integers behind it meanwhile. Errors as `put`.
        """
        return self._sequences.give_back(name, first, last)

    def wait(self, log: bytes, after: bytes | None, timeout: float) -> bool:
        """Wait up to `timeout` seconds until a log has something behind `after`; tell whether it has."""
        environment = self._core.environment
        end = environment.monotonic_seconds() + timeout
        while next(self.log(log, after, 1), None) is None:
            left = end - environment.monotonic_seconds()
            if left <= 0:
                return False
            with self._core.changed:
                self._core.changed.wait(min(left, 0.01))
        return True

    def sync(self) -> None:
        """Wait until everything that was committed before this call is on the disk. Errors as `put`."""
        sync_logs(self._core)

    def flush(self) -> None:
        """Write all memtables to table files, durably. Errors as `put`."""
        self._pipeline.seal()
        self._parts.maintenance.flush_sealed()

    def compact(
        self,
        start: bytes | None = None,
        stop: bytes | None = None,
        *,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        """Flush, then rewrite the tables with keys in [start, stop) into the last level, without deleted entries.

        progress: called now and then with (bytes done, bytes in all). cancelled: asked now and then whether to stop;
        what is done by then stays done. Others may read and write meanwhile. Raises `CorruptionError`, `StorageError`.
        Cost: reads and writes the whole range.
        """
        low, high = internal_range(start, stop)
        self.flush()
        everything = start is None and stop is None
        first, last = (None, None) if everything else (low, high)
        self._parts.maintenance.compact(first, last, progress, cancelled or (lambda: False))

    def checkpoint(self, path: str | PathLike) -> None:
        """Make a copy of the database, as of now, in the new directory `path`; it opens like any other.

        Tables are hard links, so it costs next to no time and space, but must be on the same file system. Durable when
        the call returns. Raises `InvalidArgumentError` when the path cannot be used, `StorageError`.
        """
        self._core.current_view()
        make_checkpoint(self._core, self._parts.installer, path_text(path))

    def verify(self) -> VerificationReport:
        """Read every byte of the files as they are now and check every invariant; see `lsm.verify`."""
        self._core.current_view()
        return verify_live(self._core, self._parts.installer)

    def stats(self) -> Statistics:
        """Return what the handle knows about itself: sizes, work done, stalls, errors."""
        self._core.current_view()
        parts = self._parts
        return gather_statistics(self._core, parts.maintenance, parts.room)

    def close(self) -> None:
        """Make everything durable, wait for flushes and compactions to stop, and release the directory.

        Snapshots, iterators and transactions of the handle raise `ClosedError` afterwards. Closing twice is allowed.
        Raises `StorageError` when the last sync fails; the handle is closed all the same.
        """
        if self._core.closed is ForkedError:
            return
        try:
            if self._core.closed is None:
                self._pipeline.close()
        finally:
            if self._core.closed is None:  # an exception came before the pipeline could say so
                self._core.close_as(ClosedError, "closing it was interrupted")
            self._parts.maintenance.join()
            with self._parts.installer.lock:
                self._release()

    def start(self) -> None:
        """Start background maintenance; called once by `lsm.open`."""
        if self._core.options.maintenance:
            self._parts.maintenance.start(self._pipeline)

    def __del__(self) -> None:
        """Warn about a handle that was forgotten; its threads stop, and the directory is released, soon after."""
        core: Core | None = getattr(self, "_core", None)
        if core is not None and core.closed is None:
            core.close_as(ClosedError, "the handle was collected without being closed")
            warnings.warn(f"{self!r} was not closed", ResourceWarning, stacklevel=2)

    def __enter__(self) -> Self:
        """Return the handle itself."""
        self._core.current_view()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def __getitem__(self, key: bytes) -> bytes:
        """Return the value of `key`; raise `KeyError` when there is none."""
        value = self.get(key)
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key: bytes, value: bytes) -> None:
        """Do `put(key, value)`."""
        self.put(key, value)

    def __delitem__(self, key: bytes) -> None:
        """Remove `key`; raise `KeyError` when there is none. Atomic: of two deleters one gets the error."""

        def remove(transaction: Transaction) -> None:
            if not transaction.exists([key])[0]:
                raise KeyError(key)
            transaction.delete(key)

        self.run(remove)

    def __contains__(self, key: object) -> bool:
        """Tell whether there is an entry with this key."""
        return isinstance(key, bytes | bytearray | memoryview) and self.get(bytes(key)) is not None

    def __iter__(self) -> Iterator[bytes]:
        """Iterate over all keys in order, as of now."""
        return iter(self.scan_keys())

    def __reduce__(self) -> tuple[Callable[..., Database], tuple[str, Options, bool]]:
        """Pickle the way to open it, not its content."""
        return self._parts.reopen, (self.path, self.options, self._core.read_only)

    def __repr__(self) -> str:
        """Return path and state."""
        state = "closed" if self.closed else f"sequence {self._core.view[1]}"
        return f"<lsm.Database {self.path!r} {state}>"

    def _view(self) -> View:
        core = self._core
        view = core.view
        if core.closed is not None:
            raise core.closed_error()
        return view

    def _pause(self, attempt: int) -> None:
        environment = self._core.environment
        share = int.from_bytes(environment.random_bytes(2), "little") / 65536
        with self._core.changed:
            self._core.changed.wait(min(0.001 * 2**attempt, 0.25) * share)

    def _release(self) -> None:
        self._cancel_fork_hook()
        core = self._core
        with core.mutex, core.sync_lock:
            page, core.page = core.page, None
            core.drop_files_locked()
        if page is not None:
            page.close()
        if core.locks is not None:
            core.locks.close()
        core.directory.close()

    def _forked(self) -> None:
        """In a forked child: close the inherited lock descriptors, touch nothing else."""
        self._core.close_as(ForkedError, "opened by the parent process; open it again in this one")
        if self._core.locks is not None:
            with suppress(StorageError):
                self._core.locks.close()
