"""Clock, randomness, threads and locks of the running interpreter, and the real file system.

The object has no state of its own, so one or many of them make no difference.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Callable

from lsm.environment import Condition, FileSystem, Lock, Thread
from lsm.errors import storage_error
from lsm.posix.condition import InterruptibleCondition
from lsm.posix.descriptors import open_descriptor
from lsm.posix.files import PosixFileSystem
from lsm.posix.fork import FORK_HOOK

_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_BOOT_ID_CHARACTERS = 36


class PosixEnvironment:
    """The outside world as it is; see `lsm.environment.Environment`."""

    def __init__(self) -> None:
        self._filesystem = PosixFileSystem()

    @property
    def filesystem(self) -> FileSystem:
        """The file system of this machine."""
        return self._filesystem

    def monotonic_seconds(self) -> float:
        """Return a clock that never goes back."""
        return time.monotonic()

    def random_bytes(self, count: int) -> bytes:
        """Return `count` unpredictable bytes."""
        return os.urandom(count)

    def process_id(self) -> int:
        """Return the number of this process."""
        return os.getpid()

    def boot_id(self) -> bytes:
        """Return the 16 bytes that the kernel drew at its start; zeros where `/proc` is hidden.

        Raises `StorageError` when it cannot be read just now: another answer at another time would look like another
        start of the machine, after which no sync can have failed unheard.
        """
        try:
            descriptor = open_descriptor(_BOOT_ID, os.O_RDONLY)
            try:
                return uuid.UUID(os.read(descriptor, _BOOT_ID_CHARACTERS).decode()).bytes
            finally:
                os.close(descriptor)
        except (FileNotFoundError, PermissionError, ValueError):
            return bytes(16)
        except OSError as error:
            raise storage_error(_BOOT_ID, "read", error) from error

    def lock(self) -> Lock:
        """Make a mutex."""
        return threading.Lock()

    def condition(self) -> Condition:
        """Make a condition variable with a mutex of its own."""
        return InterruptibleCondition()

    def thread(self, target: Callable[[], None], name: str) -> Thread:
        """Start a daemon thread."""
        thread = threading.Thread(target=target, name=name, daemon=True)
        thread.start()
        return thread

    def after_fork_in_child(self, action: Callable[[], None]) -> Callable[[], None]:
        """Have `action` run in a forked child before anything else; return a function that cancels it.

        The object of a bound method is held weakly.
        """
        return FORK_HOOK.add(action)
