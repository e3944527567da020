"""Indexes over the elements of lists: what a condition asks of them, and how each row comes only once.

Owns the rule that needs no memory: of the entries of one row that a plan reads, only the one of the least wanted
element gives the row. Pure functions over immutable values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from docs_layer.conditions import Condition, SomeElement, Within
from docs_layer.intervals import IntervalSet, contains
from docs_layer.key_encoding import INVERTED, component_skipper
from docs_layer.key_paths import KeyPath
from docs_layer.values import ColumnShape, Each, Source, elements_reader, encode_loosely, is_multiple, named_step


class Repeats(NamedTuple):
    """Which elements a plan reads of an index, where a row may have several of them."""

    column: ColumnShape
    values: IntervalSet


def element_set(condition: Condition) -> tuple[ColumnShape, IntervalSet] | None:
    """Return the indexable value that a condition on elements asks for, and its set; None if there is none.

    `any_(f.items).price > 5` asks for the value `items[].price`.
    """
    if not isinstance(condition, SomeElement) or condition.negated or not isinstance(condition.part, Within):
        return None
    part = condition.part
    inner = part.column.source
    if inner is None or inner.column:
        return None
    source = condition.column.source or Source(condition.column.name, ())
    name = f"{condition.column.name}[]"
    for step in inner.steps:
        name = named_step(name, step)
    kind = "any" if not inner.steps else part.column.kind
    return ColumnShape(
        name, kind, nullable=True, source=Source(source.column, (*source.steps, Each(), *inner.steps))
    ), part.values


def first_element_test(path: KeyPath, repeats: Repeats) -> Callable[[bytes, Any], bool]:
    """Return the function that tells whether an entry is the one that gives its row.

    Args:
        path: The index.
        repeats: Which elements are read.
    """
    place = next(place for place, term in enumerate(path.terms) if is_multiple(term.column))
    skippers = [component_skipper(term.column.kind, term.descending) for term in path.terms[: place + 1]]
    read = elements_reader(repeats.column)
    descending = path.terms[place].descending

    def is_first(key: bytes, row: Any) -> bool:
        begin, end = 0, len(path.prefix)
        for skip in skippers:
            begin, end = end, skip(key, end)
        component = key[begin:end].translate(INVERTED) if descending else key[begin:end]
        wanted = [encoded for encoded in map(encode_loosely, read(row)) if contains(repeats.values, encoded)]
        return bool(wanted) and min(wanted) == component

    return is_first
