"""What was tried and what it cost: one `Lane` for each fault class, added up, printed as a table, kept as JSON lines.

A test belongs to a lane by what it records (`record_property("kills", 12)`); the lane has the name of its function, and
all cases of one function count together. Other programs make a `Lane` themselves. With the environment variable
`LAYERDB_TOTALS` a run of pytest appends its lanes to that file, one JSON object a line:

    {"name": "power cut on ext4", "tried": {"cuts": 200}, "wrong": 0, "seconds": 31.5, "skipped": ""}

`python -m tests.support.totals FILE...` adds up the lines of files and prints the table in Markdown.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import pytest


class Lane(msgspec.Struct, frozen=True):
    """One class of faults. `wrong` counts what was lost or wrong: anything but 0 is a failure."""

    name: str
    tried: dict[str, int]
    wrong: int = 0
    seconds: float = 0.0
    skipped: str = ""
    """Why nothing was tried; empty if something was."""

    def plus(self, other: Lane) -> Lane:
        """Return both together; a lane counts as skipped only when nothing was tried at all."""
        tried = {
            what: self.tried.get(what, 0) + other.tried.get(what, 0) for what in sorted({*self.tried, *other.tried})
        }
        skipped = "" if tried else self.skipped or other.skipped
        return Lane(self.name, tried, self.wrong + other.wrong, self.seconds + other.seconds, skipped)

    @property
    def what(self) -> str:
        """What was tried, in words."""
        return ", ".join(f"{number:,} {what}" for what, number in self.tried.items()) or f"skipped: {self.skipped}"


def merged(lanes: Iterable[Lane]) -> list[Lane]:
    """Add up the lanes of one name; in order of the names."""
    found: dict[str, Lane] = {}
    for lane in lanes:
        found[lane.name] = found[lane.name].plus(lane) if lane.name in found else lane
    return [found[name] for name in sorted(found)]


def lanes_of(reports: Iterable[pytest.TestReport]) -> list[Lane]:
    """Return the lanes of tests that recorded numbers about themselves."""
    return merged(
        Lane(_lane_name(report), tried, int(report.failed), report.duration)
        for report in reports
        if (tried := {what: number for what, number in report.user_properties if isinstance(number, int)})
    )


def _lane_name(report: pytest.TestReport) -> str:
    return report.nodeid.partition("[")[0].rpartition("::")[2].removeprefix("test_").replace("_", " ")


def append(path: Path, lanes: Iterable[Lane]) -> None:
    """Add lanes to a file of totals."""
    with path.open("ab") as file:
        file.writelines(msgspec.json.encode(lane) + b"\n" for lane in lanes)


def read(path: Path) -> list[Lane]:
    """Return the lanes in a file of totals, as they were added."""
    return [msgspec.json.decode(line, type=Lane) for line in path.read_bytes().splitlines()]


def table(lanes: Sequence[Lane]) -> list[str]:
    """Return the lanes as the lines of a Markdown table."""
    rows = [f"| {lane.name} | {lane.what} | {lane.wrong} | {lane.seconds:,.0f} s |" for lane in lanes]
    return ["| what is done | tried | lost or wrong | time |", "|---|---|---|---|", *rows]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the lanes of the run, and keep them if asked to."""
    reports = [report for key in ("passed", "failed") for report in terminalreporter.stats.get(key, [])]
    lanes = lanes_of(report for report in reports if report.when == "call")
    if not lanes:
        return
    terminalreporter.section("what was tried")
    for lane in lanes:
        terminalreporter.line(f"{lane.name}: {lane.what}")
    kept = os.environ.get("LAYERDB_TOTALS")
    if kept:
        append(Path(kept), lanes)


def main(paths: Sequence[str]) -> None:
    """Print the table of all lanes in the files at `paths`."""
    lanes = merged(lane for path in paths for lane in read(Path(path)))
    sys.stdout.writelines(line + "\n" for line in table(lanes))


if __name__ == "__main__":
    main(sys.argv[1:])
