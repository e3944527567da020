"""How often, and after which pauses, a transaction that met a conflict is run again.

Owns the numbers of retries and pauses. Pauses are random, so that rivals part, and their longest length doubles. No
state; any thread may use it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Final

DEFAULT_RETRIES: Final = 30
FIRST_PAUSE_SECONDS: Final = 0.0005
LONGEST_PAUSE_SECONDS: Final = 0.1


def pauses(retries: int) -> Iterator[float | None]:
    """Give the longest pause after each try; None after the last."""
    longest = FIRST_PAUSE_SECONDS
    for _ in range(retries):
        yield longest
        longest = min(longest * 2, LONGEST_PAUSE_SECONDS)
    yield None


def pause(longest: float | None) -> None:
    """Sleep a random part of the longest pause, so that rivals part; raise the error at hand after the last try."""
    if longest is None:
        raise  # noqa: PLE0704 - called where a conflict is being handled
    time.sleep(random.uniform(0, longest))  # noqa: S311 - a pause, not a secret
