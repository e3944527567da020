"""A simulated disk with its kernel: what a file reads as now, and what of that a power loss would leave.

Two layers. The cache is what every process sees: `FileNode.content` and `DirectoryNode.entries`. The disk is what was
made durable: `FileNode.durable` and `DirectoryNode.durable`. Between them lies one list, in order of time, of the
changes that nobody has synced yet. Only syncs move changes to the disk: that of a file its writes and length, that of a
directory the names in it. Syncing a file does not make its name durable, and nothing else orders anything, so any
subset of the list may survive a power loss (`lsm.testing.survival` picks it).

A failed sync drops the changes of the file from the list and counts its pages as clean, in one of three ways, after
Rebello et al., "Can Applications Recover from fsync Failures?" (USENIX ATC 2020):

    ext4     reads still show the data; whatever is written into those pages later never reaches the disk, though its
             sync says that it did
    xfs      reads still show the data; a later write into such a page makes the whole page dirty again
    btrfs    content and length go back to what is durable

A failed sync of a directory leaves its names undecided.

Methods raise plain `OSError`; the file system above turns them into typed errors. Nothing here takes a lock: the file
system holds `mutex` around each call.
"""

from __future__ import annotations

import errno
import threading

from lsm.testing.faults import SyncFailure
from lsm.testing.nodes import (
    PAGE_BYTES,
    Change,
    DirectoryNode,
    FileNode,
    Names,
    Node,
    Resize,
    Store,
    Write,
    pages,
    refusal,
)
from lsm.testing.persistence import (
    apply,
    apply_names,
    copy_change,
    copy_directory,
    listing,
    overlay,
    resize,
    surviving_directory,
)
from lsm.testing.survival import Fate, Survival


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
        self.freed: dict[str, bytes] = {}
        """By the end of its name, what the file held that was freed last: the blocks that a new file may get."""
        self.capacity_bytes: int | None = None
        """How much all files may hold together; None is no limit."""
        self.delay_seconds = 0.0
        """How long slow calls have taken."""
        self.mutex = threading.RLock()

    def room_for(self, file: FileNode, offset: int, size: int) -> int:
        """Return how many of these bytes the disk can take; raise ENOSPC if it is none of them."""
        if self.capacity_bytes is None or size == 0:
            return size
        used = sum(len(content) for _, content in listing(self.root, "") if content is not None)
        room = max(len(file.content) - offset, 0) + max(self.capacity_bytes - used, 0)
        if room <= 0:
            raise refusal(errno.ENOSPC)
        return min(size, room)

    def write(self, file: FileNode, offset: int, data: bytes) -> None:
        """Write into the cache; what falls into spoilt pages will never get further."""
        overlay(file.writable(), offset, data)
        self.version += 1
        if not file.spoilt and not file.dropped:
            self.pending.append(Write(file, offset, data))
            return
        for page in pages(offset, len(data)):
            start = max(offset, page * PAGE_BYTES)
            end = min(offset + len(data), (page + 1) * PAGE_BYTES)
            if page in file.dropped:
                start, end = page * PAGE_BYTES, (page + 1) * PAGE_BYTES
            if page not in file.spoilt:
                self.pending.append(Write(file, start, bytes(file.content[start:end])))
        file.dropped -= frozenset(pages(offset, len(data)))

    def resize(self, file: FileNode, size: int) -> None:
        """Set the length of the content."""
        resize(file.writable(), size)
        self.version += 1
        self.pending.append(Resize(file, size))

    def store(self, file: FileNode, offset: int, data: bytes, mapped_bytes: int) -> None:
        """Put bytes into a mapped page. Stores of one file are one change: the page goes to the disk as it then is."""
        overlay(file.writable(), offset, data)
        self.version += 1
        self.pending = [change for change in self.pending if not (isinstance(change, Store) and change.file is file)]
        self.pending.append(Store(file, mapped_bytes))

    def name(self, *effects: tuple[DirectoryNode, str, Node | None]) -> None:
        """Change names, all at once."""
        replaces = any(node is not None and name in directory.entries for directory, name, node in effects)
        for directory, name, node in effects:
            self._forget(directory.entries.pop(name, None))
            if node is not None:
                directory.entries[name] = node
                if isinstance(node, FileNode):
                    node.links += 1
        self.version += 1
        self.pending.append(Names(effects, replaces))

    def _forget(self, old: Node | None) -> None:
        """Take one name from a node; without any, its blocks are free for files of the same kind."""
        if isinstance(old, FileNode):
            old.links -= 1
            if old.links == 0:
                self.freed[old.ending] = old.frozen()

    def sync_file(self, file: FileNode) -> None:
        """Make the writes and the length of a file durable, except for spoilt pages."""
        content = bytearray(file.durable)
        for change in self.pending:
            if not isinstance(change, Names) and change.file is file:
                apply(content, change, Fate.kept(), self.freed)
        file.durable = file.frozen() if content == file.content else bytes(content)
        self._settle(file)

    def spoil_file(self, file: FileNode, failure: SyncFailure) -> None:
        """Fail the sync of a file: its unsynced changes are dropped and their pages are clean, in one of three ways."""
        touched: set[int] = set()
        for change in self.pending:
            if isinstance(change, Write) and change.file is file:
                touched.update(pages(change.offset, len(change.data)))
            elif isinstance(change, Store) and change.file is file:
                touched.update(pages(0, change.size))
        if failure == "ext4":
            file.spoilt |= touched
        elif failure == "xfs":
            file.dropped |= touched
        else:
            file.content = file.durable
        self._settle(file)

    def _settle(self, file: FileNode) -> None:
        """Forget the changes of a file; a sync of anything, failed or not, sends the journal to the disk."""
        self.pending = [
            change._replace(journaled=True) if isinstance(change, Names) else change
            for change in self.pending
            if isinstance(change, Names) or change.file is not file
        ]
        self.version += 1

    def sync_directory(self, directory: DirectoryNode) -> None:
        """Make the names of a directory durable, and the other half of renames into or out of it."""
        rest: list[Change] = []
        for change in self.pending:
            if not isinstance(change, Names):
                rest.append(change)
            elif any(touched is directory for touched, _, _ in change.effects):
                for place, name, node in change.effects:
                    apply_names(place.durable, name, node)
            else:
                rest.append(change._replace(journaled=True))
        self.pending = rest
        self.version += 1

    def damage(self, file: FileNode, offset: int, data: bytes) -> None:
        """Change bytes at rest, in the cache and on the disk."""
        overlay(file.writable(), offset, data)
        durable = bytearray(file.durable)
        overlay(durable, offset, data)
        file.durable = file.frozen() if durable == file.content else bytes(durable)
        self.version += 1

    def after_kill(self, unfinished: Write | None = None) -> Disk:
        """Copy the disk as it is when every process is killed and the machine goes on: cache kept, locks gone.

        unfinished: a write that was under way, as far as it got.
        """
        copies: dict[int, Node] = {}
        copied = self._successor(copy_directory(self.root, copies))
        copied.starts = self.starts
        copied.pending = [copy_change(change, copies) for change in self.pending]
        if unfinished is not None:
            file = copies.get(id(unfinished.file))
            if isinstance(file, FileNode):
                copied.write(file, unfinished.offset, unfinished.data)
        return copied

    def after_power_loss(self, survival: Survival) -> Disk:
        """Copy what a power loss leaves: everything durable, and of the unsynced changes what `survival` says."""
        names: dict[int, dict[str, Node]] = {}
        contents: dict[int, bytearray] = {}
        for position, change in enumerate(self.pending):
            fate = survival.fate(position)
            if isinstance(change, Names):
                for directory, name, node in change.effects if fate.is_whole else ():
                    apply_names(names.setdefault(id(directory), dict(directory.durable)), name, node)
            elif fate.touches:
                content = contents.setdefault(id(change.file), bytearray(change.file.durable))
                apply(content, change, fate, self.freed)
        lost = self._successor(surviving_directory(self.root, names, contents, {}))
        lost.starts = self.starts + 1
        return lost

    def _successor(self, root: DirectoryNode) -> Disk:
        disk = Disk()
        disk.root = root
        disk.processes = self.processes
        disk.freed = dict(self.freed)
        disk.capacity_bytes = self.capacity_bytes
        disk.delay_seconds = self.delay_seconds
        return disk

    def fingerprint(self) -> int:
        """Return a hash of all paths and contents as they read now; equal for equal trees within one process."""
        return hash(tuple(listing(self.root, "")))
