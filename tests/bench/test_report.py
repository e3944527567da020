"""The report: medians over rounds, ratios to the first engine, everything in the JSON."""

import json
from io import StringIO
from pathlib import Path

from rich.console import Console

from bench.report import medians, print_table, write_json
from bench.runner import Plan, Result

PLAN = Plan(
    engines=["layerdb", "sqlite"], workloads=["read_random"], entries=10, reads=10, rounds=3, durability="process"
)


def _results() -> list[Result]:
    return [
        Result(
            engine=engine,
            workload="read_random",
            round=number,
            microseconds=microseconds,
            operations=10,
            disk_bytes=1,
            memory_bytes=1,
            version=f"{engine} 1",
            options="defaults",
        )
        for engine, times in (("layerdb", (1.0, 2.0, 9.0)), ("sqlite", (4.0, 4.0, 5.0)))
        for number, microseconds in enumerate(times, start=1)
    ]


def test_the_median_counts() -> None:
    """One slow round changes nothing."""
    assert medians(_results()) == {("read_random", "layerdb"): 2.0, ("read_random", "sqlite"): 4.0}


def test_the_table_shows_times_and_ratios() -> None:
    """Times of both, and how many times as long the first one took."""
    text = StringIO()

    print_table(PLAN, _results(), Console(file=text, width=160))

    assert ["read_random", "2.00", "4.00", "0.50"] in [line.split() for line in text.getvalue().splitlines()]


def test_the_json_holds_every_measurement(tmp_path: Path) -> None:
    """Nothing is lost between the measurement and the file."""
    path = tmp_path / "results.json"

    write_json(path, PLAN, _results())

    document = json.loads(path.read_text())
    assert document["medians_microseconds"] == {"read_random layerdb": 2.0, "read_random sqlite": 4.0}
    assert len(document["results"]) == 6
    assert document["machine"]["python"]
