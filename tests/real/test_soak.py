"""The soak runs every part, adds up what they tried, and fails when one of them does."""

import json
import sys
from pathlib import Path

import pytest

from tests import soak
from tests.soak import Part

APPEND = """
import os, sys, time
with open(os.environ["LAYERDB_TOTALS"], "a") as file:
    file.write('{"name": "cuts", "tried": {"cuts": 2}, "wrong": %s, "seconds": 1.0, "skipped": ""}\\n' % sys.argv[1])
sys.exit(int(sys.argv[2]))
"""
SLEEP = Part("random", [sys.executable, "-c", "import time; time.sleep(60)"])


def part(wrong: int = 0, status: int = 0) -> Part:
    """Return a part that appends one lane and ends with a status."""
    return Part("part", [sys.executable, "-c", APPEND, str(wrong), str(status)])


@pytest.mark.parametrize(
    ("given", "status", "failed", "wrong"),
    [
        ([part(), part()], 0, [], 0),
        ([part(status=3), part()], 1, ["part"], 0),
        ([part(wrong=1), part()], 1, [], 1),
    ],
)
def test_every_part_counts(
    given: list[Part],
    status: int,
    failed: list[str],
    wrong: int,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """All parts run, whatever became of the others; the repeated one is interrupted when the time is over."""
    monkeypatch.setattr(soak, "parts", lambda *_: given)
    monkeypatch.setattr(soak, "random_tests", lambda *_: SLEEP)

    assert soak.main(["--minutes", "0.03"]) == status
    lines = capfd.readouterr().out.splitlines()
    facts = json.loads(next(line for line in lines if line.startswith("{")))
    assert (facts["failed"], facts["wrong"]) == (failed, wrong)
    assert facts["lanes"] == [{"name": "cuts", "tried": {"cuts": 4}, "wrong": wrong, "seconds": 2.0, "skipped": ""}]
    assert any(line.startswith("| cuts | 4 cuts |") for line in lines)


def test_every_part_is_a_program_that_exists() -> None:
    """The parts of the real soak name modules that can be run."""
    root = Path(soak.__file__).parents[1]
    modules = {command[command.index("-m") + 1] for _, command in soak.parts(60)}

    assert modules == {"tests.fuzz", "tests.real"}
    for module in modules:
        assert (root / module.replace(".", "/") / "__main__.py").is_file()
