"""The long run: every lane for its share of the time, and a report at the end: `python -m tests.soak --minutes 60`.

Lanes are programs of their own, run one after the other. Each appends what it tried to a file of totals
(`tests.support.totals`); one that ends with another status than 0 fails the whole run, but the others still have their
turn. Real processes and disks, and hostile bytes, come first. The random and crash tests, with fresh seeds, have the
rest of the time: they are begun anew until it is over, and what has ended by then counts. The report is one line of
JSON and a table.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from tests.support.totals import Lane, merged, read, table

_LEAST_SHARE_OF_RANDOM_TESTS = 0.2
"""Of the whole time, also when the other parts took longer than planned."""
_INTERRUPTED = frozenset({2, -signal.SIGINT})
"""How pytest, and a program that does not listen, end on SIGINT when nothing has failed."""


class Part(NamedTuple):
    """One program of the soak, and how it ended."""

    name: str
    command: list[str]


class Outcome(NamedTuple):
    """What became of one part."""

    part: str
    status: int
    seconds: float


def parts(minutes: float) -> list[Part]:
    """Return the parts that run once; those without a time of their own do more in a longer run."""
    return [
        _real("kills", minutes / 6),
        _real("power", minutes),
        _real("shortage", minutes / 20),
        _real("syscalls", minutes),
        fuzzing(minutes / 6),
    ]


def fuzzing(minutes: float) -> Part:
    """Return the part that gives hostile bytes to every parser."""
    return Part("fuzzing", [sys.executable, "-m", "tests.fuzz", "--minutes", f"{minutes:.2f}"])


def _real(name: str, minutes: float) -> Part:
    return Part(name, [sys.executable, "-m", "tests.real", name, "--minutes", f"{minutes:.2f}"])


def random_tests(workers: int) -> Part:
    """Return the part that is repeated."""
    options = ["-n", str(workers), "-m", "crash or model", "--timeout", "3600", "-q"]
    return Part("random and crash tests", [sys.executable, "-m", "pytest", *options])


def run(part: Part, totals: Path, seconds: float | None = None) -> Outcome:
    """Run one part to its end, or interrupt it after some time, which is no failure; it writes to our output."""
    _say(f"== {part.name}: {' '.join(part.command[1:])}")
    begin = time.monotonic()
    environment = os.environ | {"LAYERDB_SOAK": "1", "LAYERDB_TOTALS": str(totals)}
    with subprocess.Popen(part.command, env=environment, start_new_session=True) as program:
        try:
            status = program.wait(seconds)
        except subprocess.TimeoutExpired:
            program.send_signal(signal.SIGINT)
            status = program.wait()
            if status in _INTERRUPTED:
                status = 0
        except KeyboardInterrupt:
            os.killpg(program.pid, signal.SIGINT)
            raise
    return Outcome(part.name, status, time.monotonic() - begin)


def run_all(minutes: float, workers: int, totals: Path) -> Iterator[Outcome]:
    """Run each part once, and the random tests until the time is over."""
    end = time.monotonic() + 60 * minutes
    for part in parts(minutes):
        yield run(part, totals)
    least = time.monotonic() + 60 * minutes * _LEAST_SHARE_OF_RANDOM_TESTS
    repeated = random_tests(workers)
    while (left := max(end, least) - time.monotonic()) > 0:
        yield run(repeated, totals, left)


def report(lanes: Sequence[Lane], outcomes: Sequence[Outcome]) -> list[str]:
    """Return the report as lines: JSON for programs, the table, and what failed."""
    facts = {
        "seconds": sum(outcome.seconds for outcome in outcomes),
        "failed": [outcome.part for outcome in outcomes if outcome.status],
        "wrong": sum(lane.wrong for lane in lanes),
        "lanes": lanes,
    }
    failures = [f"FAILED: {outcome.part} (status {outcome.status})" for outcome in outcomes if outcome.status]
    return [msgspec.json.encode(facts).decode(), *table(lanes), *failures]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the soak; return 0 if nothing was lost, wrong or broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="layerdb-soak-") as directory:
        totals = Path(directory, "totals")
        totals.touch()
        outcomes = list(run_all(chosen.minutes, chosen.workers, totals))
        lanes = merged(read(totals))
    for line in report(lanes, outcomes):
        _say(line)
    return int(any(outcome.status for outcome in outcomes) or any(lane.wrong for lane in lanes))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
