"""`Explanation`: how a query finds its rows, for people and for tests."""

from __future__ import annotations

from dataclasses import dataclass

from docs_layer.cursor import ReadCount
from docs_layer.plans import Plan, describe_plan


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a query finds its rows; `str()` shows it.

    Attributes:
        table: Name of the table.
        steps: The plan, one step a line.
        is_full_scan: Whether the whole table is read to filter or to sort it.
        suggestion: An index declaration that would serve the query better, or None.
        rows_read: Rows that were looked at, or None if the query was not run.
        rows_returned: Rows that were the answer, or None if the query was not run.
        spilled_runs: Sorted runs that were written to disk, because the rows were more than `sort_memory_bytes`.
    """

    table: str
    steps: tuple[str, ...]
    is_full_scan: bool
    suggestion: str | None
    rows_read: int | None
    rows_returned: int | None
    spilled_runs: int = 0

    @property
    def path(self) -> str:
        """The first step: the path that is read."""
        return self.steps[0]

    def __str__(self) -> str:
        lines = [f"{self.table}: {self.steps[0]}", *(f"  {step}" for step in self.steps[1:])]
        if self.rows_read is not None:
            lines.append(f"  rows read {self.rows_read}, returned {self.rows_returned}")
        if self.spilled_runs:
            lines.append(f"  sorted on disk in {self.spilled_runs + 1} runs")
        return "\n".join(lines)


def explanation_of(table: str, plan: Plan, count: ReadCount | None) -> Explanation:
    """Return the explanation of a plan; `count` is what running it did, None if it was not run."""
    return Explanation(
        table,
        tuple(describe_plan(plan)),
        plan.is_full_scan,
        plan.suggestion,
        None if count is None else count.rows_read,
        None if count is None else count.rows_returned,
        0 if count is None else count.spilled_runs,
    )
