"""The outside world as one interface: files, clock, threads, locks and randomness.

Nothing else in `lsm` touches the operating system, so a simulated disk can lose, tear, reorder and corrupt anything,
and a test can fail any call. One method is one system call. Implementations: `lsm.posix` (the real one) and
`lsm.testing` (in memory, forgets what was not synced).

Every file method raises only `StorageError` and its subclasses; a missing file is a `MissingFileError`.
`File` and `Directory` objects may be used by any number of threads; closing while another thread uses them is the
caller's mistake.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Literal, Protocol

from lsm.errors import InvalidArgumentError, StorageError


class PathLike(Protocol):
    """A path object, such as `pathlib.Path`."""

    def __fspath__(self) -> str: ...


def path_text(path: str | PathLike) -> str:
    """Return a path as text; raise `InvalidArgumentError` if it is none."""
    text = path if isinstance(path, str) else getattr(path, "__fspath__", str)()
    if not isinstance(text, str) or not text or "\0" in text:
        raise InvalidArgumentError(f"a path must be text without NUL, not {path!r}")
    return text


OpenMode = Literal["read", "write", "create"]
"""read: must exist, no writing. write: must exist. create: must not exist, is made empty, and may be written."""


class SharedMemory(Protocol):
    """A few bytes of a file that all processes which map it see at once; never relied on for durability."""

    def load(self, offset: int, size: int) -> bytes:
        """Return `size` bytes at `offset`."""
        ...

    def store(self, offset: int, data: bytes) -> None:
        """Put `data` at `offset`; visible to other processes when the call returns."""
        ...

    def close(self) -> None:
        """Give the mapping back."""
        ...


class File(Protocol):
    """One open file. It stays usable when its name is removed; closing is idempotent."""

    @property
    def path(self) -> str:
        """Directory and name at the time of opening, for messages only."""
        ...

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes from `offset`; fewer only at the end of the file."""
        ...

    def write_at(self, offset: int, data: bytes) -> int:
        """Write at `offset`; return how many bytes were taken (may be fewer than given)."""
        ...

    def sync(self) -> None:
        """Make content and length durable (`fdatasync`)."""
        ...

    @property
    def synced(self) -> bool:
        """Whether the last `sync` succeeded; known also when an exception such as Ctrl-C hid its outcome."""
        ...

    def truncate(self, size: int) -> None:
        """Set the length to `size` bytes."""
        ...

    def size(self) -> int:
        """Return the length in bytes."""
        ...

    def link_count(self) -> int:
        """Return how many names the file has; 0 when it was unlinked."""
        ...

    def try_lock(self, *, exclusive: bool) -> bool:
        """Take (or convert to) an advisory lock of this open file (`flock`) without waiting; tell if it was had."""
        ...

    def map(self, size: int) -> SharedMemory:
        """Map the first `size` bytes, which must exist."""
        ...

    def close(self) -> None:
        """Close the descriptor; drops its locks."""
        ...


def write_all(file: File, offset: int, data: bytes) -> None:
    """Write all of `data` at `offset`, in as many calls as it takes. Raises `StorageError`."""
    written = 0
    while written < len(data):
        taken = file.write_at(offset + written, data[written:] if written else data)
        if taken <= 0:
            raise StorageError(file.path, "write", None, "the system took no bytes")
        written += taken


class Directory(Protocol):
    """An open directory: every name below is relative to it, wherever it was moved meanwhile."""

    @property
    def path(self) -> str:
        """The path it was opened by, for messages only."""
        ...

    def open(self, name: str, mode: OpenMode) -> File:
        """Open a file of this directory."""
        ...

    def names(self) -> list[str]:
        """Return the names in the directory, sorted."""
        ...

    def rename(self, old: str, new: str) -> None:
        """Replace `new` by `old` atomically."""
        ...

    def link(self, name: str, target: Directory, target_name: str) -> None:
        """Give the file a second name in `target` (a hard link)."""
        ...

    def unlink(self, name: str) -> None:
        """Remove a name; open files stay readable."""
        ...

    def sync(self) -> None:
        """Make created, renamed and removed names durable."""
        ...

    @property
    def synced(self) -> bool:
        """As for a file."""
        ...

    def close(self) -> None:
        """Close the descriptor."""
        ...


class FileSystem(Protocol):
    """Directories by path. Only opening, creation and checkpoints use paths; all else goes through a `Directory`."""

    def open_directory(self, path: str) -> Directory:
        """Open an existing directory."""
        ...

    def create_directory(self, path: str) -> None:
        """Make a directory; its parent must exist, itself must not."""
        ...

    def rename_directory(self, old: str, new: str) -> None:
        """Rename a directory; `new` must not exist (or be an empty directory)."""
        ...

    def remove_directory(self, path: str) -> None:
        """Remove an empty directory."""
        ...

    def parent(self, path: str) -> str:
        """Return the path of the directory that holds `path`."""
        ...

    def absolute(self, path: str) -> str:
        """Return `path` made absolute, so that a later change of the working directory does not matter."""
        ...


def discard_directory(filesystem: FileSystem, path: str) -> None:
    """Remove a directory of files that unfinished work left, as far as it can be removed; nothing is raised."""
    try:
        directory = filesystem.open_directory(path)
        try:
            for name in directory.names():
                directory.unlink(name)
        finally:
            directory.close()
        filesystem.remove_directory(path)
    except StorageError:
        return  # its name says what it is; it disturbs nobody


class Lock(Protocol):
    """A mutex between threads of this process; not re-entrant. As `threading.Lock`."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take it; tell whether it was had."""
        ...

    def release(self) -> None:
        """Give it back."""
        ...

    def locked(self) -> bool:
        """Tell whether somebody has it."""
        ...

    def __enter__(self) -> bool: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Condition(Protocol):
    """A condition variable with its own mutex. As `threading.Condition`."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait, without the mutex, to be notified; tell whether that was the reason to return."""
        ...

    def notify_all(self) -> None:
        """Wake all who wait."""
        ...

    def __enter__(self) -> bool: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Thread(Protocol):
    """A started background thread."""

    def join(self, timeout: float | None = None) -> None:
        """Wait until it ends."""
        ...

    def is_alive(self) -> bool:
        """Tell whether it still runs."""
        ...


class Environment(Protocol):
    """Everything that the engine takes from outside."""

    @property
    def filesystem(self) -> FileSystem:
        """The file system that holds the database."""
        ...

    def monotonic_seconds(self) -> float:
        """Return a clock that never goes back; for waiting and measuring."""
        ...

    def random_bytes(self, count: int) -> bytes:
        """Return unpredictable bytes, for identities of files."""
        ...

    def process_id(self) -> int:
        """Return the number of this process."""
        ...

    def boot_id(self) -> bytes:
        """Return 16 bytes that differ after each start of the machine. Raises `StorageError`."""
        ...

    def lock(self) -> Lock:
        """Make a mutex."""
        ...

    def condition(self) -> Condition:
        """Make a condition variable."""
        ...

    def thread(self, target: Callable[[], None], name: str) -> Thread:
        """Start a daemon thread."""
        ...

    def after_fork_in_child(self, action: Callable[[], None]) -> Callable[[], None]:
        """Have `action` run in a forked child before anything else; return a function that cancels it.

        Holds no reference to a bound method's object, so a forgotten handle can still be collected.
        """
        ...
