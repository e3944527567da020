"""Prints how many crashes, failing calls and damaged bytes were tried: `python -m tests.crash`.

Runs the tests that carry the marker `crash` and adds up the numbers that they record. Arguments go to pytest.
"""

from __future__ import annotations

import sys
import time
from collections import Counter

import pytest
from rich.console import Console
from rich.table import Table


class Totals:
    """A pytest plugin that adds up the recorded properties of tests, by the function that recorded them."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[str]] = {}
        self.failed = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the numbers of one test."""
        if report.when != "call":
            return
        self.failed += report.failed
        counts = self.counts.setdefault(report.nodeid.split("[")[0].rpartition("::")[2], Counter())
        for name, value in report.user_properties:
            if isinstance(value, int):
                counts[name.rpartition(": ")[2]] += value


def main(arguments: list[str]) -> int:
    """Run the tests and print the table of totals; return the exit status of pytest."""
    totals = Totals()
    begin = time.monotonic()
    status = pytest.main(["-m", "crash", "-q", "--no-header", *arguments], plugins=[totals])
    table = Table("what was tried", "how many")
    for test, counts in totals.counts.items():
        table.add_row(f"[bold]{test.removeprefix('test_').replace('_', ' ')}", "")
        for name, count in sorted(counts.items()):
            table.add_row(f"  {name}", f"{count:,}")
    console = Console()
    console.print(table)
    console.print(f"{totals.failed} failed; {time.monotonic() - begin:.0f} seconds")
    return int(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
