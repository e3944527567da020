"""Fuzzing guided by coverage: a few seconds in every run of the tests, longer with `make fuzz` and in the soak."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.__main__ import AVAILABLE
from tests.house.sources import ROOT

SECONDS = 1
CHOSEN = ["manifest", "table"]
"""The others have their turn in the soak and with `make fuzz`."""
MISSING = "atheris cannot be imported here; its wheels are for CPython 3.11 to 3.13 on x86-64 (extra `fuzz`)"


@pytest.mark.crash
@pytest.mark.skipif(not AVAILABLE, reason=MISSING)
@pytest.mark.parametrize("name", CHOSEN)
def test_fuzzing_finds_nothing(name: str, tmp_path: Path) -> None:
    """One target for a short time; a finding is shown, and kept as a file."""
    command = [sys.executable, "-m", "tests.fuzz", "--target", name, "--minutes", str(SECONDS / 60)]
    command += ["--findings", str(tmp_path / "findings")]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)

    assert done.returncode == 0, done.stdout[-4000:]
    assert "nothing found" in done.stdout


def test_a_kept_input_is_run_again(tmp_path: Path) -> None:
    """The command line says what comes of it."""
    path = tmp_path / "input"
    path.write_bytes(b"no manifest")
    command = [sys.executable, "-m", "tests.fuzz", "--target", "manifest", "--input", str(path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)

    assert (done.returncode, done.stdout) == (0, "manifest: CorruptionError\n")
