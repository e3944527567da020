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
from lsm.posix.condition import InterruptibleCondition
from lsm.posix.files import PosixFileSystem
from lsm.posix.fork import FORK_HOOK

_BOOT_ID = "/proc/sys/kernel/random/boot_id"


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
        """Return the 16 bytes that the kernel drew at its start; zeros where `/proc` is hidden."""
        try:
            with open(_BOOT_ID, encoding="ascii") as file:
                return uuid.UUID(file.read().strip()).bytes
        except (OSError, ValueError):
            return bytes(16)

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
