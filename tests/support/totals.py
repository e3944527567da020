"""Adds up what tests recorded about themselves (`record_property` with a number) and prints it after the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest


def totals(reports: Iterable[pytest.TestReport]) -> dict[str, Counter[str]]:
    """Return the sums of the recorded numbers, by test function; cases of one function count together."""
    found: dict[str, Counter[str]] = {}
    for report in reports:
        name = report.nodeid.partition("[")[0].rpartition("::")[2].removeprefix("test_").replace("_", " ")
        for what, number in report.user_properties:
            if isinstance(number, int):
                found.setdefault(name, Counter())[what] += number
    return found


def lines(found: dict[str, Counter[str]]) -> list[str]:
    """Return the sums as text, a line for each function."""
    return [
        f"{name}: " + ", ".join(f"{number:,} {what}" for what, number in sorted(counts.items()))
        for name, counts in sorted(found.items())
    ]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the sums of the run."""
    reports = [report for key in ("passed", "failed") for report in terminalreporter.stats.get(key, [])]
    found = lines(totals(report for report in reports if report.when == "call"))
    if found:
        terminalreporter.section("what was tried")
        for line in found:
            terminalreporter.line(line)
