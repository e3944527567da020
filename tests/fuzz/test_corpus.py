"""Every input of the corpus, every seed, and some random changes of them, within what is promised.

Runs without a fuzzing engine, on every Python. An input that once broke a promise stays in the corpus.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable

import pytest

from tests.fuzz.limits import Limits, TooMuchError, measured, outcome
from tests.fuzz.mutating import run_inputs
from tests.fuzz.target import Target
from tests.fuzz.targets import CORPUS, TARGETS, corpus, inputs

SLOW = {"directory", "documents", "table"}
CHANGED = 50_000 if os.environ.get("LAYERDB_SOAK") else 1_500
LARGEST_BYTES = 4096
Record = Callable[[str, object], None]


@pytest.fixture(params=TARGETS)
def target(request: pytest.FixtureRequest) -> Target:
    """Return each target."""
    return TARGETS[request.param]


def test_seeds_are_valid(target: Target) -> None:
    """At least one is read to its end: otherwise only the first check of a parser would be tried."""
    assert "read" in {outcome(target.parse, data) for data in target.seeds()}


def test_corpus_is_replayed(target: Target, record_property: Record) -> None:
    """No error from outside of our tree, no hang, no memory beyond the stated multiple of the input."""
    found = Counter(measured(target.parse, data, target.limits) for data in inputs(target)[-40:])

    record_property("inputs", found.total())


@pytest.mark.crash
def test_changed_inputs_are_survived(target: Target, record_property: Record) -> None:
    """Random changes, half of them with right checksums."""
    count = CHANGED // 20 if target.name in SLOW else CHANGED
    number, outcomes = run_inputs(target, seed=len(target.name), count=count, seconds=None)

    record_property("inputs", number)
    record_property("inputs that were read", outcomes.get("read", 0))
    assert len(outcomes) > 1 or target.name in {"frame", "shared"}  # these two believe nothing and refuse nothing


def test_the_corpus_is_small() -> None:
    """A corpus that is checked in holds what matters, for targets that exist."""
    assert {path.name for path in CORPUS.iterdir()} <= set(TARGETS)
    files = [path for target in TARGETS.values() for path in corpus(target)]
    assert max((path.stat().st_size for path in files), default=0) <= LARGEST_BYTES
    assert sum(path.stat().st_size for path in files) <= 256 * 1024


def test_sealed_inputs_reach_what_is_behind_the_checksum(target: Target) -> None:
    """Right checksums are found again: a sealed seed is read as it was."""
    for data in target.seeds():
        assert outcome(target.parse, target.sealed(data)) == outcome(target.parse, data)


def _loop(data: bytes) -> None:
    while True:
        len(data)


def _hoard(data: bytes) -> None:
    [bytes(1000) for _ in range(100_000)].clear()


@pytest.mark.parametrize("parser", [_loop, _hoard])
def test_limits_are_noticed(parser: Callable[[bytes], None]) -> None:
    """A parser that never ends, or that takes more memory than its input allows, is found."""
    with pytest.raises(TooMuchError):
        measured(parser, b"x", Limits(calls=1_000_000 if parser is _hoard else 1000))


def test_errors_of_other_kinds_are_noticed() -> None:
    """An error that is not of our tree comes through."""
    with pytest.raises(IndexError):
        outcome(lambda data: data[5], b"x")
