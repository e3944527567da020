"""The simulated file system: directories by path, and everything that a test does to a process and its disk.

A `SimulatedFileSystem` is one process; several may share one `Disk`. The tree begins with an empty `/`, which is also
the working directory. Any number of threads may use it.
"""

from __future__ import annotations

import errno
import posixpath
from collections.abc import Callable

from lsm.environment import Directory
from lsm.errors import InvalidArgumentError
from lsm.testing.disk import Disk
from lsm.testing.faults import Call, Fault
from lsm.testing.handles import SimulatedDirectory, check_replaceable
from lsm.testing.nodes import Change, DirectoryNode, FileNode, Names, Node, Resize, Store, refusal
from lsm.testing.process import SimulatedProcess
from lsm.testing.survival import NOTHING, Pending, Survival


class SimulatedFileSystem:
    """A file system in memory that forgets what was not synced, and fails when it is told to.

    The methods of `lsm.environment.FileSystem`, and for tests: `observe`, `crash_at`, `fail`, `heal`, `kill`,
    `limit`, `flip_bit`, `after_kill`, `after_power_loss`.
    """

    def __init__(self, disk: Disk | None = None) -> None:
        """Start a process on a new empty disk, or on one that other processes use as well."""
        self._disk = Disk() if disk is None else disk
        self._process = SimulatedProcess(self._disk)

    @property
    def disk(self) -> Disk:
        """What outlives this process."""
        return self._disk

    @property
    def calls(self) -> int:
        """How many calls this process has made."""
        return self._process.calls

    # What a test does to the process and the disk.

    def observe(self, observer: Callable[[Call], None] | None) -> None:
        """Have `observer` called before each call is made; it sees the disk with exactly the earlier calls done.

        It may raise, and it may use `after_kill`, `after_power_loss`, `unsynced` and `fingerprint`.
        """
        self._process.observer = observer

    def crash_at(self, number: int | None) -> None:
        """Raise `SimulatedCrash` at the call with this number (the first is 0) and at every later one."""
        self._process.crash_at = number

    def fail(self, fault: Fault) -> Fault:
        """Have calls fail as `fault` says, until `heal`; return it. Of several faults the first that meets counts."""
        self._process.faults.append(fault)
        return fault

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The faults that are in force."""
        return tuple(self._process.faults)

    def heal(self) -> None:
        """Remove all faults. What a failed sync has spoilt stays spoilt."""
        self._process.faults.clear()

    def kill(self) -> None:
        """End this process: its locks are free, what it wrote stays, each later call raises `SimulatedCrash`."""
        self._process.kill()

    def limit(self, *, capacity_bytes: int | None = None, open_files: int | None = None) -> None:
        """Limit what all files of the disk hold together, and how much this process may have open; None is no limit.

        At the brim a write takes what there is room for, and then fails with ENOSPC until files are removed or the
        limit is raised; opening fails with EMFILE.
        """
        self._disk.capacity_bytes = capacity_bytes
        self._process.open_limit = open_files

    def flip_bit(self, path: str, bit: int) -> None:
        """Flip a bit of a file at rest, in the cache and on the disk; `bit` counts from the start of the file."""
        with self._disk.mutex:
            node = self._find(path)
            if not isinstance(node, FileNode) or not 0 <= bit < len(node.content) * 8:
                raise InvalidArgumentError(f"{path}: there is no bit {bit} in it")
            self._disk.damage(node, bit // 8, bytes([node.content[bit // 8] ^ 1 << bit % 8]))

    def after_kill(self, *, written_bytes: int = 0) -> SimulatedFileSystem:
        """Return a new process on a copy of the disk, as if all processes were killed now and the machine went on.

        written_bytes: for an observer of a write: so many of its bytes are written before the kill.
        """
        with self._disk.mutex:
            writing = self._process.writing
            unfinished = writing._replace(data=writing.data[:written_bytes]) if writing and written_bytes else None
            return SimulatedFileSystem(self._disk.after_kill(unfinished))

    def after_power_loss(self, survival: Survival = NOTHING) -> SimulatedFileSystem:
        """Return a process on what the disk holds if the power fails now; `survival` picks among legal disks."""
        with self._disk.mutex:
            return SimulatedFileSystem(self._disk.after_power_loss(survival))

    def unsynced(self) -> list[Pending]:
        """Describe the unsynced changes, oldest first, for `survivals`."""
        with self._disk.mutex:
            numbers: dict[int, int] = {}
            return [_describe(change, numbers) for change in self._disk.pending]

    def fingerprint(self) -> int:
        """Return a hash of all paths and contents, to tell equal disks within one run of a program."""
        with self._disk.mutex:
            return self._disk.fingerprint()

    # The interface of a file system.

    def open_directory(self, path: str) -> Directory:
        """Open an existing directory."""
        with self._process.call("open_directory", path):
            self._process.check_open_limit()
            node = self._find(path)
            if not isinstance(node, DirectoryNode):
                raise refusal(errno.ENOTDIR)
            return SimulatedDirectory(self._process, node, path)

    def create_directory(self, path: str) -> None:
        """Make a directory; its parent must exist, itself must not."""
        with self._process.call("create_directory", path):
            parent, name = self._place(path)
            if not name or name in parent.entries:
                raise refusal(errno.EEXIST)
            self._disk.name((parent, name, DirectoryNode()))

    def rename_directory(self, old: str, new: str) -> None:
        """Rename a directory; `new` must not exist, or be an empty directory."""
        with self._process.call("rename_directory", old):
            source, source_name = self._place(old)
            node = self._find(old)
            if not isinstance(node, DirectoryNode):
                raise refusal(errno.ENOTDIR)
            target, target_name = self._place(new)
            if f"{self.absolute(new)}/".startswith(f"{self.absolute(old)}/"):
                raise refusal(errno.EINVAL)
            replaced = target.entries.get(target_name)
            check_replaceable(node, replaced)
            if isinstance(replaced, DirectoryNode):
                replaced.removed = True
            self._disk.name((source, source_name, None), (target, target_name, node))

    def remove_directory(self, path: str) -> None:
        """Remove an empty directory."""
        with self._process.call("remove_directory", path):
            parent, name = self._place(path)
            node = self._find(path)
            if not isinstance(node, DirectoryNode):
                raise refusal(errno.ENOTDIR)
            if node.entries or node is self._disk.root:
                raise refusal(errno.ENOTEMPTY)
            node.removed = True
            self._disk.name((parent, name, None))

    def parent(self, path: str) -> str:
        """Return the absolute path of the directory that holds `path`."""
        return posixpath.dirname(self.absolute(path))

    def absolute(self, path: str) -> str:
        """Return `path` made absolute, without `.` and `..`."""
        return posixpath.normpath(posixpath.join("/", path))

    def _find(self, path: str) -> Node:
        node: Node = self._disk.root
        for step in self.absolute(path).split("/"):
            if not step:
                continue
            if not isinstance(node, DirectoryNode):
                raise refusal(errno.ENOTDIR)
            if step not in node.entries:
                raise refusal(errno.ENOENT)
            node = node.entries[step]
        return node

    def _place(self, path: str) -> tuple[DirectoryNode, str]:
        """Return the directory that holds or would hold `path`, and the name in it."""
        parent = self._find(self.parent(path))
        if not isinstance(parent, DirectoryNode):
            raise refusal(errno.ENOTDIR)
        return parent, posixpath.basename(self.absolute(path))


def _describe(change: Change, numbers: dict[int, int]) -> Pending:
    """Describe a change; `numbers` gives each file, by its identity, a number in order of its first change."""
    if isinstance(change, Names):
        named = [node for _, _, node in change.effects if node is not None]
        file = numbers.setdefault(id(named[0]), len(numbers)) if named else -1
        return Pending("names", file=file, replaces=change.replaces, journaled=change.journaled)
    file = numbers.setdefault(id(change.file), len(numbers))
    if isinstance(change, Resize):
        return Pending("length", file=file)
    offset, size = (0, change.size) if isinstance(change, Store) else (change.offset, len(change.data))
    old_bytes = min(max(len(change.file.durable) - offset, 0), size)
    return Pending("content", size, offset, file, old_bytes)
