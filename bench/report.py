"""Medians of the rounds, as a table for a person and as JSON for a program."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from bench.machine import describe
from bench.runner import Plan, Result

Medians = Mapping[tuple[str, str], float]
"""Microseconds per operation, by workload and engine."""


def medians(results: Sequence[Result]) -> dict[tuple[str, str], float]:
    """Take the median over the rounds of each workload and engine."""
    collected: dict[tuple[str, str], list[float]] = {}
    for result in results:
        collected.setdefault((result.workload, result.engine), []).append(result.microseconds)
    return {place: median(values) for place, values in collected.items()}


def print_table(plan: Plan, results: Sequence[Result], console: Console) -> None:
    """Print microseconds per operation, and how many times as long the first engine took as each other one."""
    found = medians(results)
    first, *others = plan.engines
    grid = Table(box=SIMPLE_HEAD)
    grid.add_column("workload")
    for engine in plan.engines:
        grid.add_column(engine, justify="right")
    for engine in others:
        grid.add_column(f"{first} / {engine}", justify="right")
    for workload in plan.workloads:
        own = found[workload, first]
        cells = [f"{found[workload, engine]:.2f}" for engine in plan.engines]
        ratios = [f"{own / found[workload, engine]:.2f}" for engine in others]
        grid.add_row(workload, *cells, *ratios)
    console.print("microseconds per operation, median of the rounds", highlight=False)
    console.print(grid)
    for engine in plan.engines:
        result = next(result for result in results if result.engine == engine)
        console.print(f"{engine}: {result.version}; {result.options}", highlight=False)
    console.print(_conditions(plan), highlight=False, soft_wrap=True)


def _conditions(plan: Plan) -> str:
    facts = describe()
    return (
        f"{plan.entries:,} entries of 16 + 100 bytes, {plan.reads:,} reads, {plan.rounds} rounds, "
        f"durability: {plan.durability}; {facts['processor']}, {facts['cores']} cores, {facts['system']}, "
        f"Python {facts['python']}"
    )


def write_json(path: Path, plan: Plan, results: Sequence[Result]) -> None:
    """Write machine, plan, medians and every single measurement to a file."""
    document = {
        "machine": describe(),
        "plan": asdict(plan) | {"directory": str(plan.directory or "")},
        "medians_microseconds": {
            f"{workload} {engine}": value for (workload, engine), value in medians(results).items()
        },
        "results": [asdict(result) for result in results],
    }
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
