"""What lies on a simulated disk: files and directories without names, and the changes to them that are not synced."""

from __future__ import annotations

import errno
import weakref
from typing import NamedTuple

PAGE_BYTES = 4096


class FileNode:
    """A file without a name: content, durable content, pages that a failed sync has touched, names, locks."""

    __slots__ = ("content", "dropped", "durable", "ending", "links", "locks", "spoilt")

    def __init__(self, durable: bytes = b"", *, ending: str = "") -> None:
        self.content: bytes | bytearray = durable
        self.durable = durable
        self.ending = ending
        """The end of its first name, as `.wal`: files of one kind get each other's freed blocks."""
        self.links = 0
        self.locks: weakref.WeakKeyDictionary[object, bool] = weakref.WeakKeyDictionary()
        """Open file -> whether it holds the lock exclusively. Weak, since a forgotten handle counts as closed."""
        self.spoilt: frozenset[int] = frozenset()
        """Pages that will never reach the disk again, whatever is written into them."""
        self.dropped: frozenset[int] = frozenset()
        """Pages that count as clean, but are not on the disk; a later write into one makes all of it dirty again."""

    def frozen(self) -> bytes:
        """Return the content as one value that later writes do not change; costs a copy only after a write."""
        if not isinstance(self.content, bytes):
            self.content = bytes(self.content)
        return self.content

    def writable(self) -> bytearray:
        """Return the content for changing."""
        if not isinstance(self.content, bytearray):
            self.content = bytearray(self.content)
        return self.content


class DirectoryNode:
    """A directory without a name: the names in it now, and those that are durable."""

    __slots__ = ("durable", "entries", "removed")

    def __init__(self) -> None:
        self.entries: dict[str, Node] = {}
        self.durable: dict[str, Node] = {}
        self.removed = False


Node = FileNode | DirectoryNode


class Write(NamedTuple):
    """Bytes written at an offset that are not synced."""

    file: FileNode
    offset: int
    data: bytes


class Resize(NamedTuple):
    """A length that was set and is not synced."""

    file: FileNode
    size: int


class Store(NamedTuple):
    """The mapped beginning of a file, into which somebody has stored: it may reach the disk at any time."""

    file: FileNode
    size: int


class Names(NamedTuple):
    """One atomic change of names that is not synced: each name with the node it now means, or None if removed.

    journaled: whether a later sync of anything would have made it durable on a file system with one journal.
    """

    effects: tuple[tuple[DirectoryNode, str, Node | None], ...]
    replaces: bool = False
    journaled: bool = False


Change = Write | Resize | Store | Names


def pages(offset: int, size: int) -> range:
    """Return the numbers of the pages that these bytes touch."""
    return range(offset // PAGE_BYTES, -(-(offset + size) // PAGE_BYTES))


def refusal(number: int) -> OSError:
    """Return the error of a kernel that refuses a call with this `errno`."""
    return OSError(number, _REASONS.get(number, errno.errorcode.get(number, "unknown error")))


_REASONS = {
    errno.EBADF: "Bad file descriptor",
    errno.EEXIST: "File exists",
    errno.EINVAL: "Invalid argument",
    errno.EIO: "Input/output error",
    errno.EISDIR: "Is a directory",
    errno.EMFILE: "Too many open files",
    errno.ENOENT: "No such file or directory",
    errno.ENOSPC: "No space left on device",
    errno.ENOTDIR: "Not a directory",
    errno.ENOTEMPTY: "Directory not empty",
    errno.EXDEV: "Invalid cross-device link",
}
