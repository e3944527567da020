"""The parent's side of the processes of a crash test: starting, signalling and hearing them.

A child is held by a process descriptor, so that a signal never reaches another process which got its number.
"""

from __future__ import annotations

import math
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import msgspec

from lsm.testing.crashtest.messages import Inbox, Message
from lsm.testing.crashtest.writer import Task


class Child:
    """One working process."""

    def __init__(self, task: Task, number: int) -> None:
        self.task = task
        self.number = number
        self.descriptor = os.pidfd_open(number)
        self.stopped = False

    def signal(self, what: signal.Signals) -> None:
        """Send a signal; one to a process that has ended does nothing."""
        self.stopped = what == signal.SIGSTOP
        try:
            signal.pidfd_send_signal(self.descriptor, what)
        except ProcessLookupError:
            self.stopped = False

    def has_ended(self) -> bool:
        """Tell whether it has ended."""
        return bool(select.select([self.descriptor], [], [], 0)[0])


class Children:
    """The processes of one crash test, and what they say."""

    def __init__(self, hear: Callable[[Message], None], nursery: Sequence[str]) -> None:
        """Start the nursery: a module, and its arguments behind the descriptor of the pipe."""
        self._hear = hear
        reading, writing = os.pipe()
        self._reading = reading
        self._inbox = Inbox(reading)
        module, *arguments = nursery
        command = [sys.executable, "-X", "faulthandler", "-m", module, str(writing), *arguments]
        self._nursery = subprocess.Popen(  # noqa: S603 - our own module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[writing], start_new_session=True
        )
        os.close(writing)
        self._living: list[Child] = []
        self.heard_at = time.monotonic()
        """When the last message came."""

    def start(self, task: Task) -> Child:
        """Fork a process for a task."""
        child = Child(task, self._ask(task))
        self._living.append(child)
        self.heard_at = time.monotonic()
        return child

    def listen(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Hear messages for some time, or until something is so, or a child has ended."""
        end = time.monotonic() + seconds
        watched = [self._reading, *(child.descriptor for child in self._living)]
        while True:
            self.hear()
            left = end - time.monotonic()
            if left <= 0 or until() or any(child.has_ended() for child in self._living):
                return
            select.select(watched, [], [], left)

    def hear(self) -> None:
        """Hear every message that is there now."""
        for message in self._inbox.messages():
            self._hear(message)
            self.heard_at = time.monotonic()

    def wait(self, child: Child, seconds: float) -> bool:
        """Hear messages until a child has ended; tell whether it did in this time."""
        end = time.monotonic() + seconds
        while not child.has_ended():
            left = end - time.monotonic()
            if left <= 0:
                return False
            select.select([self._reading, child.descriptor], [], [], min(left, 1.0))
            self.hear()
        return True

    def bury(self, child: Child) -> int:
        """Hear the last words of a child that has ended, and return its status: -9 after SIGKILL."""
        status = self._ask(child.number)
        self.hear()
        self._living.remove(child)
        os.close(child.descriptor)
        return status

    def kill(self) -> None:
        """Kill all children."""
        for child in list(self._living):
            child.signal(signal.SIGKILL)
            self.wait(child, math.inf)
            self.bury(child)

    def _ask(self, order: Task | int) -> int:
        stdin, stdout = self._nursery.stdin, self._nursery.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("the nursery has no pipes")
        stdin.write(msgspec.json.encode(order) + b"\n")
        stdin.flush()
        answer = stdout.readline()
        if not answer:
            raise RuntimeError(f"the nursery of the crash test ended with status {self._nursery.wait()}")
        return int(answer)

    def close(self) -> None:
        """Kill everything and end the nursery."""
        try:
            self.kill()
        finally:
            self._nursery.communicate()
            os.close(self._reading)
