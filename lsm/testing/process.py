"""One simulated process at the gate of the kernel: its calls are counted, watched, refused, or its last.

Before each call is made, in this order: it is counted, the observer is told, a planned crash happens, a fault is looked
for. So the disk that an observer sees is the one on which exactly the earlier calls have been made.

The mutex of the disk is held from the counting to the end of the call, so any number of threads may call, and an
observer sees no call half made.
"""

from __future__ import annotations

import errno
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from lsm.errors import StorageError, storage_error
from lsm.testing.disk import Disk
from lsm.testing.faults import Call, Fault, SimulatedCrash
from lsm.testing.nodes import Write, refusal


class Closable(Protocol):
    """What a process holds open."""

    def close(self) -> None:
        """Give it back; closing twice is allowed."""
        ...


class SimulatedProcess:
    """Counter, observer, planned crash and faults of one process."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self.calls = 0
        self.crash_at: int | None = None
        self.dead = False
        self.observer: Callable[[Call], None] | None = None
        self.faults: list[Fault] = []
        self.handles: weakref.WeakSet[Closable] = weakref.WeakSet()
        """What is open. Weak, since a forgotten handle counts as closed."""
        self.open_limit: int | None = None
        self.writing: Write | None = None
        """The write that is about to be made, while the observer looks."""
        with disk.mutex:
            disk.processes += 1

    @contextmanager
    def call(self, operation: str, path: str, writing: Write | None = None) -> Iterator[Fault | None]:
        """Make one call inside the block; what it raises as `OSError` becomes a `StorageError` with its path.

        Yields the fault that the call itself has to act out: a short write, wrong bits, a sync that fails or lies.
        """
        with self.disk.mutex:
            self.writing = writing
            try:
                fault = self._admit(Call(self.calls, operation, path, 0 if writing is None else len(writing.data)))
            finally:
                self.writing = None
            try:
                if fault is not None:
                    self.disk.delay_seconds += fault.delay_seconds
                    if fault.is_error and operation != "sync":
                        raise refusal(fault.error)
                yield fault
            except StorageError:
                raise
            except OSError as error:
                raise storage_error(path, operation, error) from error

    def _admit(self, call: Call) -> Fault | None:
        if self.dead:
            raise SimulatedCrash(call)
        self.calls += 1
        if self.observer is not None:
            self.observer(call)
        if self.crash_at is not None and call.number >= self.crash_at:
            self.kill()
            raise SimulatedCrash(call)
        for fault in self.faults:
            if fault.meets(call):
                return fault
        return None

    def check_open_limit(self) -> None:
        """Raise EMFILE if nothing more may be opened."""
        if self.open_limit is not None and len(self.handles) >= self.open_limit:
            raise refusal(errno.EMFILE)

    def kill(self) -> None:
        """End the process: its locks are free, what it wrote stays in the cache, and each later call raises."""
        with self.disk.mutex:
            self.dead = True
            for handle in tuple(self.handles):
                handle.close()
