"""Columns inferred from records: the narrowest type that holds all values."""

from typing import Any

import pytest

from docs_layer.command_line.failures import CommandError
from docs_layer.command_line.inference import Column, infer_csv, infer_json
from docs_layer.command_line.records import Record


def _records(name: str, values: list[object]) -> list[Record]:
    return [Record(line, {name: value}) for line, value in enumerate(values, start=1)]


@pytest.mark.parametrize(
    ("values", "column"),
    [
        ([1, 2], Column(int, null=False)),
        ([1, 2.5, None], Column(float, null=True)),
        (["a"], Column(str, null=False)),
        ([True, None], Column(bool, null=True)),
        ([None], Column(str, null=True)),
        ([[1]], Column(list[Any], null=False)),
        ([{"a": 1}], Column(dict[str, Any], null=False)),
    ],
)
def test_json_types(values: list[object], column: Column) -> None:
    """JSON says the type; null only makes the column nullable; int beside float is float."""
    assert infer_json(_records("x", values)) == {"x": column}


def test_a_missing_value_makes_the_column_nullable() -> None:
    """A name that some records lack may be null, also when only the first one lacks it."""
    records = [Record(1, {"a": 1}), Record(2, {"a": 1, "b": 2})]

    assert infer_json(records) == {"a": Column(int, null=False), "b": Column(int, null=True)}


@pytest.mark.parametrize("values", [[1, "a"], [True, 1], [[], {}]])
def test_mixed_types_are_refused(values: list[object]) -> None:
    """The error names the column, both types, and the line of the second one."""
    with pytest.raises(CommandError, match=r"'x' holds \w+ and \w+ \(first in line 2\)"):
        infer_json(_records("x", values))


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        (["1", "-20", "0"], Column(int, null=False)),
        (["1", "2.50", "1e3"], Column(float, null=False)),
        (["007", "12"], Column(str, null=False)),
        (["1", ""], Column(int, null=True)),
        (["a", ""], Column(str, null=False)),
        (["true", "false"], Column(bool, null=False)),
        (["true", "1"], Column(str, null=False)),
        (["", ""], Column(str, null=False)),
        (["1" * 30, "2"], Column(str, null=False)),
        (["nan"], Column(str, null=False)),
    ],
)
def test_csv_types(cells: list[object], column: Column) -> None:
    """A cell with leading zeros stays text; an empty cell is null in every column but a text."""
    assert infer_csv(_records("x", cells)) == {"x": column}
