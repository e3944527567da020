"""The lane of processes that are killed and stopped: the command `layerdb crashtest`, as a user runs it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from lsm.testing.crashtest import Report
from tests.support.totals import Lane

_COMMAND = "import sys; from docs_layer.command_line import main; sys.exit(main())"


def kills(directory: Path, minutes: float) -> Iterator[Lane]:
    """Run the command in a directory of its own below `directory`, which keeps the evidence of a failure."""
    command = [sys.executable, "-c", _COMMAND, "crashtest", str(directory / "crashtest")]
    done = subprocess.run([*command, "--minutes", str(minutes), "--json"], stdout=subprocess.PIPE, check=False)
    report = msgspec.json.decode(done.stdout, type=Report)
    if report.failure:
        sys.stderr.write(f"seed {report.seed}, round {report.rounds - 1}: {report.failure}\n")
    tried = {
        "kills": report.kills,
        "stops": report.stops,
        "acknowledged commits": report.acknowledged_commits,
        "checkpoints": report.checkpoints,
    }
    yield Lane("processes killed and stopped, real file system", tried, report.lost, report.seconds)
