"""A few bytes of a file, seen by all processes at once: by a mapping, or by positioned reads and writes.

A store into a mapping cannot report an error: where it needs a new block and the disk is full, or the file was made
shorter, the process dies of SIGBUS. So the mapping is used only on file systems that overwrite a written block in place
(the caller writes the whole range before it maps it), and positioned calls everywhere else, also where the kind of file
system cannot be told. Both see each other's bytes at once, because Linux keeps one page cache for both.

Neither takes a lock. Eight bytes at a multiple of eight are loaded and stored as one piece; anything larger may be seen
half old and half new by another process.
"""

from __future__ import annotations

import errno
import mmap
import os

from lsm.environment import SharedMemory
from lsm.errors import StorageError, storage_error

_OVERWRITING = frozenset({"ext2", "ext3", "ext4", "tmpfs", "xfs"})
"""File systems that never move a block which was written once and is shared with no other file."""
_MOUNTS = "/proc/self/mountinfo"


class MappedMemory:
    """A shared mapping of the beginning of a file. It has its own duplicate of the descriptor."""

    def __init__(self, descriptor: int, size: int, path: str) -> None:
        self._path = path
        self._mapping = mmap.mmap(descriptor, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)

    def load(self, offset: int, size: int) -> bytes:
        """Return `size` bytes at `offset`."""
        try:
            return self._mapping[offset : offset + size]
        except ValueError as error:
            raise _closed(self._path) from error

    def store(self, offset: int, data: bytes) -> None:
        """Put `data` at `offset`; other processes see it at once."""
        try:
            self._mapping[offset : offset + len(data)] = data
        except ValueError as error:
            raise _closed(self._path) from error

    def close(self) -> None:
        """Give the mapping back; closing twice is allowed."""
        self._mapping.close()


class PositionedMemory:
    """The same by `pread` and `pwrite` on a duplicate of the descriptor: slower, and errors are errors."""

    def __init__(self, descriptor: int, path: str) -> None:
        self._path = path
        self._descriptor = os.dup(descriptor)

    def load(self, offset: int, size: int) -> bytes:
        """Return `size` bytes at `offset`; raise `StorageError` if the system refuses."""
        try:
            return os.pread(self._descriptor, size, offset)
        except OSError as error:
            raise storage_error(self._path, "load", error) from error

    def store(self, offset: int, data: bytes) -> None:
        """Put `data` at `offset`; raise `StorageError` if the system refuses, or takes only a part."""
        try:
            taken = os.pwrite(self._descriptor, data, offset)
        except OSError as error:
            raise storage_error(self._path, "store", error) from error
        if taken != len(data):
            raise StorageError(self._path, "store", errno.EIO, f"only {taken} of {len(data)} bytes were taken")

    def close(self) -> None:
        """Close the duplicate; closing twice is allowed."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        """Close what was forgotten."""
        if getattr(self, "_descriptor", -1) >= 0:
            self.close()


def share(descriptor: int, size: int, path: str) -> SharedMemory:
    """Share the first `size` bytes of an open file in the way that its file system allows.

    Raises `StorageError` if the file is shorter, or the system refuses.
    """
    try:
        status = os.fstat(descriptor)
        if status.st_size >= size:
            if file_system_kind(status.st_dev) in _OVERWRITING:
                return MappedMemory(descriptor, size, path)
            return PositionedMemory(descriptor, path)
    except OSError as error:
        raise storage_error(path, "map", error) from error
    raise StorageError(path, "map", errno.EINVAL, f"the file has {status.st_size} bytes, not {size}")


def file_system_kind(device: int) -> str | None:
    """Return the kind of the mounted file system with this device number, as `ext4`; None if it cannot be told."""
    wanted = f"{os.major(device)}:{os.minor(device)}".encode()
    try:
        descriptor = os.open(_MOUNTS, os.O_RDONLY)
    except OSError:
        return None
    with open(descriptor, "rb") as mounts:
        for line in mounts:
            # <id> <parent> <major:minor> <root> <mount point> <options> <optional fields> - <kind> <source> <options>
            place, _, described = line.partition(b" - ")
            if place.split(b" ", 3)[2] == wanted:
                return described.split(b" ", 1)[0].decode("ascii", "replace")
    return None


def _closed(path: str) -> StorageError:
    return StorageError(path, "load or store", errno.EBADF, "the mapping is closed")
