"""The pytest plugin in a run of its own: fixtures, and the options that repeat one crash."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

SUITE = """
import lsm
from lsm.testing import Plan

OPTIONS = lsm.Options(maintenance=False)

def program(recording):
    with lsm.open("/data", OPTIONS, environment=recording.environment) as db:
        with recording.promise(b"a"):
            db.put(b"a", b"1", sync=SYNC)

def check(crash):
    with lsm.open("/data", OPTIONS, environment=crash.environment) as db:
        crash.check_prefix([key for key in (b"a",) if key in db])

def test_it(crash_test):
    crash_test(program, check, Plan(at="sync*"))

def test_fixtures(simulated_filesystem, simulated_environment):
    assert simulated_environment.filesystem is simulated_filesystem
    lsm.open("/data", environment=simulated_environment).close()
    assert "data" in simulated_filesystem.open_directory("/").names()
"""


def _run(path: Path, *arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(path), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=path.parent, timeout=120)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A suite that forgets the sync which it promises."""
    path = tmp_path / "test_sample.py"
    path.write_text(SUITE.replace("SYNC", "False"), encoding="utf-8")
    return path


def test_a_failure_gives_the_command_that_repeats_it(suite: Path) -> None:
    """The options find the same crash again; with the sync the suite passes."""
    status, output = _run(suite)
    assert status == 1, output
    found = re.search(r"repeat with: pytest '(\S+)' --crash-seed (\d+) --crash-replay '([^']+)'", output)
    assert found is not None, output

    status, output = _run(suite, "--crash-seed", found[2], "--crash-replay", found[3], "-k", "test_it")

    assert status == 1, output
    assert found[1].endswith("test_sample.py::test_it")
    assert f"replay='{found[3]}'" in output
    suite.write_text(SUITE.replace("SYNC", "True"), encoding="utf-8")
    status, output = _run(suite)
    assert status == 0, output
