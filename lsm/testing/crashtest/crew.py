"""The processes of a crash test together with the history of what they said; trouble becomes an exception."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from lsm.testing.crashtest.children import Child, Children
from lsm.testing.crashtest.history import BrokenPromiseError, History
from lsm.testing.crashtest.messages import Answered, Closed, Message, Opened, Wrong
from lsm.testing.crashtest.plan import Commit, Look, Step
from lsm.testing.crashtest.report import Report
from lsm.testing.crashtest.writer import Task

NURSERY = ("lsm.testing.crashtest.nursery",)
_HANG_SECONDS = 60.0
_GO_ON_SECONDS = 30.0


class Crew:
    """Starts, interrupts and ends processes; enters what they say in `history` and counts it in `report`."""

    def __init__(self, history: History, report: Report, nursery: Sequence[str] = NURSERY) -> None:
        """Make a crew without processes.

        nursery: the program that forks them, for processes which have something of their own: a module that calls
        `lsm.testing.crashtest.nursery.main`, and its further arguments.
        """
        self.history = history
        self._report = report
        self._children = Children(self._hear, nursery)
        self._living: list[Child] = []
        self._wrong = ""
        self.opened: set[int] = set()
        """Processes that have opened the database."""
        self.refused: Counter[str] = Counter()
        """How many steps were refused, by what the processes say of the error."""
        self._closed: set[int] = set()

    def start(self, task: Task) -> Child:
        """Start a process."""
        self.opened.discard(task.process)
        self._closed.discard(task.process)
        child = self._children.start(task)
        self._living.append(child)
        return child

    def listen(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Hear the processes for some time, or until something is so.

        Raises `BrokenPromiseError` when one of them has seen what must not be, or ends by itself, or when nothing is
        heard for a minute although some may run.
        """
        end = time.monotonic() + seconds
        while True:
            self._children.listen(min(1.0, end - time.monotonic()), until)
            self._check_words()
            if until() or time.monotonic() >= end:
                return

    def expect_commits(self, writers: Sequence[int]) -> None:
        """Wait until each of these writers has committed again. Raises as `listen`, also when it takes too long."""
        history = self.history
        before = history.acknowledged

        def have_gone_on() -> bool:
            return all(history.acknowledged[writer] > before[writer] for writer in writers)

        self.listen(_GO_ON_SECONDS, have_gone_on)
        if not have_gone_on():
            raise BrokenPromiseError(f"not all of the writers {list(writers)} go on: {before}, {history.acknowledged}")

    def hear(self) -> None:
        """Hear everything that was said up to now."""
        self._children.hear()
        self._check_words()

    def stop(self, child: Child) -> None:
        """Stop a process where it is (SIGSTOP)."""
        child.signal(signal.SIGSTOP)
        self._report.stops += 1

    def resume(self, child: Child) -> None:
        """Let a stopped process go on."""
        child.signal(signal.SIGCONT)

    def kill(self, child: Child) -> None:
        """Kill a process at once (SIGKILL), and hear what it had said. Raises as `listen`."""
        self._report.kills += 1
        self._end(child, signal.SIGKILL)

    def close(self, child: Child) -> None:
        """Ask a process to close the database and end. Raises as `listen`, also when it does not close."""
        self._report.closes += 1
        child.signal(signal.SIGCONT)
        self._end(child, signal.SIGTERM)
        if child.task.process not in self._closed:
            raise BrokenPromiseError("a process that was asked to close ended without having closed")

    def kill_all(self) -> None:
        """End what is left of the processes."""
        self._children.kill()
        self._living.clear()

    def _end(self, child: Child, how: signal.Signals) -> None:
        child.signal(how)
        self._living.remove(child)
        if not self._children.wait(child, _HANG_SECONDS):
            raise self._hang([child])
        status = self._children.bury(child)
        self._check_words()
        if status not in {-how, 0}:
            raise BrokenPromiseError(f"a process ended with status {status}; see standard error")

    def _check_words(self) -> None:
        """Raise what the processes have to say, or what their silence does."""
        if self._wrong:
            raise BrokenPromiseError(self._wrong)
        for child in self._living:
            if child.has_ended():
                raise BrokenPromiseError("a process ended by itself; see standard error")
        running = [child for child in self._living if not child.stopped]
        if running and time.monotonic() - self._children.heard_at > _HANG_SECONDS:
            raise self._hang(running)

    def _hang(self, children: list[Child]) -> BrokenPromiseError:
        for child in children:
            child.signal(signal.SIGABRT)
        return BrokenPromiseError(f"nothing was heard for {_HANG_SECONDS:.0f} s; see standard error for the stacks")

    def _hear(self, message: Message) -> None:
        if isinstance(message, Answered):
            self._count(message, self.history.present[message.writer].step)
        self.history.hear(message)
        if isinstance(message, Wrong):
            self._wrong = message.text
        elif isinstance(message, Opened):
            self.opened.add(message.process)
        elif isinstance(message, Closed):
            self._closed.add(message.process)

    def _count(self, answer: Answered, step: Step) -> None:
        if answer.outcome == "refused":
            self.refused[answer.error] += 1
            self._report.refused += 1
        elif isinstance(step, Commit):
            self._report.acknowledged_commits += 1
            self._report.synced_commits += step.sync
        elif isinstance(step, Look):
            self._report.looks += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill everything."""
        self._children.close()
