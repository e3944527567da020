"""Who is alive: the lock files of a directory.

`PRESENCE` is held for the whole life of a handle that may write; today exclusively, so there is one at a time. Its
content is the holder's process id as decimal text, for messages; the lock, not the content, is what counts. `LOCK` is
held while a handle opens. Both are `flock` locks: the kernel drops them when their holder dies, and another descriptor
of the same file in the same process does not share them. Lock files are never removed. A handle that only reads holds
no lock; it looks once whether a writer is alive.
"""

from __future__ import annotations

import errno

from lsm.environment import Directory, Environment, File
from lsm.errors import LockedError, MissingFileError, StorageError
from lsm.filenames import LOCK, MAINTENANCE, PRESENCE

_DIGITS = 20
_LOCK_FILES = (LOCK, PRESENCE, MAINTENANCE)


class DirectoryLocks:
    """The locks of one handle. Closing the descriptors is what releases them."""

    def __init__(self, lock: File, presence: File) -> None:
        self._lock: File | None = lock
        self._presence = presence

    def opened(self) -> None:
        """Release LOCK: the opening is over."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def close(self) -> None:
        """Release everything. Closing twice is allowed."""
        self.opened()
        self._presence.close()


def take_locks(environment: Environment, directory: Directory) -> DirectoryLocks:
    """Become the one handle that may write; make the lock files if they are missing.

    Raises `LockedError` with the holder's process id, `StorageError` when a file cannot be made or locked.
    """
    opened: list[File] = []
    try:
        lock, presence, maintenance = (_open_or_create(directory, name, opened) for name in _LOCK_FILES)
        maintenance.close()
        _lock_both(directory, lock, presence)
        presence.truncate(0)
        presence.write_at(0, b"%d\n" % environment.process_id())
    except BaseException:
        for file in opened:
            file.close()
        raise
    return DirectoryLocks(lock, presence)


def _lock_both(directory: Directory, lock: File, presence: File) -> None:
    if not (lock.try_lock(exclusive=True) and presence.try_lock(exclusive=True)):
        raise LockedError(directory.path, _holder(presence))


def check_nobody_writes(directory: Directory) -> None:
    """Raise `LockedError` if a handle that may write is open. Needs no right to write, and keeps no lock."""
    try:
        presence = directory.open(PRESENCE, "read")
    except MissingFileError:
        return
    try:
        if not presence.try_lock(exclusive=False):
            raise LockedError(directory.path, _holder(presence))
    finally:
        presence.close()


def _holder(presence: File) -> int | None:
    text = presence.read_at(0, _DIGITS).strip()
    return int(text) if text.isdigit() else None


def _open_or_create(directory: Directory, name: str, opened: list[File]) -> File:
    """Open a lock file, made if it is missing, and enter it in `opened`."""
    try:
        file = directory.open(name, "write")
    except MissingFileError:
        try:
            file = directory.open(name, "create")
        except StorageError as error:
            if error.errno != errno.EEXIST:
                raise
            file = directory.open(name, "write")  # another handle made it just now
    opened.append(file)
    return file
