"""An environment whose disk and randomness are simulated; threads and locks are those of the interpreter, and time too.

Slow calls (`Fault.delay_seconds`) put the clock forward instead of making anybody wait.

The random bytes depend on the seed, on how often the simulated machine was started, and on how many processes have run
on its disk: two runs of one program get the same bytes, and a process never gets those of the process before it.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from lsm.environment import Condition, FileSystem, Lock, Thread
from lsm.posix import PosixEnvironment
from lsm.testing.file_system import SimulatedFileSystem


class SimulatedEnvironment:
    """The outside world of one simulated process; see `lsm.environment.Environment`."""

    def __init__(self, filesystem: SimulatedFileSystem | None = None, *, seed: int = 0) -> None:
        """Live on `filesystem` (a new empty one by default), with random bytes drawn from `seed`."""
        self._filesystem = SimulatedFileSystem() if filesystem is None else filesystem
        disk = self._filesystem.disk
        self._random = random.Random(f"{seed}/{disk.starts}/{disk.processes}")
        self._process_id = 1000 + disk.processes
        self._boot_id = disk.starts.to_bytes(16, "little")
        self._real = PosixEnvironment()

    @property
    def filesystem(self) -> FileSystem:
        """The simulated file system."""
        return self._filesystem

    def monotonic_seconds(self) -> float:
        """Return the clock of the machine that runs the test, and add what slow calls are said to have taken."""
        return self._real.monotonic_seconds() + self._filesystem.disk.delay_seconds

    def random_bytes(self, count: int) -> bytes:
        """Return the next `count` bytes of the seeded sequence."""
        return self._random.randbytes(count)

    def process_id(self) -> int:
        """Return a number that no other process on this disk has."""
        return self._process_id

    def boot_id(self) -> bytes:
        """Return 16 bytes that count the starts of the simulated machine."""
        return self._boot_id

    def lock(self) -> Lock:
        """Make a real mutex."""
        return self._real.lock()

    def condition(self) -> Condition:
        """Make a real condition variable."""
        return self._real.condition()

    def thread(self, target: Callable[[], None], name: str) -> Thread:
        """Start a real daemon thread."""
        return self._real.thread(target, name)

    def after_fork_in_child(self, action: Callable[[], None]) -> Callable[[], None]:
        """Have `action` run in a child that the test's own process forks; return a function that cancels it."""
        return self._real.after_fork_in_child(action)
