"""A timer that raises an exception in the main thread, between any two instructions, while it is armed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted(Exception):  # it is no error, it is what the test does
    """Raised by the timer, as a time limit or Ctrl-C would be."""


class Alarm:
    """Raises `Interrupted` once after each `start`, unless `armed` is set to False before.

    Disarm by assigning, not by a call: no signal handler runs between the last call and an assignment.
    """

    def __init__(self) -> None:
        self.armed = False

    def start(self, seconds: float) -> None:
        """Arm the alarm and start the timer."""
        self.armed = True
        signal.setitimer(signal.ITIMER_REAL, seconds)

    def ring(self, number: int, frame: FrameType | None) -> None:
        """Handle the signal."""
        if self.armed:
            self.armed = False
            raise Interrupted


@contextmanager
def alarm() -> Iterator[Alarm]:
    """Give an alarm; afterwards signals are handled as before."""
    made = Alarm()
    before = signal.signal(signal.SIGALRM, made.ring)
    try:
        yield made
    finally:
        made.armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
