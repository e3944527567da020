"""Files and directories of Linux behind the interface of `lsm.environment`: one method is one system call.

A directory is a descriptor, and every name is relative to it, so that a directory which is moved away while it is open
keeps receiving its own writes. Descriptors are not inherited by programs (`O_CLOEXEC`); files are made with mode 0600
less the umask, directories with 0700. Every `OSError` becomes the `StorageError` that names the file and the call.

Objects hold nothing but their descriptor and their path, so any number of threads may use one. A forgotten object
closes its descriptor when it is collected; it never writes or waits then.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from contextlib import suppress

from lsm.environment import Directory, File, OpenMode, SharedMemory
from lsm.errors import InvalidArgumentError, StorageError, storage_error
from lsm.posix.descriptors import open_descriptor
from lsm.posix.shared_memory import share

_FILE_MODE = 0o600
_DIRECTORY_MODE = 0o700
_CLOSED = 0x7FFF_FFFF
"""A descriptor that no process can have: using it is refused with EBADF by every call, also by those that check."""
_FLAGS: dict[OpenMode, int] = {
    "read": os.O_RDONLY | os.O_NONBLOCK,
    "write": os.O_RDWR | os.O_NONBLOCK,
    "create": os.O_RDWR | os.O_CREAT | os.O_EXCL,
}
"""A pipe with a name of ours must not keep the opener waiting for its other end; to files it means nothing."""


class _Descriptor:
    """One descriptor that is closed once."""

    __slots__ = ("__weakref__", "_descriptor", "_outcome", "_path")

    def __init__(self, descriptor: int, path: str) -> None:
        self._descriptor = descriptor
        self._path = path
        self._outcome: list[None] = [None]

    @property
    def path(self) -> str:
        """The path at the time of opening, for messages only."""
        return self._path

    @property
    def synced(self) -> bool:
        """Whether the last sync succeeded."""
        return bool(self._outcome)

    def _sync(self, call: Callable[[int], None]) -> None:
        """Run a sync call so that its outcome is noted in the same step of the interpreter.

        `extend` stores the result before the interpreter looks for signals, and between the assignment and that call
        it looks for none. So a handler that raises finds the outcome known, or the call not yet begun.
        """
        outcome: list[None] = []
        extend, calls = outcome.extend, map(call, (self._descriptor,))
        try:
            self._outcome = outcome
            extend(calls)
        except OSError as error:
            raise storage_error(self._path, "sync", error) from error

    def close(self) -> None:
        """Close the descriptor, which drops its locks; closing twice is allowed."""
        descriptor, self._descriptor = self._descriptor, _CLOSED
        if descriptor != _CLOSED:
            try:
                os.close(descriptor)
            except OSError as error:
                raise storage_error(self._path, "close", error) from error

    def __del__(self) -> None:
        """Close what was forgotten; nobody is left who could be told about an error."""
        with suppress(StorageError, AttributeError):
            self.close()


class PosixFile(_Descriptor):
    """An open file; see `lsm.environment.File`."""

    __slots__ = ()

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes from `offset`; fewer only at the end of the file."""
        try:
            data = os.pread(self._descriptor, size, offset)
            while data and len(data) < size:
                more = os.pread(self._descriptor, size - len(data), offset + len(data))
                if not more:
                    break
                data += more
        except OSError as error:
            raise storage_error(self._path, "read", error) from error
        return data

    def write_at(self, offset: int, data: bytes) -> int:
        """Write at `offset`; return how many bytes were taken, which may be fewer than given."""
        try:
            return os.pwrite(self._descriptor, data, offset)
        except OSError as error:
            raise storage_error(self._path, "write", error) from error

    def sync(self) -> None:
        """Make content and length durable."""
        self._sync(os.fdatasync)

    def truncate(self, size: int) -> None:
        """Set the length to `size` bytes."""
        try:
            os.ftruncate(self._descriptor, size)
        except OSError as error:
            raise storage_error(self._path, "truncate", error) from error

    def size(self) -> int:
        """Return the length in bytes."""
        try:
            return os.fstat(self._descriptor).st_size
        except OSError as error:
            raise storage_error(self._path, "size", error) from error

    def link_count(self) -> int:
        """Return how many names the file has."""
        try:
            return os.fstat(self._descriptor).st_nlink
        except OSError as error:
            raise storage_error(self._path, "link_count", error) from error

    def try_lock(self, *, exclusive: bool) -> bool:
        """Take the lock of this open file, or convert it, without waiting; tell whether it was had.

        A conversion that is refused has given up the lock that was held before.
        """
        kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
        try:
            fcntl.flock(self._descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            raise storage_error(self._path, "lock", error) from error
        return True

    def map(self, size: int) -> SharedMemory:
        """Share the first `size` bytes, which must exist and have been written."""
        return share(self._descriptor, size, self._path)


class PosixDirectory(_Descriptor):
    """An open directory; see `lsm.environment.Directory`."""

    __slots__ = ()

    def open(self, name: str, mode: OpenMode) -> File:
        """Open a file of this directory."""
        path = os.path.join(self._path, name)
        try:
            return PosixFile(open_descriptor(name, _FLAGS[mode], _FILE_MODE, dir_fd=self._descriptor), path)
        except OSError as error:
            raise storage_error(path, "open", error) from error

    def names(self) -> list[str]:
        """Return the names in the directory, sorted.

        They are read through a descriptor of its own, because two threads that read one would share its position and
        each miss what the other got.
        """
        try:
            descriptor = open_descriptor(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=self._descriptor)
            try:
                return sorted(os.listdir(descriptor))
            finally:
                os.close(descriptor)
        except OSError as error:
            raise storage_error(self._path, "names", error) from error

    def rename(self, old: str, new: str) -> None:
        """Replace `new` by `old` atomically."""
        try:
            os.rename(old, new, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)
        except OSError as error:
            raise storage_error(os.path.join(self._path, old), f"rename to {new}", error) from error

    def link(self, name: str, target: Directory, target_name: str) -> None:
        """Give the file a second name in `target`."""
        if not isinstance(target, PosixDirectory):
            raise InvalidArgumentError(f"{target.path}: not a directory of this file system")
        path = os.path.join(self._path, name)
        there = target._descriptor  # noqa: SLF001  # another object of this class
        try:
            os.link(name, target_name, src_dir_fd=self._descriptor, dst_dir_fd=there)
        except OSError as error:
            raise storage_error(path, f"link to {target_name} in {target.path}", error) from error

    def unlink(self, name: str) -> None:
        """Remove a name; open files stay readable."""
        try:
            os.unlink(name, dir_fd=self._descriptor)
        except OSError as error:
            raise storage_error(os.path.join(self._path, name), "unlink", error) from error

    def sync(self) -> None:
        """Make created, renamed and removed names durable."""
        self._sync(os.fsync)


class PosixFileSystem:
    """Directories by path; see `lsm.environment.FileSystem`."""

    def open_directory(self, path: str) -> Directory:
        """Open an existing directory."""
        try:
            return PosixDirectory(open_descriptor(path, os.O_RDONLY | os.O_DIRECTORY), path)
        except OSError as error:
            raise storage_error(path, "open_directory", error) from error

    def create_directory(self, path: str) -> None:
        """Make a directory; its parent must exist, itself must not."""
        try:
            os.mkdir(path, _DIRECTORY_MODE)
        except OSError as error:
            raise storage_error(path, "create_directory", error) from error

    def rename_directory(self, old: str, new: str) -> None:
        """Rename a directory; `new` must not exist, or be an empty directory."""
        try:
            os.rename(old, new)
        except OSError as error:
            raise storage_error(old, f"rename_directory to {new}", error) from error

    def remove_directory(self, path: str) -> None:
        """Remove an empty directory."""
        try:
            os.rmdir(path)
        except OSError as error:
            raise storage_error(path, "remove_directory", error) from error

    def parent(self, path: str) -> str:
        """Return the absolute path of the directory that holds `path`."""
        return os.path.dirname(self.absolute(path))

    def absolute(self, path: str) -> str:
        """Return `path` made absolute, without `.` and `..`."""
        return os.path.abspath(path)
