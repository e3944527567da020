"""Options, kernels and file systems change no answer; a difference would be made small and printed as a script."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from lsm.kernel import kernels
from lsm.memtable import Memtable
from tests.metamorphic.__main__ import explained, main
from tests.metamorphic.operations import Compact, Flush, Get, Kill, Reopen, Scan, Transact, operations
from tests.metamorphic.reduction import reduced
from tests.metamorphic.running import compare
from tests.metamorphic.settings import Setting, settings
from tests.support.small import SMALL

SOAK = bool(os.environ.get("LAYERDB_SOAK"))
FIRST = random.SystemRandom().randrange(10**9) if SOAK else 0
"""Of the seeds. Each worker of a run draws another one, so it must not be a part of the names of tests."""
RUNS = 60 if SOAK else 3
WAYS = 16 if SOAK else 6
COUNT = 600 if SOAK else 250


@pytest.mark.model
@pytest.mark.parametrize("run", range(RUNS))
def test_option_sets_give_equal_answers(run: int, record_property: Callable[[str, object], None]) -> None:
    """The answers are those of the model, byte for byte, whatever the engine is made of and lies on."""
    seed = FIRST + run
    steps = operations(seed, COUNT)
    for setting in settings(seed, WAYS):
        difference = compare(steps, setting)
        assert difference is None, f"seed {seed}, {setting.name}: {explained(steps, setting, difference)}"
    record_property("runs", WAYS)
    record_property("operations", WAYS * COUNT)


def test_runs_have_every_kind_of_operation() -> None:
    """The comparison would be worth little otherwise; kernels and file systems take turns."""
    kinds = {type(step) for seed in range(4) for step in operations(seed, 250)}
    drawn = [setting for seed in range(4) for setting in settings(seed, 7)]

    assert {Compact, Flush, Get, Kill, Reopen, Scan, Transact} < kinds
    assert len(kinds) == 17
    assert {setting.kernel for setting in drawn} == set(kernels())
    assert {setting.place for setting in drawn} >= {"simulated", "disk"}


def test_reduction_finds_what_matters() -> None:
    """Of a hundred items the three that make it fail together."""
    assert reduced(range(100), lambda part: {3, 50, 97} <= set(part)) == [3, 50, 97]
    assert reduced([7], lambda part: True) == [7]


def test_a_difference_becomes_a_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A planted defect is found, reduced to a few operations, and the script shows it again."""
    get = Memtable.get

    def wrong(self: Memtable, key: bytes, sequence: int) -> object:
        entry = self.entries.get(key)
        return get(self, key, sequence) if entry is None else entry[1]

    monkeypatch.setattr(Memtable, "get", wrong)
    setting = Setting("small", SMALL, next(iter(kernels())), "simulated")
    steps = operations(0, 250)
    difference = compare(steps, setting)
    assert difference is not None
    text = explained(steps, setting, difference)
    _, _, script = text.partition("# as a script:\n")
    file = tmp_path / "script"
    file.write_text(script)

    assert len(script.splitlines()) < 14
    assert main(["--script", str(file)]) == 1
    monkeypatch.undo()
    assert main(["--script", str(file)]) == 0
    assert "DIFFERENT" in capsys.readouterr().out
