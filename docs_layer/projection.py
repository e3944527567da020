"""From rows as the table works on them to what a program gets: rows of its class, or selected values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from docs_layer.bound_tables import BoundTable
from docs_layer.values import ColumnShape, value_reader, values_reader

Output = Callable[[list[Any]], list[Any]]


def output_of(table: BoundTable, selected: Sequence[ColumnShape] | None, is_single: bool) -> Output:
    """Return the function from a list of rows to a list of results.

    Args:
        table: The table of the rows.
        selected: Values to give instead of rows, or None.
        is_single: Whether they are given bare; there is one then.
    """
    if selected is None:
        show = table.show
        return _same if table.is_whole else lambda rows: list(map(show, rows))
    read = value_reader(selected[0]) if is_single else values_reader(selected)
    return lambda rows: list(map(read, rows))


def _same(rows: list[Any]) -> list[Any]:
    return rows
