"""What `update` does to a value: `set_(Book.title, "x")`, `increment(Book.year)`, `push(Book.tags, "new")`, ...

They take columns, values inside columns (`Book.address["city"]`) and paths into documents (`f.user.age`), and build
nodes and nothing else; `row_changes` applies them. `Book.title.to("x")` is the same as `set_`. Any thread may use them.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from typing_extensions import TypeVar

from docs_layer.expressions import Assignment, Comparable, value_node
from docs_layer.nodes import AssignmentNode, AssignmentOperator

Owner = TypeVar("Owner")
Kind = TypeVar("Kind")


def set_(target: Comparable[Owner, Kind], value: Kind | Comparable[Owner, Any]) -> Assignment[Owner]:
    """Set a value to a constant, or to a value of the row as it was before: `set_(Book.title, lower(Book.title))`.

    Dicts on the way to a path's end are made where they are missing.
    """
    return _assignment("set", target, value)


def increment(target: Comparable[Owner, Any], by: float | Decimal | timedelta = 1) -> Assignment[Owner]:
    """Add to a number, or an interval to a moment; null and what is missing become `by`."""
    return _assignment("increment", target, by)


def push(target: Comparable[Owner, Any], *elements: Any) -> Assignment[Owner]:
    """Append elements to a list; null and what is missing count as an empty one."""
    return _assignment("push", target, elements)


def remove(target: Comparable[Owner, Any], *elements: Any) -> Assignment[Owner]:
    """Take out every element of a list that equals one of these; null and what is missing stay as they are."""
    return _assignment("remove", target, elements)


def unset(target: Comparable[Owner, Any]) -> Assignment[Owner]:
    """Make a column null; take a name out of a dict or a place out of a list; give a struct's field its default."""
    return _assignment("unset", target, None)


def _assignment(operator: AssignmentOperator, target: Comparable[Owner, Any], value: object) -> Assignment[Owner]:
    given = value_node(value) if isinstance(value, Comparable) else value
    return Assignment(AssignmentNode(value_node(target), given, operator))
