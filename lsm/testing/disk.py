"""A simulated disk with its kernel: what a file reads as now, and what of that a power loss would leave.

Two layers. The cache is what every process sees: `FileNode.content` and `DirectoryNode.entries`. The disk is what was
made durable: `FileNode.durable` and `DirectoryNode.durable`. Between them lies one list, in order of time, of the
changes that nobody has synced yet. Only syncs move changes to the disk: that of a file its writes and length, that of a
directory the names in it. Syncing a file does not make its name durable, and nothing else orders anything, so any
subset of the list may survive a power loss (`lsm.testing.survival` picks it).

A failed sync is that of Linux on ext4: the changes are dropped from the list, the pages count as clean, reads still
show the data, and whatever is written into those pages later never reaches the disk, though its sync says that it did.
A failed sync of a directory leaves its names undecided.

Methods raise plain `OSError`; the file system above turns them into typed errors. Nothing here takes a lock: the file
system holds `mutex` around each call.
"""

from __future__ import annotations

import errno
import random
import threading
import weakref
from typing import NamedTuple

from lsm.testing.survival import Fate, Survival

PAGE_BYTES = 4096


class FileNode:
    """A file without a name: content, durable content, pages that a failed sync has spoilt, names, locks."""

    __slots__ = ("content", "durable", "links", "locks", "spoilt")

    def __init__(self, durable: bytes = b"") -> None:
        self.content: bytes | bytearray = durable
        self.durable = durable
        self.links = 0
        self.locks: weakref.WeakKeyDictionary[object, bool] = weakref.WeakKeyDictionary()
        """Open file -> whether it holds the lock exclusively. Weak, since a forgotten handle counts as closed."""
        self.spoilt: frozenset[int] = frozenset()

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
    """One atomic change of names that is not synced: each name with the node it now means, or None if removed."""

    effects: tuple[tuple[DirectoryNode, str, Node | None], ...]


Change = Write | Resize | Store | Names


