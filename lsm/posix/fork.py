"""The one fork hook of the process, and the actions that are waiting for a fork.

The interpreter keeps fork hooks for ever and cannot take one back, so the process has one, registered with the first
action, and a table of actions which can shrink. That table is the only state of the engine that belongs to the process
and not to a handle. It needs no lock: single operations on a dictionary are atomic, and a forked child has one thread.
"""

from __future__ import annotations

import inspect
import itertools
import os
import weakref
from collections.abc import Callable
from contextlib import ExitStack

Action = Callable[[], None]


class ForkHook:
    """A table of actions that run in a forked child, in reverse order of registration."""

    def __init__(self) -> None:
        self._actions: dict[int, Callable[[], Action | None]] = {}
        self._numbers = itertools.count()
        self._registered = False

    def add(self, action: Action) -> Callable[[], None]:
        """Have `action` run in each forked child; return a function that cancels it.

        A bound method is held weakly: when its object is collected, the action is forgotten.
        """
        number = next(self._numbers)

        def forget(_: object = None) -> None:
            self._actions.pop(number, None)

        held = weakref.WeakMethod(action, forget) if inspect.ismethod(action) else lambda: action
        self._actions[number] = held
        if not self._registered:
            self._registered = True
            os.register_at_fork(after_in_child=self.run)
        return forget

    def run(self) -> None:
        """Run every action, also when one of them raises; then raise that error."""
        with ExitStack() as stack:
            for held in tuple(self._actions.values()):
                action = held()
                if action is not None:
                    stack.callback(action)


FORK_HOOK = ForkHook()
"""The table of this process; empty and unregistered until a database is opened."""
