"""`python -m bench`: compare the engines on keys and values."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench.engines import ENGINES, Durability
from bench.report import print_table, write_json
from bench.runner import Plan, run
from bench.workloads import FILLS, READS

WORKLOADS = (*FILLS, *READS)


def main(
    *,
    entries: Annotated[int, typer.Option(min=1, help="Entries of 16 and 100 bytes.")] = 100_000,
    reads: Annotated[int | None, typer.Option(min=1, help="Reads of a workload; by default 200,000.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds, of which the median counts.")] = 3,
    engine: Annotated[list[str] | None, typer.Option(help="Only this engine. Repeatable.")] = None,
    workload: Annotated[list[str] | None, typer.Option(help="Only this workload. Repeatable.")] = None,
    durability: Annotated[Durability, typer.Option(help="What each write survives, for all engines.")] = "process",
    json: Annotated[Path | None, typer.Option(help="Write all results to this file.")] = None,
    directory: Annotated[
        Path | None, typer.Option(help="Make the databases here, not in the temporary directory.")
    ] = None,
) -> None:
    """Compare LayerDB, LevelDB and SQLite, in turns, each measurement in a fresh process."""
    plan = Plan(
        engines=[name for name in ENGINES if not engine or name in engine],
        workloads=[name for name in WORKLOADS if not workload or name in workload],
        entries=entries,
        reads=min(reads or 200_000, entries),
        rounds=rounds,
        durability=durability,
        directory=directory,
    )
    if not plan.engines or not plan.workloads:
        raise typer.BadParameter(f"engines are {', '.join(ENGINES)}; workloads are {', '.join(WORKLOADS)}")
    progress = Console(stderr=True)
    results = run(plan, lambda text: progress.print(text, style="dim", highlight=False))
    print_table(plan, results, Console(width=120))
    if json is not None:
        write_json(json, plan, results)


if __name__ == "__main__":
    typer.run(main)
