"""Making commits durable: which files to sync in which order, and what a failed sync means.

A prefix of the commit order is durable at any time, so logs are synced oldest first, and the name of a new log before
anything in it counts. The end that a sync will prove is read before the sync. A sync that fails is never repeated in
the hope of a better answer: the kernel may have dropped the pages and marked them clean, and would say that all is
well. The directory is poisoned instead, for all processes, until recovery has saved what it read into new files. A sync
whose outcome nobody saw, because an exception came in between, counts as failed unless the file knows better.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from lsm.core import Core
from lsm.environment import Directory, File
from lsm.errors import StorageError, SyncFailedError
from lsm.write_ahead_log.writer import LogWriter


def make_durable_locked(core: Core, log: LogWriter, end: int) -> None:
    """Sync everything up to `end` of the live log. Under the commit mutex.

    Raises `SyncFailedError` after poisoning the directory; another `StorageError` when no sync of the live log began.
    """
    _sync_all(core, core.unsynced, log, names=core.names_unsynced)
    check_linked_locked(core, log)
    core.unsynced.clear()
    core.names_unsynced = False
    log.durable_end = end
    core.durable = (log.number, end)
    with suppress(StorageError):  # a later frame will make the same promise
        core.publish_locked()


def sync_logs(core: Core) -> None:
    """Make all commits so far durable without keeping writers waiting.

    The files are synced outside the mutex; commits that come meanwhile are not covered. Raises `SyncFailedError`.
    """
    core.check_open()
    with core.mutex:
        core.check_writable_locked()
        log = core.live_log
        end = log.end
        older = list(core.unsynced)
        names_unsynced = core.names_unsynced
        if core.durable == (log.number, end):
            return
    _sync_all(core, older, log, names=names_unsynced)
    with core.mutex:
        if log is core.live_log:
            check_linked_locked(core, log)
            core.names_unsynced = core.names_unsynced and not names_unsynced
        core.unsynced = [entry for entry in core.unsynced if entry not in older]
        log.durable_end = max(log.durable_end, end)
        core.durable = max(core.durable, (log.number, end))
        core.publish_locked()


def sync_marked(core: Core, target: File | Directory) -> None:
    """Sync one file or directory under the mark that a sync is under way; poison the directory if it fails.

    The mark is for the recovery after a death in here: an error that nobody heard of may have dropped pages. It stays
    when the outcome is a failure.

    One at a time, and none after a failure: the kernel tells of lost pages once for each descriptor. Of two threads
    that sync the same file, one would get the error and the other one an OK for the pages that are gone.
    """
    with core.sync_lock:
        core.check_not_poisoned("sync")
        if core.page is not None:
            core.page.set_dirty()
        core.doubts += 1
        try:
            target.sync()
        except StorageError as error:
            raise poison(core, error) from error
        except BaseException:
            if not target.synced:
                poison(core, StorageError(target.path, "sync", None, "interrupted, with unknown outcome"))
            raise
        _end_doubt_locked(core)


def end_doubt(core: Core) -> None:
    """Take back the dirty mark of a recovery: what it replayed is saved in tables."""
    with core.sync_lock:
        _end_doubt_locked(core)


def poison(core: Core, error: StorageError) -> SyncFailedError:
    """Stop all writes until recovery; return the error to raise. With or without the commit mutex: plain stores."""
    failure = SyncFailedError(error.path, error.operation, error.errno, error.reason)
    core.poison = failure
    core.attention = True
    if core.page is not None:
        with suppress(StorageError):  # this handle stops all the same; nearly always the dirty mark is there as well
            core.page.set_poison()
    return failure


def check_linked_locked(core: Core, log: LogWriter) -> None:
    """Poison the directory if the live log has lost its name, or may have: what it holds would not be found again."""
    try:
        if log.file.link_count() > 0:
            return
        error = StorageError(log.file.path, "sync", None, "the file was removed by somebody else")
    except StorageError as failure:
        error = failure
    raise poison(core, error) from error


def _end_doubt_locked(core: Core) -> None:
    core.doubts -= 1
    if core.page is not None and core.doubts == 0:
        with suppress(StorageError):  # a mark that stays costs the next recovery a flush, no more
            core.page.clear_dirty()


def _sync_all(core: Core, older: Sequence[LogWriter], log: LogWriter, *, names: bool) -> None:
    """Sync older logs, the directory if names are new, and the log, in this order."""
    for entry in older:
        sync_marked(core, entry.file)
    if names:
        sync_marked(core, core.directory)
    sync_marked(core, log.file)
