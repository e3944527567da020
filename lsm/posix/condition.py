"""A condition variable that an exception at any instruction leaves whole.

A signal handler may raise between any two calls of Python code, also inside `threading.Condition.__enter__`, after it
has taken the mutex and before the `with` block has begun: the mutex then stays taken for ever. Here entering and
leaving the block are single calls in C, between which no handler runs, and waiting repairs what it finds half done.
"""

from __future__ import annotations

import _thread
from collections import deque
from typing import TYPE_CHECKING


class InterruptibleCondition(_thread.RLock):  # type: ignore[misc]  # marked final in the stubs, not in the interpreter
    """See `lsm.environment.Condition`; the object is its own mutex. Use it in a `with` block."""

    if TYPE_CHECKING:

        def _is_owned(self) -> bool: ...  # in C, and missing from the stubs

    def __init__(self) -> None:
        self._waiters: deque[_thread.LockType] = deque()
        """One taken lock for each thread that waits; releasing it wakes the thread. Guarded by the mutex."""

    def wait(self, timeout: float | None = None) -> bool:
        """Give the mutex away, wait for `notify_all` or `timeout` seconds, take the mutex; tell whether notified."""
        waiter = _thread.allocate_lock()
        waiter.acquire()
        self._waiters.append(waiter)
        try:
            self.release()
            return waiter.acquire(True, -1 if timeout is None else timeout)
        finally:
            # In place, not in a method: a handler may run at the entry of any function written in Python.
            try:
                if not self._is_owned():
                    self.acquire()
            except BaseException:
                if not self._is_owned():
                    self.acquire()
                raise
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def notify_all(self) -> None:
        """Wake every thread that waits."""
        while self._waiters:
            waiter = self._waiters[0]
            if waiter.locked():
                waiter.release()
            if self._waiters and self._waiters[0] is waiter:
                self._waiters.popleft()
