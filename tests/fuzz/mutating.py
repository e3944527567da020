"""A fuzzing loop without an engine: seeds and corpus are mutated at random, half of the time with right checksums.

It keeps an input that gives an outcome which was not seen before. For Pythons for which there is no atheris, for the
bounded part of every test run, and for what instruments too slowly.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

from tests.fuzz.limits import measured, outcome
from tests.fuzz.mutation import mutated
from tests.fuzz.target import Target
from tests.fuzz.targets import inputs

_MEASURED = 16
"""One in so many inputs is measured; the others are only run."""


class Finding(Exception):
    """An input that breaks a promise; `data` is the input."""

    def __init__(self, target: str, data: bytes, cause: BaseException) -> None:
        self.data = data
        super().__init__(f"{target}: {cause!r} for {data.hex()}")


def changed_inputs(target: Target, seed: int) -> Iterator[bytes]:
    """Yield changed inputs without end."""
    chance = random.Random(seed)
    known = inputs(target)
    while True:
        data = mutated(chance.choice(known), chance, known)
        yield target.sealed(data) if chance.random() < 0.5 else data


def run_inputs(target: Target, seed: int, count: int | None, seconds: float | None) -> tuple[int, dict[str, int]]:
    """Run changed inputs, so many or so long; return how many, and how often each outcome came. Raises `Finding`."""
    outcomes: dict[str, int] = {}
    end = None if seconds is None else time.monotonic() + seconds
    number = 0
    for number, data in enumerate(changed_inputs(target, seed), start=1):
        try:
            found = (
                measured(target.parse, data, target.limits) if number % _MEASURED == 0 else outcome(target.parse, data)
            )
        except Exception as error:
            raise Finding(target.name, data, error) from error
        outcomes[found] = outcomes.get(found, 0) + 1
        if number == count or (end is not None and time.monotonic() > end):
            break
    return number, outcomes
