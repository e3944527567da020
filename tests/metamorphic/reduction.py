"""Making a failing run small: delta debugging over the operations, then a script that runs it again.

The algorithm is that of Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (2002): parts of the
list are taken out, large ones first, as long as what is left still fails.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from tests.metamorphic.operations import Operation
from tests.metamorphic.settings import Setting

Item = TypeVar("Item")


def reduced(items: Sequence[Item], fails: Callable[[Sequence[Item]], bool]) -> list[Item]:
    """Return a part of `items` that fails, and of which no single item can be left out. `fails(items)` must hold.

    Cost: at worst quadratic in the number of items, usually about n log n calls of `fails` over a shrinking list.
    """
    left = list(items)
    size = max(len(left) // 2, 1)
    while True:
        shrunk = False
        for begin in range(0, len(left), size):
            candidate = left[:begin] + left[begin + size :]
            if candidate and fails(candidate):
                left, shrunk = candidate, True
                break
        if not shrunk:
            if size == 1:
                return left
            size = max(size // 2, 1)


def script(steps: Sequence[Operation], setting: Setting) -> str:
    """Return a failing run as text that `python -m tests.metamorphic --script FILE` runs again."""
    lines = [f"    {step!r}," for step in steps]
    setting_text = f"SETTING = Setting({setting.name!r}, {setting.options!r}, {setting.kernel!r}, {setting.place!r})"
    return "\n".join([setting_text, "STEPS = [", *lines, "]", ""])
