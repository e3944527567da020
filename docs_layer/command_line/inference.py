"""The columns of a file of records, inferred from every record of it.

JSON says the type of each value; int and float together are float, and null only makes the column nullable. The cells
of a CSV file are all text, and become the narrowest type that holds them all: bool for `true` and `false`, int without
leading zeros and of at most 18 digits, float with a decimal point or an exponent, otherwise str. An empty cell is null,
except in a column of text, where it is an empty text.
"""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from docs_layer.command_line.failures import CommandError
from docs_layer.command_line.records import Record

_INTEGER = re.compile(r"-?(?:0|[1-9]\d{0,17})")
_DECIMAL = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+(?:[eE][+-]?\d+)?|[eE][+-]?\d+)")
_NULL = type(None)


class Column(NamedTuple):
    """A column as inferred: the Python type of its values, and whether some are null or missing."""

    type: Any
    null: bool


def infer_json(records: Iterable[Record]) -> dict[str, Column]:
    """Infer columns from records of JSON values, in the order of their first appearance.

    Raises:
        CommandError: a column holds values of different types; names it, the types and the line.
    """
    kinds: dict[str, set[type]] = {}
    seen: dict[str, int] = {}
    total = 0
    for record in records:
        total += 1
        for name, value in record.values.items():
            known = kinds.setdefault(name, set())
            known.add(type(value))
            seen[name] = seen.get(name, 0) + 1
            if len(known) > 1:
                _one_type(name, known, record.line)
    return {
        name: Column(_one_type(name, known, 0), _NULL in known or seen[name] < total) for name, known in kinds.items()
    }


def _one_type(name: str, known: set[type], line: int) -> Any:
    found = known - {_NULL}
    if found == {int, float}:
        return float
    if len(found) > 1:
        names = " and ".join(sorted(kind.__name__ for kind in found))
        raise CommandError(f"the column {name!r} holds {names} (first in line {line})")
    kind = next(iter(found), str)
    if kind is list:
        return list[Any]
    return dict[str, Any] if kind is dict else kind


def infer_csv(records: Iterable[Record]) -> dict[str, Column]:
    """Infer columns from records of CSV cells, in the order of the headings."""
    kinds: dict[str, set[type]] = {}
    for record in records:
        for name, cell in record.values.items():
            kinds.setdefault(name, set()).add(_cell_type(str(cell)))
    return {name: _csv_column(found) for name, found in kinds.items()}


def _cell_type(cell: str) -> type:
    if not cell:
        return _NULL
    if cell in {"true", "false"}:
        return bool
    if _INTEGER.fullmatch(cell):
        return int
    return float if _DECIMAL.fullmatch(cell) else str


def _csv_column(found: set[type]) -> Column:
    kinds = found - {_NULL}
    if kinds == {int, float}:
        return Column(float, _NULL in found)
    if len(kinds) == 1 and str not in kinds:
        return Column(kinds.pop(), _NULL in found)
    return Column(str, null=False)
