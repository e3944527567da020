"""Runs lanes with real processes and prints what was tried: `python -m tests.real [NAME...] --minutes 5`.

With the environment variable `LAYERDB_TOTALS` the lanes are appended to that file (`tests.support.totals`).
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.real.kills import kills
from tests.real.power_cut import power_cuts
from tests.real.shortage import shortages
from tests.real.syscall_faults import syscall_faults
from tests.support.totals import Lane, append, table

Run = Callable[[Path, float], Iterator[Lane]]
"""Runs one group of lanes in an empty directory, for about so many minutes where it has no end of its own."""

GROUPS: dict[str, Run] = {"kills": kills, "power": power_cuts, "shortage": shortages, "syscalls": syscall_faults}


def run(name: str, minutes: float) -> list[Lane]:
    """Run a group; what breaks it becomes a wrong lane of its name, and the directory is kept then."""
    directory = Path(tempfile.mkdtemp(prefix=f"layerdb-{name}-"))
    lanes: list[Lane] = []
    try:
        lanes.extend(GROUPS[name](directory, minutes))
    except Exception:  # noqa: BLE001 - reported as a failure of this lane
        traceback.print_exc()
        lanes.append(Lane(name, {}, 1, skipped="it broke"))
    if any(lane.wrong for lane in lanes):
        sys.stderr.write(f"{name}: what is left is in {directory}\n")
    else:
        directory.rmdir()
    return lanes


def main() -> int:
    """Run the chosen groups, or all; return 1 if anything was lost or wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.real", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *GROUPS], metavar="NAME", help=", ".join(GROUPS))
    parser.add_argument("--minutes", type=float, default=1.0)
    chosen = parser.parse_args()
    lanes = [lane for name in chosen.names or GROUPS for lane in run(name, chosen.minutes)]
    sys.stdout.writelines(line + "\n" for line in table(lanes))
    if kept := os.environ.get("LAYERDB_TOTALS"):
        append(Path(kept), lanes)
    return int(any(lane.wrong for lane in lanes))


if __name__ == "__main__":
    sys.exit(main())