class Disk:
    """Everything that outlives a process: the tree of directories, the unsynced changes, and the count of starts."""

    def __init__(self) -> None:
        self.root = DirectoryNode()
        self.pending: list[Change] = []
        self.starts = 1
        """How often the machine was started."""
        self.processes = 0
        """How many processes (`SimulatedFileSystem` objects) have used this disk or one it was copied from."""
        self.version = 0
        """Grows with every change of anything that could survive."""
        self.mutex = threading.RLock()

    def write(self, file: FileNode, offset: int, data: bytes) -> None:
        """Write into the cache; what falls into spoilt pages will never get further."""
        _overlay(file.writable(), offset, data)
        self.version += 1
        if not file.spoilt:
            self.pending.append(Write(file, offset, data))
            return
        position = 0
        while position < len(data):
            page = (offset + position) // PAGE_BYTES
            end = min((page + 1) * PAGE_BYTES - offset, len(data))
            if page not in file.spoilt:
                self.pending.append(Write(file, offset + position, data[position:end]))
            position = end

    def resize(self, file: FileNode, size: int) -> None:
        """Set the length of the content."""
        _resize(file.writable(), size)
        self.version += 1
        self.pending.append(Resize(file, size))

    def store(self, file: FileNode, offset: int, data: bytes, mapped_bytes: int) -> None:
        """Put bytes into a mapped page. Stores of one file are one change: the page goes to the disk as it then is."""
        _overlay(file.writable(), offset, data)
        self.version += 1
        self.pending = [change for change in self.pending if not (isinstance(change, Store) and change.file is file)]
        self.pending.append(Store(file, mapped_bytes))

    def name(self, *effects: tuple[DirectoryNode, str, Node | None]) -> None:
        """Change names, all at once."""
        for directory, name, node in effects:
            old = directory.entries.pop(name, None)
            if isinstance(old, FileNode):
                old.links -= 1
            if node is not None:
                directory.entries[name] = node
                if isinstance(node, FileNode):
                    node.links += 1
        self.version += 1
        self.pending.append(Names(effects))

    def sync_file(self, file: FileNode) -> None:
        """Make the writes and the length of a file durable, except for spoilt pages."""
        content = bytearray(file.durable)
        for change in self.pending:
            if not isinstance(change, Names) and change.file is file:
                _apply(content, change, Fate.kept())
        file.durable = file.frozen() if content == file.content else bytes(content)
        self.pending = [change for change in self.pending if isinstance(change, Names) or change.file is not file]
        self.version += 1

    def spoil_file(self, file: FileNode) -> None:
        """Fail the sync of a file: its unsynced changes are dropped, their pages are clean and spoilt."""
        pages = set(file.spoilt)
        for change in self.pending:
            if isinstance(change, Write) and change.file is file:
                pages.update(range(change.offset // PAGE_BYTES, -(-(change.offset + len(change.data)) // PAGE_BYTES)))
            elif isinstance(change, Store) and change.file is file:
                pages.update(range(-(-change.size // PAGE_BYTES)))
        file.spoilt = frozenset(pages)
        self.pending = [change for change in self.pending if isinstance(change, Names) or change.file is not file]
        self.version += 1

    def sync_directory(self, directory: DirectoryNode) -> None:
        """Make the names of a directory durable, and the other half of renames into or out of it."""
        rest: list[Change] = []
        for change in self.pending:
            if isinstance(change, Names) and any(touched is directory for touched, _, _ in change.effects):
                _apply_names(change)
            else:
                rest.append(change)
        self.pending = rest
        self.version += 1

    def after_kill(self) -> Disk:
        """Copy the disk as it is when every process is killed and the machine goes on: cache kept, locks gone."""
        copies: dict[int, Node] = {}
        copied = self._successor(_copy_directory(self.root, copies))
        copied.starts = self.starts
        copied.pending = [_copy_change(change, copies) for change in self.pending]
        return copied

    def after_power_loss(self, survival: Survival) -> Disk:
        """Copy what a power loss leaves: everything durable, and of the unsynced changes what `survival` says."""
        names: dict[int, dict[str, Node]] = {}
        contents: dict[int, bytearray] = {}
        for position, change in enumerate(self.pending):
            fate = survival.fate(position)
            if isinstance(change, Names):
                for directory, name, node in change.effects if fate.is_whole else ():
                    _set(names.setdefault(id(directory), dict(directory.durable)), name, node)
            elif fate.touches:
                content = contents.setdefault(id(change.file), bytearray(change.file.durable))
                _apply(content, change, fate)
        lost = self._successor(_surviving_directory(self.root, names, contents, {}))
        lost.starts = self.starts + 1
        return lost

    def _successor(self, root: DirectoryNode) -> Disk:
        disk = Disk()
        disk.root = root
        disk.processes = self.processes
        return disk

    def fingerprint(self) -> int:
        """Return a hash of all paths and contents as they read now; equal for equal trees within one process."""
        return hash(tuple(_listing(self.root, "")))


def _overlay(content: bytearray, offset: int, data: bytes) -> None:
    if offset > len(content):
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def _resize(content: bytearray, size: int) -> None:
    if size < len(content):
        del content[size:]
    else:
        content.extend(bytes(size - len(content)))


def _apply(content: bytearray, change: Write | Resize | Store, fate: Fate) -> None:
    """Do to the durable content what survives of a change."""
    if isinstance(change, Resize):
        if fate.is_whole:
            _resize(content, change.size)
        return
    if isinstance(change, Store):
        offset, data = 0, bytes(change.file.content[: change.size])
    else:
        offset, data = change.offset, change.data
    kept = len(data) if fate.kept_bytes is None else min(fate.kept_bytes, len(data))
    if kept:
        _overlay(content, offset, data[:kept])
    gap = offset + len(data) - len(content)
    if kept < len(data) and gap > 0 and fate.gap != "absent":
        filler = random.Random(offset).randbytes(gap) if fate.gap == "garbage" else bytes(gap)
        content.extend(filler)


def _apply_names(change: Names) -> None:
    for directory, name, node in change.effects:
        _set(directory.durable, name, node)


def _set(names: dict[str, Node], name: str, node: Node | None) -> None:
    if node is None:
        names.pop(name, None)
    else:
        names[name] = node


def _copy_node(node: Node, copies: dict[int, Node]) -> Node:
    if id(node) not in copies:
        if isinstance(node, DirectoryNode):
            return _copy_directory(node, copies)
        file = FileNode(node.durable)
        file.content = node.frozen()
        file.links, file.spoilt = node.links, node.spoilt
        copies[id(node)] = file
    return copies[id(node)]


def _copy_directory(directory: DirectoryNode, copies: dict[int, Node]) -> DirectoryNode:
    copy = DirectoryNode()
    copies[id(directory)] = copy
    copy.removed = directory.removed
    copy.entries = {name: _copy_node(node, copies) for name, node in directory.entries.items()}
    copy.durable = {name: _copy_node(node, copies) for name, node in directory.durable.items()}
    return copy


def _copy_change(change: Change, copies: dict[int, Node]) -> Change:
    if not isinstance(change, Names):
        file = _copy_node(change.file, copies)
        assert isinstance(file, FileNode)
        return change._replace(file=file)
    effects = []
    for directory, name, node in change.effects:
        place = _copy_node(directory, copies)
        assert isinstance(place, DirectoryNode)
        effects.append((place, name, None if node is None else _copy_node(node, copies)))
    return Names(tuple(effects))


def _surviving_directory(
    directory: DirectoryNode, names: dict[int, dict[str, Node]], contents: dict[int, bytearray], made: dict[int, Node]
) -> DirectoryNode:
    """Build a directory out of what survived, where nothing is pending and the cache shows what is durable."""
    survivor = DirectoryNode()
    made[id(directory)] = survivor
    for name, node in names.get(id(directory), directory.durable).items():
        if id(node) not in made:
            if isinstance(node, DirectoryNode):
                _surviving_directory(node, names, contents, made)
            else:
                content = contents.get(id(node))
                made[id(node)] = FileNode(node.durable if content is None else bytes(content))
        found = made[id(node)]
        survivor.entries[name] = found
        if isinstance(found, FileNode):
            found.links += 1
    survivor.durable = dict(survivor.entries)
    return survivor


def _listing(directory: DirectoryNode, path: str) -> list[tuple[str, bytes | None]]:
    listed: list[tuple[str, bytes | None]] = []
    for name, node in sorted(directory.entries.items()):
        if isinstance(node, FileNode):
            listed.append((f"{path}/{name}", node.frozen()))
        else:
            listed.append((f"{path}/{name}", None))
            listed.extend(_listing(node, f"{path}/{name}"))
    return listed


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
