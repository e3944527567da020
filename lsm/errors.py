"""The error tree of the engine: one root, one class for each situation in which a caller would act differently.

    Error
     ├─ InvalidArgumentError (also ValueError)   a key, value, option or range that is not allowed; nothing was written
     ├─ ClosedError                              the database, snapshot, transaction or iterator was closed
     │   └─ ForkedError                          the handle belongs to the parent process; open it again in the child
     ├─ ReadOnlyError                            a write on a handle that was opened read-only
     ├─ LockedError                              another process (or handle) has the directory open
     ├─ NotADatabaseError                        there is no database in the directory, and none was to be created
     ├─ FormatError                              the files were written by a newer, unknown format version
     ├─ OptionsMismatchError                     an option that is fixed on disk differs from the one given
     ├─ CorruptionError                          bytes on disk are not what was written; names file and offset
     ├─ TransactionError                         a transaction was used in a way that cannot work
     │   ├─ ConflictError                        somebody changed what the transaction read; run it again
     │   └─ TransactionTooLargeError             the transaction wrote or read more than its limit
     ├─ BackgroundError                          a flush or compaction failed; the cause is attached
     └─ StorageError (also OSError)              the operating system refused a call; names file and call
         ├─ MissingFileError                     the file does not exist
         ├─ DiskFullError                        no space left; nothing acknowledged is lost, writing resumes with space
         ├─ SyncFailedError                      a sync failed: the directory takes no writes until it is reopened
         └─ CommitOutcomeUnknownError            the write may or may not be there after the next recovery

Every class keeps the facts as attributes as well as in its message. `retryable` tells whether running the same
operation again can succeed without any change.
"""

from __future__ import annotations

import errno as errno_names
from collections.abc import Sequence


class Error(Exception):
    """Root of everything that the engine raises on purpose."""

    retryable: bool = False


class InvalidArgumentError(Error, ValueError):
    """An argument is outside what the engine accepts; nothing was changed."""


class ClosedError(Error):
    """The handle, snapshot, transaction or iterator was closed before this call."""


class ForkedError(ClosedError):
    """The handle was opened by the parent of this process; open the directory again in the child."""


class ReadOnlyError(Error):
    """A write was tried on a handle that was opened read-only."""


class LockedError(Error):
    """The directory is open elsewhere. `process_id` is that of the holder, or None if it could not be read."""

    def __init__(self, path: str, process_id: int | None) -> None:
        self.path = path
        self.process_id = process_id
        holder = "another handle" if process_id is None else f"process {process_id}"
        super().__init__(f"{path}: already open in {holder}")

    def __reduce__(self) -> tuple[type[LockedError], tuple[str, int | None]]:
        return (LockedError, (self.path, self.process_id))


class NotADatabaseError(Error):
    """No database lies in the directory, and none was to be created."""

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: {reason}")

    def __reduce__(self) -> tuple[type[NotADatabaseError], tuple[str, str]]:
        return (NotADatabaseError, (self.path, self.reason))


class FormatError(Error):
    """A file has a format version that this release does not know; use a newer release."""

    def __init__(self, path: str, found: int, supported: int) -> None:
        self.path = path
        self.found = found
        self.supported = supported
        super().__init__(f"{path}: format version {found} is unknown; this release reads up to version {supported}")

    def __reduce__(self) -> tuple[type[FormatError], tuple[str, int, int]]:
        return (FormatError, (self.path, self.found, self.supported))


class OptionsMismatchError(Error):
    """An option that is recorded in the directory differs from the one that was given."""

    def __init__(self, path: str, option: str, stored: object, given: object) -> None:
        self.path = path
        self.option = option
        self.stored = stored
        self.given = given
        super().__init__(f"{path}: option {option} is {stored!r} on disk, but {given!r} was given")

    def __reduce__(self) -> tuple[type[OptionsMismatchError], tuple[str, str, object, object]]:
        return (OptionsMismatchError, (self.path, self.option, self.stored, self.given))


class CorruptionError(Error):
    """Bytes on disk are not what was written. `path` and `offset` (bytes from the start of the file) tell where."""

    def __init__(self, path: str, offset: int, reason: str) -> None:
        self.path = path
        self.offset = offset
        self.reason = reason
        super().__init__(f"{path}: corrupt at offset {offset}: {reason}")

    def __reduce__(self) -> tuple[type[CorruptionError], tuple[str, int, str]]:
        return (CorruptionError, (self.path, self.offset, self.reason))


class TransactionError(Error):
    """A transaction was used in a way that cannot work (after its end, or from a second thread)."""


class ConflictError(TransactionError):
    """A commit since the transaction began changed what it read. Nothing was written; run it again.

    `keys` names some of the keys, `ranges` some of the key ranges `(start, stop)` that were changed.
    """

    retryable = True

    def __init__(
        self, message: str, keys: Sequence[bytes] = (), ranges: Sequence[tuple[bytes, bytes | None]] = ()
    ) -> None:
        self.keys = tuple(keys)
        self.ranges = tuple(ranges)
        super().__init__(message)


class TransactionTooLargeError(TransactionError):
    """The transaction exceeded its limit of bytes; nothing was written. Split it."""


class BackgroundError(Error):
    """A flush or compaction failed. The cause is `__cause__`; reads go on, and the work is tried again."""


class StorageError(Error, OSError):
    """The operating system refused a call. `path`, `operation` and `errno` tell which, where and why."""

    def __init__(self, path: str, operation: str, errno: int | None, reason: str) -> None:
        self.path = path
        self.operation = operation
        self.reason = reason
        super().__init__(errno, f"{path}: {operation} failed: {reason}")

    def __reduce__(self) -> tuple[type[StorageError], tuple[str, str, int | None, str]]:
        return (type(self), (self.path, self.operation, self.errno, self.reason))

    def __str__(self) -> str:
        return f"{self.path}: {self.operation} failed: {self.reason}"


class MissingFileError(StorageError):
    """The file does not exist."""


class DiskFullError(StorageError):
    """No space is left on the device (or in the quota). Writing resumes when there is space, without reopening."""

    retryable = True


class SyncFailedError(StorageError):
    """A sync failed, so the kernel may have dropped what it had not written.

    The directory takes no more writes until every handle is closed and it is opened (recovered) again; reads go on.
    The write that raised this may or may not be there afterwards.
    """


class CommitOutcomeUnknownError(StorageError):
    """The write failed half way and could not be undone: it may or may not be there after the next recovery."""


_FULL = frozenset({errno_names.ENOSPC, errno_names.EDQUOT})


def storage_error(path: str, operation: str, cause: OSError) -> StorageError:
    """Give the `StorageError` for an `OSError` of the operating system: the right class, with the file and the call."""
    kind: type[StorageError] = StorageError
    if cause.errno == errno_names.ENOENT:
        kind = MissingFileError
    elif cause.errno in _FULL:
        kind = DiskFullError
    return kind(path, operation, cause.errno, cause.strerror or str(cause))
