"""Making commits durable: which files to sync in which order, and what a failed sync means.

A prefix of the commit order is durable at any time, so logs are synced oldest first, and the name of a new log before
anything in it counts. The end that a sync will prove is read before the sync. A sync that fails is never repeated in
the hope of a better answer: the kernel may have dropped the pages and marked them clean, and would say that all is
well. The directory is poisoned instead, for all processes, until recovery has saved what it read into new files.
"""

from __future__ import annotations

from collections.abc import Sequence

from lsm.core import Core
from lsm.errors import StorageError, SyncFailedError
from lsm.write_ahead_log.writer import LogWriter


def make_durable_locked(core: Core, log: LogWriter, end: int) -> None:
    """Sync everything up to `end` of the live log. Under the commit mutex.

    Raises `SyncFailedError` after poisoning the directory.
    """
    try:
        _sync_files(core, core.unsynced, log, names=core.names_unsynced)
    except StorageError as error:
        raise poison_locked(core, error) from error
    core.unsynced.clear()
    core.names_unsynced = False
    log.durable_end = end
    core.durable = (log.number, end)


def _sync_files(core: Core, older: Sequence[LogWriter], log: LogWriter, *, names: bool) -> None:
    """Sync older logs, the directory if names are new, and the live log, under the mark that a sync is under way.

    The mark is for the recovery after a death in here: an error that nobody heard of may have dropped pages.
    """
    if core.page is not None:
        core.page.set_dirty()
    for entry in older:
        entry.file.sync()
    if names:
        core.directory.sync()
    log.file.sync()
    log.check_linked()
    if core.page is not None:
        core.page.clear_dirty()


def poison_locked(core: Core, error: StorageError) -> SyncFailedError:
    """Stop all writes until recovery; return the error to raise. Under the commit mutex."""
    failure = SyncFailedError(error.path, error.operation, error.errno, error.reason)
    core.poison = failure
    if core.page is not None:
        core.page.set_poison()
    core.update_attention()
    return failure


def sync_logs(core: Core) -> None:
    """Make all commits so far durable without keeping writers waiting.

    The files are synced outside the mutex; commits that come meanwhile are not covered. Raises `SyncFailedError`.
    """
    with core.mutex:
        core.check_writable_locked()
        log = core.live_log
        end = log.end
        older = list(core.unsynced)
        names_unsynced = core.names_unsynced
        if core.durable == (log.number, end):
            return
    try:
        _sync_files(core, older, log, names=names_unsynced)
    except StorageError as error:
        with core.mutex:
            raise poison_locked(core, error) from error
    with core.mutex:
        core.unsynced = [entry for entry in core.unsynced if entry not in older]
        log.durable_end = max(log.durable_end, end)
        if names_unsynced and core.live_log is log:
            core.names_unsynced = False
        core.durable = max(core.durable, (log.number, end))
        core.publish_locked()
