"""Open files, mapped memory and open directories of one simulated process."""

from __future__ import annotations

import errno
import posixpath

from lsm.environment import Directory, File, OpenMode, SharedMemory
from lsm.errors import InvalidArgumentError, StorageError, storage_error
from lsm.testing.nodes import DirectoryNode, FileNode, Node, Write, refusal
from lsm.testing.process import SimulatedProcess


class SimulatedFile:
    """An open file; see `lsm.environment.File`."""

    def __init__(self, process: SimulatedProcess, node: FileNode, path: str, *, writable: bool) -> None:
        self._process = process
        self._node = node
        self._path = path
        self._writable = writable
        self._closed = False
        self.synced = True
        """Whether the last sync succeeded."""
        process.handles.add(self)

    @property
    def path(self) -> str:
        """The path at the time of opening, for messages only."""
        return self._path

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes from `offset`; fewer only at the end of the file."""
        with self._process.call("read", self._path) as fault:
            self._check()
            data = bytes(self._node.content[offset : offset + size])
            return data if fault is None else fault.flipped(data)

    def write_at(self, offset: int, data: bytes) -> int:
        """Write at `offset` into the cache; return how many bytes were taken."""
        taken = bytes(data)
        with self._process.call("write", self._path, Write(self._node, offset, taken)) as fault:
            self._check(writing=True)
            if fault is not None and fault.short_bytes is not None:
                taken = taken[: fault.short_bytes]
            taken = taken[: self._process.disk.room_for(self._node, offset, len(taken))]
            self._process.disk.write(self._node, offset, taken)
            return len(taken)

    def sync(self) -> None:
        """Make content and length durable."""
        self.synced = True
        with self._process.call("sync", self._path) as fault:
            self._check()
            if fault is not None and fault.is_error:
                self.synced = False
                self._process.disk.spoil_file(self._node, fault.sync_failure)
                raise refusal(fault.error)
            if fault is None or not fault.is_ignored:
                self._process.disk.sync_file(self._node)

    def truncate(self, size: int) -> None:
        """Set the length to `size` bytes."""
        with self._process.call("truncate", self._path):
            self._check(writing=True)
            self._process.disk.resize(self._node, size)

    def size(self) -> int:
        """Return the length in bytes."""
        with self._process.call("size", self._path):
            self._check()
            return len(self._node.content)

    def link_count(self) -> int:
        """Return how many names the file has."""
        with self._process.call("link_count", self._path):
            self._check()
            return self._node.links

    def try_lock(self, *, exclusive: bool) -> bool:
        """Take the lock of this open file, or convert it; a refused conversion has lost what was held."""
        with self._process.call("lock", self._path):
            self._check()
            locks = self._node.locks
            locks.pop(self, None)
            if any(exclusive or held for held in locks.values()):
                return False
            locks[self] = exclusive
            return True

    def map(self, size: int) -> SharedMemory:
        """Share the first `size` bytes, which must exist."""
        with self._process.call("map", self._path):
            self._check(writing=True)
            if size > len(self._node.content):
                raise refusal(errno.EINVAL)
            return SimulatedMemory(self._process, self._node, self._path, size)

    def close(self) -> None:
        """Close the file, which drops its lock; closing twice is allowed."""
        with self._process.disk.mutex:
            self._closed = True
            self._node.locks.pop(self, None)
            self._process.handles.discard(self)

    def _check(self, *, writing: bool = False) -> None:
        if self._closed or (writing and not self._writable):
            raise refusal(errno.EBADF)


class SimulatedMemory:
    """The mapped beginning of a file: stores are seen at once, and reach the disk at no certain time."""

    def __init__(self, process: SimulatedProcess, node: FileNode, path: str, size: int) -> None:
        self._process = process
        self._node = node
        self._path = path
        self._size = size
        self._closed = False

    def load(self, offset: int, size: int) -> bytes:
        """Return `size` bytes at `offset`."""
        if self._closed:
            raise storage_error(self._path, "load", refusal(errno.EBADF))
        with self._process.disk.mutex:
            return bytes(self._node.content[offset : min(offset + size, self._size)])

    def store(self, offset: int, data: bytes) -> None:
        """Put `data` at `offset`."""
        with self._process.call("store", self._path):
            if self._closed:
                raise refusal(errno.EBADF)
            if offset + len(data) > self._size:
                raise refusal(errno.EINVAL)
            self._process.disk.store(self._node, offset, bytes(data), self._size)

    def close(self) -> None:
        """Give the mapping back; closing twice is allowed."""
        self._closed = True


class SimulatedDirectory:
    """An open directory; see `lsm.environment.Directory`."""

    def __init__(self, process: SimulatedProcess, node: DirectoryNode, path: str) -> None:
        self._process = process
        self._node = node
        self._path = path
        self._closed = False
        self.synced = True
        """Whether the last sync succeeded."""
        process.handles.add(self)

    @property
    def path(self) -> str:
        """The path at the time of opening, for messages only."""
        return self._path

    @property
    def node(self) -> DirectoryNode:
        """The directory that is open."""
        return self._node

    def open(self, name: str, mode: OpenMode) -> File:
        """Open a file of this directory."""
        path = posixpath.join(self._path, name)
        with self._process.call("open", path):
            self._check()
            self._process.check_open_limit()
            node = self._node.entries.get(check_name(name))
            if mode == "create":
                if node is not None:
                    raise refusal(errno.EEXIST)
                if self._node.removed:
                    raise refusal(errno.ENOENT)
                node = FileNode(ending=posixpath.splitext(name)[1])
                self._process.disk.name((self._node, name, node))
            elif node is None:
                raise refusal(errno.ENOENT)
            if isinstance(node, DirectoryNode):
                raise refusal(errno.EISDIR)
            return SimulatedFile(self._process, node, path, writable=mode != "read")

    def names(self) -> list[str]:
        """Return the names in the directory, sorted."""
        with self._process.call("names", self._path):
            self._check()
            return sorted(self._node.entries)

    def rename(self, old: str, new: str) -> None:
        """Replace `new` by `old` atomically."""
        with self._process.call("rename", posixpath.join(self._path, old)):
            self._check()
            node = self._existing(old)
            target = self._node.entries.get(check_name(new))
            if target is node:
                return
            check_replaceable(node, target)
            self._process.disk.name((self._node, old, None), (self._node, new, node))

    def link(self, name: str, target: Directory, target_name: str) -> None:
        """Give the file a second name in `target`."""
        if not isinstance(target, SimulatedDirectory):
            raise InvalidArgumentError(f"{target.path}: not a directory of this file system")
        with self._process.call("link", posixpath.join(self._path, name)):
            self._check()
            node = self._existing(name)
            if isinstance(node, DirectoryNode):
                raise refusal(errno.EPERM)
            if check_name(target_name) in target.node.entries:
                raise refusal(errno.EEXIST)
            if target.node.removed:
                raise refusal(errno.ENOENT)
            self._process.disk.name((target.node, target_name, node))

    def unlink(self, name: str) -> None:
        """Remove a name; open files stay readable."""
        with self._process.call("unlink", posixpath.join(self._path, name)):
            self._check()
            if isinstance(self._existing(name), DirectoryNode):
                raise refusal(errno.EISDIR)
            self._process.disk.name((self._node, name, None))

    def sync(self) -> None:
        """Make created, renamed and removed names durable."""
        self.synced = True
        try:
            with self._process.call("sync_directory", self._path) as fault:
                self._check()
                if fault is None or not fault.is_ignored:
                    self._process.disk.sync_directory(self._node)
        except StorageError:
            self.synced = False
            raise

    def close(self) -> None:
        """Close the directory; closing twice is allowed."""
        with self._process.disk.mutex:
            self._closed = True
            self._process.handles.discard(self)

    def _existing(self, name: str) -> Node:
        node = self._node.entries.get(check_name(name))
        if node is None:
            raise refusal(errno.ENOENT)
        return node

    def _check(self) -> None:
        if self._closed:
            raise refusal(errno.EBADF)


def check_name(name: str) -> str:
    """Return a name that is a single step, not a path; anything else is refused as the kernel would."""
    if name in {"", ".", ".."} or "/" in name or "\0" in name:
        raise refusal(errno.EINVAL)
    return name


def check_replaceable(node: Node, target: Node | None) -> None:
    """Refuse to rename `node` over `target` where the kinds differ, or the target is a directory with names in it."""
    if isinstance(node, FileNode) and isinstance(target, DirectoryNode):
        raise refusal(errno.EISDIR)
    if isinstance(node, DirectoryNode) and isinstance(target, FileNode):
        raise refusal(errno.ENOTDIR)
    if isinstance(target, DirectoryNode) and target.entries:
        raise refusal(errno.ENOTEMPTY)
