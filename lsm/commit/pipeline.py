"""The commit pipeline: from a writer's request to a frame in the log and entries that readers see.

    check and freeze (no lock) -> wait for room (no lock) -> queue -> one leader, under the commit mutex, for all that
    wait: finish unfinished work -> rotate if the memtable is full -> resolve and validate each request -> mark the
    handle unfinished -> all frames with one write -> one sync if anybody asked for it -> apply to the memtable (still
    invisible) -> swap the view -> answer -> clear the mark

Whoever gets the mutex with its own request still waiting is the leader; the others find their answer when the mutex
comes round to them. So a leader that dies by an exception strands nobody: requests stay in the queue until they are
answered, and the next one in finishes what was left (`unfinished`).

A lone writer without sync takes a short cut through the same steps (`commit_entry`), with everything in line; it is
measured by `fill_random` in `bench/`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from copy import copy

from lsm.apply import apply_batch
from lsm.commit.durability import make_durable_locked
from lsm.commit.request import Outcome, Request
from lsm.commit.room import Room
from lsm.commit.rotation import rotate_locked
from lsm.commit.unfinished import finish_unfinished_locked
from lsm.core import Core
from lsm.errors import ClosedError, CommitOutcomeUnknownError, Error, StorageError, SyncFailedError
from lsm.kernel import kernel
from lsm.keys import EPOCH_KEY, decode_integer
from lsm.memtable import Memtable
from lsm.runs import MISSING, Value
from lsm.write_ahead_log.frame import encode_frame
from lsm.write_ahead_log.writer import LogWriter
from lsm.write_batch import WriteBatch, encode_batch

_GROUP_BYTES = 1 << 20
_RANGES = 10_000
"""A memtable with as many range deletions is sealed, since look-ups among them get slower."""
_EPOCHS = 100
"""Schema changes that are kept in memory; older ones are looked up."""
_PLAIN_ENTRY_BYTES = 64 * 1024
"""Larger values take the way of batches, where splitting off a log of their own is decided."""


_NOBODY: tuple[Request, ...] = ()


class CommitPipeline:
    """Serialises the commits of all threads of one handle."""

    def __init__(self, core: Core, room: Room) -> None:
        self._core = core
        self._room = room
        self._mutex = core.mutex
        self._encode_entry_frame = kernel().encode_entry_frame
        self._memtable_bytes = core.options.active_memtable_bytes
        self._queue: list[Request] = []
        """Requests that are not answered yet. Appended to by anyone, removed from the front under the mutex."""
        self._in_flight: Sequence[Request] = _NOBODY
        """Members of the group that is unfinished, if one is. Guarded by the mutex."""

    def commit_entry(self, key: bytes, value: Value) -> int:
        """Commit one put, or with None one deletion, of an internal key without sync; return its sequence number."""
        core = self._core
        if core.attention:
            self.attend()
        if self._mutex.locked() or self._queue or (value is not None and len(value) > _PLAIN_ENTRY_BYTES):
            return self._commit_alone(key, value)
        with self._mutex:
            state, last = core.view
            active = state.active
            if core.unfinished or core.rotating or core.attention or active.size_bytes >= self._memtable_bytes:
                self._prepare_locked(0)
                state, last = core.view
                active = state.active
            log = core.logs[active.log_number]
            sequence = last + 1
            frame = self._encode_entry_frame(log.identity, log.end, sequence, core.durable, key, value)
            self._in_flight = _NOBODY
            core.unfinished = True
            try:
                if log.file.write_at(log.end, frame) != len(frame):
                    log.append(frame)
            except StorageError as error:
                raise self._undo_append_locked(log, error) from error
            active.put(key, value, sequence)
            log.end += len(frame)
            log.entry_count += 1
            log.last_sequence = sequence
            core.view = (state, sequence)
            core.unfinished = False
        return sequence

    def commit(self, request: Request) -> int:
        """Commit a request and return the sequence number of its last entry. Raises what became of it."""
        if self._core.attention:
            self.attend()
        self._queue.append(request)
        try:
            with self._mutex:
                if request.outcome is Outcome.PENDING:
                    self._lead_locked(request)
        except BaseException:
            request.abandoned = True
            raise
        if request.error is not None:
            raise request.error
        return request.last_sequence

    def seal(self) -> None:
        """Seal the active memtable, unless it is empty, so that it can be flushed. Raises `StorageError`."""
        self._core.check_open()
        with self._mutex:
            self._prepare_locked(0)
            if self._core.view[0].active.last_sequence:
                rotate_locked(self._core)

    def close(self) -> None:
        """Refuse new commits, make everything durable and write a last, empty frame that says so.

        Raises `StorageError` when the last sync fails; the handle counts as closed all the same.
        """
        core = self._core
        with self._mutex:
            try:
                if core.closed is None and not core.read_only and core.poison is None:
                    self._finish_locked()
            finally:
                if core.closed is None:
                    core.close_as(ClosedError, "the database was closed")

    def _finish_locked(self) -> None:
        core = self._core
        core.check_writable_locked()
        if core.unfinished:
            finish_unfinished_locked(core, self._in_flight)
        # No rotation, also if one is due: on a full disk what was acknowledged can be synced all the same.
        log = core.live_log
        if core.durable != (log.number, log.end) or core.unsynced:
            make_durable_locked(core, log, log.end)
        if log.entry_count and not core.rotating:
            promise = encode_frame(log.identity, log.end, core.view[1] + 1, 0, core.durable, b"")
            with suppress(StorageError):  # all is durable already; the promise only helps to tell damage
                log.append(promise)
                log.end += len(promise)
        core.publish_locked()

    def attend(self) -> None:
        """See what stands in the way of writing: raise it, or wait for it to pass."""
        core = self._core
        core.check_open()
        with core.mutex:
            core.check_writable_locked()
        core.tell_background_error()
        self._room.wait()

    def _commit_alone(self, key: bytes, value: Value) -> int:
        batch = WriteBatch()
        batch.add(key, value)
        return self.commit(Request(batch, None, sync=False, size_bytes=batch.size_bytes))

    def _lead_locked(self, own: Request) -> None:
        """Commit groups from the front of the queue until the leader's own request is answered."""
        queue = self._queue
        while own.outcome is Outcome.PENDING:
            self._commit_group_locked(_front_group(queue[:]))
            while queue and not queue[0].waiting:
                del queue[0]

    def _commit_group_locked(self, group: list[Request]) -> None:
        core = self._core
        try:
            self._prepare_locked(sum(request.size_bytes for request in group))
        except Error as error:
            if core.unfinished and isinstance(error, StorageError):
                _fail_all(self._in_flight, _unknown(error, "and its frame may be in the log"))
            _fail_all(group, error)
            return
        state, last = core.view
        log = core.logs[state.active.log_number]
        admitted, frames = self._admit_locked(group, log, last)
        if not admitted:
            return
        self._in_flight = [request for request, _ in admitted]
        core.unfinished = True
        if not self._write_locked(log, admitted, frames):
            return
        sequence = last
        for request, batch in admitted:
            apply_batch(state.active, batch, sequence + 1)
            sequence += len(batch)
            if request.resolver is not None and EPOCH_KEY in batch.keys:
                core.epochs = (
                    *core.epochs[-_EPOCHS:],
                    (sequence, decode_integer(state.get(EPOCH_KEY, sequence))),
                )
        log.end += sum(map(len, frames))
        log.entry_count += sequence - last
        log.last_sequence = sequence
        if sequence == last:
            log.promised_end = log.end
        core.view = (state, sequence)
        for request, _ in admitted:
            request.done()
        core.unfinished = False
        self._in_flight = _NOBODY

    def _prepare_locked(self, size_bytes: int) -> None:
        """Leave a memtable and a log that can take a group of `size_bytes`, or raise what prevents it."""
        core = self._core
        core.check_writable_locked()
        if core.unfinished:
            finish_unfinished_locked(core, self._in_flight)
        active = core.view[0].active
        too_large = size_bytes >= self._memtable_bytes and active.last_sequence > 0
        full = active.size_bytes >= self._memtable_bytes or active.range_count >= _RANGES
        if core.rotating or too_large or full:
            rotate_locked(core)

    def _admit_locked(
        self, group: list[Request], log: LogWriter, last: int
    ) -> tuple[list[tuple[Request, WriteBatch]], list[bytes]]:
        """Number the requests that pass their validation and encode their frames; fail the others."""
        admitted: list[tuple[Request, WriteBatch]] = []
        frames: list[bytes] = []
        offset, sequence = log.end, last
        needed = len(group) > 1 and any(request.resolver for request in group)
        staging = self._core.new_memtable(0) if needed else None
        for request in group:
            if not request.waiting:
                continue
            try:
                batch = self._resolve_locked(request, sequence, staging)
            except Error as error:
                request.fail(error)
                continue
            frame = encode_frame(
                log.identity, offset, sequence + 1, len(batch), self._core.durable, encode_batch(batch)
            )
            if staging is not None:
                apply_batch(staging, batch, sequence + 1)
            offset += len(frame)
            sequence += len(batch)
            request.last_sequence = sequence
            admitted.append((request, batch))
            frames.append(frame)
        return admitted, frames

    def _resolve_locked(self, request: Request, last: int, staging: Memtable | None) -> WriteBatch:
        if request.resolver is None:
            return request.batch or WriteBatch()
        state, published = self._core.view

        def lookup(key: bytes) -> Value:
            if staging is not None:
                found = staging.get(key, last)
                if found is not MISSING:
                    return found
            return state.get(key, published)

        return request.resolver.resolve(last + 1, staging, lookup)

    def _write_locked(self, log: LogWriter, admitted: list[tuple[Request, WriteBatch]], frames: list[bytes]) -> bool:
        """Put the frames in the log, and sync if somebody asked for it; on failure answer the requests."""
        requests = [request for request, _ in admitted]
        try:
            log.append(b"".join(frames))
        except StorageError as error:
            _fail_all(requests, self._undo_append_locked(log, error))
            return False
        if any(request.sync for request in requests):
            try:
                make_durable_locked(self._core, log, log.end + sum(map(len, frames)))
            except SyncFailedError as error:
                _fail_all(requests, error)
                return False
            except StorageError as error:
                _fail_all(requests, self._undo_append_locked(log, error))
                return False
        return True

    def _undo_append_locked(self, log: LogWriter, error: StorageError) -> StorageError:
        """Cut off what a failed append left; return the error that says what is known of the commit."""
        try:
            log.cut()
        except StorageError as second:
            return _unknown(error, f"and it could not be undone: {second.reason}")
        self._core.unfinished = False
        return type(error)(error.path, error.operation, error.errno, f"{error.reason} (not committed)")


def _front_group(queue: list[Request]) -> list[Request]:
    """Return the requests at the front that are written together: up to 1 MiB, or one larger one."""
    group: list[Request] = []
    size_bytes = 0
    for request in queue:
        if request.waiting:
            size_bytes += request.size_bytes
            if group and size_bytes > _GROUP_BYTES:
                break
            group.append(request)
    return group


def _unknown(error: StorageError, reason: str) -> CommitOutcomeUnknownError:
    """Return the error for a commit of which an error leaves open whether it will be there."""
    return CommitOutcomeUnknownError(error.path, error.operation, error.errno, f"{error.reason}; {reason}")


def _fail_all(requests: Sequence[Request], error: Error) -> None:
    """Fail every request with an error of its own, since each is raised in another thread."""
    for request in requests:
        if request.outcome is Outcome.PENDING:
            request.fail(copy(error))
