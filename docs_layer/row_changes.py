"""Assignments applied to a row: from (what `update` was given, the row as it was) to new values of its columns. Pure.

Owns the meaning of the operators, and of paths that are assigned to. Each assignment sees the row as it was before the
call; two of one call may not touch the same value, or one that lies in the other. What the row holds is never changed
in place: dicts, lists and structs on a path are copied. Any thread may use the functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec

from docs_layer.conditions import Scope
from docs_layer.errors import NoSuchField, QueryError, ValidationError, shown_value
from docs_layer.expressions import Assignment
from docs_layer.nodes import AssignmentNode, AssignmentOperator, ColumnNode, RootNode, StepNode, ValueNode
from docs_layer.values import value_reader

RowChange = Callable[[Any], Mapping[str, Any]]
"""From a row to the new values of the columns that it changes."""

Change = Callable[[Any], Any]
"""From the present value, `ABSENT` if there is none, to the new one; `ABSENT` to take it out."""

ABSENT: Any = object()
_ADDENDS: Final = (int, float, Decimal, timedelta)


class _Target(NamedTuple):
    """Where an assignment goes, and what it does there to the present value of a given row."""

    column: str
    steps: tuple[str | int, ...]
    change: Callable[[Any, Any], Any]


def compile_changes(
    scope: Scope, assignments: Iterable[Assignment[Any]], values: Mapping[str, Any], document: str | None = None
) -> RowChange:
    """Return the function that gives the changed columns of a row.

    Args:
        scope: The table.
        assignments: What `set_`, `increment` and the others made.
        values: New values by column name.
        document: The column that `f` stands for, if any.

    Raises:
        QueryError: Something that is no assignment, or two that touch the same value.
        NoSuchField: A name that is no column; names the nearest one.

    The function raises `ValidationError` where an operator does not fit the present value.
    """
    targets = []
    for assignment in assignments:
        if not isinstance(assignment, Assignment):
            raise QueryError(f"update takes assignments such as increment(Book.year), not {assignment!r}")
        targets.append(_target(scope, assignment.node, document))
    for name, value in values.items():
        if name not in scope.columns:
            raise NoSuchField(scope.table, name, scope.columns)
        targets.append(_Target(name, (), _constant(value)))
    _check_apart(scope.table, targets)
    if all(not target.steps for target in targets):
        return lambda row: {one.column: one.change(row, getattr(row, one.column)) for one in targets}
    return lambda row: _changed(scope.table, row, targets)


def _constant(value: object) -> Callable[[Any, Any], Any]:
    return lambda _row, _present: value


def _changed(table: str, row: Any, targets: Iterable[_Target]) -> dict[str, Any]:
    changed: dict[str, Any] = {}
    for column, steps, change in targets:
        present = changed[column] if column in changed else getattr(row, column)
        try:
            changed[column] = _applied(present, steps, partial(change, row))
        except _NoPlaceError as error:
            raise ValidationError(table, column, present, str(error)) from None
    return changed


def _check_apart(table: str, targets: list[_Target]) -> None:
    for place, one in enumerate(targets):
        for other in targets[:place]:
            shared = min(len(one.steps), len(other.steps))
            if one.column == other.column and one.steps[:shared] == other.steps[:shared]:
                raise QueryError(f"{table}.{one.column} is set twice")


def _target(scope: Scope, node: AssignmentNode, document: str | None) -> _Target:
    column, steps = _way(scope, node.column, document)
    if isinstance(node.value, ValueNode):
        read = value_reader(scope.column(node.value))
        return _Target(column, steps, lambda row, _: read(row))
    label = ".".join(map(str, (column, *steps)))
    operate = _operator(scope.table, label, node.operator, node.value, at_column=not steps)
    return _Target(column, steps, lambda _, present: operate(present))


def _way(scope: Scope, node: ValueNode, document: str | None) -> tuple[str, tuple[str | int, ...]]:
    """Return the column of a target and the way into it."""
    steps: list[str | int] = []
    while isinstance(node, StepNode):
        steps.append(node.step)
        node = node.of
    if isinstance(node, RootNode) and document is not None:
        if steps and steps[-1] in scope.keys:
            return str(steps[-1]), tuple(reversed(steps[:-1]))
        return document, tuple(reversed(steps))
    if not isinstance(node, ColumnNode):
        raise QueryError(f"{scope.table}: only columns and what lies in them can be assigned to")
    return scope.column(node).name, tuple(reversed(steps))


def _operator(table: str, label: str, operator: AssignmentOperator, value: Any, *, at_column: bool) -> Change:
    match operator:
        case "set":
            return lambda _: value
        case "unset":
            return lambda _: None if at_column else ABSENT
        case "increment":
            if isinstance(value, bool) or not isinstance(value, _ADDENDS):
                raise QueryError(f"{table}.{label}: increment adds a number, not {shown_value(value)}")
            return lambda present: _incremented(table, label, present, value)
        case "push":
            return lambda present: [*_list_of(table, label, present), *value]
        case "remove":
            return lambda present: (
                present
                if present is None or present is ABSENT
                else [one for one in _list_of(table, label, present) if one not in value]
            )


def _incremented(table: str, label: str, present: Any, by: Any) -> Any:
    if present is None or present is ABSENT:
        return by
    if isinstance(present, bool):
        raise ValidationError(table, label, present, "increment is for numbers")
    try:
        return present + by
    except (TypeError, ArithmeticError) as error:
        raise ValidationError(table, label, present, f"{shown_value(by)} cannot be added to it") from error


def _list_of(table: str, label: str, present: Any) -> list[Any]:
    if present is None or present is ABSENT:
        return []
    if not isinstance(present, (list, tuple)):
        raise ValidationError(table, label, present, "push and remove are for lists")
    return list(present)


class _NoPlaceError(Exception):
    """A path leads to where nothing can be put."""


def _applied(present: Any, steps: tuple[str | int, ...], change: Change) -> Any:
    """Return a value with what lies at the end of a path changed; everything on the way is a copy."""
    if not steps:
        return change(present)
    step, rest = steps[0], steps[1:]
    if present is None or present is ABSENT:
        inner = _applied(ABSENT, rest, change)
        if inner is ABSENT:
            return present
        if not isinstance(step, str):
            raise _NoPlaceError(f"there is no list that has a place {step}")
        return {step: inner}
    if isinstance(present, dict):
        return _in_dict(present, step, rest, change)
    if isinstance(present, list) and isinstance(step, int):
        return _in_list(present, step, rest, change)
    if isinstance(present, msgspec.Struct) and isinstance(step, str):
        return _in_struct(present, step, rest, change)
    raise _NoPlaceError(f"nothing can be put at {step!r} of a {type(present).__name__}")


def _in_dict(present: dict[Any, Any], step: str | int, rest: tuple[str | int, ...], change: Change) -> dict[Any, Any]:
    inner = _applied(present.get(step, ABSENT), rest, change)
    if inner is ABSENT:
        return {name: value for name, value in present.items() if name != step}
    return present | {step: inner}


def _in_list(present: list[Any], step: int, rest: tuple[str | int, ...], change: Change) -> list[Any]:
    if not -len(present) <= step < len(present):
        raise _NoPlaceError(f"the list has {len(present)} elements and no place {step}")
    inner = _applied(present[step], rest, change)
    copy = list(present)
    if inner is ABSENT:
        del copy[step]
    else:
        copy[step] = inner
    return copy


def _in_struct(present: msgspec.Struct, step: str, rest: tuple[str | int, ...], change: Change) -> msgspec.Struct:
    fields = {field.name: field for field in msgspec.structs.fields(present)}
    if step not in fields:
        raise _NoPlaceError(f"a {type(present).__name__} has no field {step!r}")
    inner = _applied(getattr(present, step), rest, change)
    if inner is ABSENT:
        field = fields[step]
        if field.required:
            raise _NoPlaceError(f"the field {step!r} of a {type(present).__name__} has no default")
        inner = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    return msgspec.structs.replace(present, **{step: inner})
