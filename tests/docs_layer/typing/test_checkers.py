"""Runs mypy and basedpyright, both strict, over right and wrong uses of the tables."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


def _mypy(path: Path, cache: Path) -> set[int]:
    """Return the lines of a file that mypy refuses."""
    command = [sys.executable, "-m", "mypy", "--strict", "--output", "json", "--cache-dir", str(cache), str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1}, done.stderr
    findings = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {one["line"] for one in findings if one["severity"] == "error" and Path(one["file"]).name == path.name}


def _pyright(path: Path, cache: Path) -> set[int]:
    """Return the lines of a file that basedpyright refuses with the rules of pyright's strict mode."""
    settings = cache / "pyrightconfig.json"
    settings.write_text(
        json.dumps(
            {
                "include": [str(path)],
                "typeCheckingMode": "strict",
                "pythonVersion": "3.11",
                "extraPaths": [str(ROOT)],
                "reportUnusedExpression": "none",
            }
        )
    )
    command = [sys.executable, "-m", "basedpyright", "--outputjson", "--pythonpath", sys.executable]
    command += ["--project", str(settings)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    findings = json.loads(done.stdout)["generalDiagnostics"]
    return {
        one["range"]["start"]["line"] + 1
        for one in findings
        if one["severity"] == "error" and Path(one["file"]).name == path.name
    }


Checker = Callable[[Path, Path], set[int]]


@pytest.fixture(params=[_mypy, _pyright], ids=["mypy", "basedpyright"])
def refused_lines(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Path], set[int]]:
    """Give the function that asks one checker for the lines it refuses."""
    checker: Checker = request.param
    return lambda path: checker(path, tmp_path)


def test_right_uses_are_accepted(refused_lines: Callable[[Path], set[int]]) -> None:
    """Every right use passes, with the types it asserts."""
    assert refused_lines(HERE / "right_uses.py") == set()


def test_wrong_uses_are_refused(refused_lines: Callable[[Path], set[int]]) -> None:
    """Every line that is marked is refused, and no other."""
    path = HERE / "wrong_uses.py"
    marked = {number for number, line in enumerate(path.read_text().splitlines(), 1) if "# wrong:" in line}
    assert refused_lines(path) == marked
