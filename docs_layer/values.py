"""Values of a row as bound queries name them: a column, or what lies in one or is computed from one.

Owns `ColumnShape`, the reading of such a value from a row, and the mixed order of values without a declared type. Two
shapes are equal if they mean the same, so an index on `lower(title)` or `address.city` is found by comparing shapes.
Immutable values and pure functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from operator import attrgetter
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from docs_layer.errors import QueryError
from docs_layer.key_encoding import UnencodableError, component_encoder
from docs_layer.nodes import Function

NESTED_KINDS: Final = frozenset({"list", "dict", "struct", "any", "document"})
"""Kinds of values that others lie in."""

MIXED_KINDS: Final = frozenset({"any", "list", "dict", "struct"})
"""Kinds whose values have the mixed order."""

UNORDERED: Final = b"\xe0"
"""What stands in the mixed order for values of types that have no place in it: above all others, all equal."""

_ENCODE_ANY: Final = component_encoder("any")
_ORDERED_TYPES: Final = (bytes, date, datetime, time, timedelta, Decimal, UUID)
"""Types that stay as they are when a nested value is taken apart."""
_MISSING: Final = object()


class Call(NamedTuple):
    """A step that computes."""

    function: Function


class Each(NamedTuple):
    """A step to every element of a list; a value behind it has any number of values in a row."""


class Member(NamedTuple):
    """A step from the member of an enum to its value, which is what is stored."""


Step = str | int | Call | Each | Member
"""The item or field of this name, the element at this place, a function of the value so far, every element, ..."""


class Source(NamedTuple):
    """Where a value that is no column comes from; without a column name the row itself is the value."""

    column: str
    steps: tuple[Step, ...]


class ColumnShape(NamedTuple):
    """What binding must know of a value.

    Attributes:
        name: The column's name, or text such as `address.city` and `lower(title)`.
        kind: One of `KINDS`, or a kind that is stored only.
        source: None for a column.
    """

    name: str
    kind: str
    nullable: bool
    source: Source | None = None

    @property
    def column(self) -> str:
        """Name of the column that holds the value."""
        return self.name if self.source is None else self.source.column


ELEMENT: Final = ColumnShape("f", "any", nullable=True, source=Source("", ()))
"""One element of a list, or a whole document."""


def member_shape(name: str, kind: str, nullable: bool) -> ColumnShape:
    """Return the shape of a column whose rows hold members of an enum."""
    return ColumnShape(name, kind, nullable, Source(name, (Member(),)))


def document_root(column: str) -> ColumnShape:
    """Return the shape that `f` stands for where a column holds documents."""
    return ColumnShape(column, "any", nullable=True, source=Source(column, ()))


def inside(shape: ColumnShape, step: str | int, table: str) -> ColumnShape:
    """Return the value that lies in another one.

    Raises:
        QueryError: Nothing lies in values of its kind.
    """
    if shape.kind not in NESTED_KINDS:
        raise QueryError(f"{table}.{shape.name}: nothing lies in a {shape.kind}")
    return _further(shape, step, named_step(shape.name, step), "any")


def each(shape: ColumnShape, table: str) -> ColumnShape:
    """Return the elements of a list, for multi-valued indexes.

    Raises:
        QueryError: Values of its kind have no elements.
    """
    if shape.kind not in {"list", "any"}:
        raise QueryError(f"{table}.{shape.name}: a {shape.kind} has no elements")
    return _further(shape, Each(), f"{shape.name}[]", "any")


def named_step(name: str, step: Step) -> str:
    """Return the name of what a step leads to from a value of this name."""
    match step:
        case Call():
            return f"{step.function}({name})"
        case Each():
            return f"{name}[]"
        case Member():
            return name
        case int():
            return f"{name}[{step}]"
        case str():
            return f"{name}.{step}" if step.isidentifier() else f"{name}[{step!r}]"


def called(function: Function, shape: ColumnShape, table: str) -> ColumnShape:
    """Return a function of a value.

    Raises:
        QueryError: It has no meaning for values of that kind.
    """
    text = function != "length"
    if shape.kind not in ({"str", "any"} if text else {"str", "bytes", *NESTED_KINDS}):
        raise QueryError(f"{table}.{shape.name}: {function} has no meaning for a {shape.kind}")
    return _further(shape, Call(function), f"{function}({shape.name})", "str" if text else "int")


def _further(shape: ColumnShape, step: Step, name: str, kind: str) -> ColumnShape:
    source = Source(shape.name, ()) if shape.source is None else shape.source
    return ColumnShape(name, kind, nullable=True, source=Source(source.column, (*source.steps, step)))


def value_reader(shape: ColumnShape) -> Callable[[Any], Any]:
    """Return the function that reads a value from a row; what is absent is None."""
    read = raw_reader(shape)
    if shape.source is None:
        return read

    def read_or_none(row: Any) -> Any:
        value = read(row)
        return None if value is _MISSING else value

    return read_or_none


def values_reader(shapes: Sequence[ColumnShape]) -> Callable[[Any], tuple[Any, ...]]:
    """Return the function that reads several values from a row as a tuple."""
    if len(shapes) > 1 and all(shape.source is None for shape in shapes):
        getter: Callable[[Any], tuple[Any, ...]] = attrgetter(*(shape.name for shape in shapes))
        return getter
    readers = [value_reader(shape) for shape in shapes]
    if len(readers) == 1:
        single = readers[0]
        return lambda row: (single(row),)
    return lambda row: tuple([read(row) for read in readers])


def is_multiple(shape: ColumnShape) -> bool:
    """Return whether a row may have any number of values of this shape."""
    return shape.source is not None and any(isinstance(step, Each) for step in shape.source.steps)


def elements_reader(shape: ColumnShape) -> Callable[[Any], list[Any]]:
    """Return the function that gives every value of a shape behind `Each`; none where there is no list."""
    column, steps = shape.source or Source(shape.name, ())
    place = next(place for place, step in enumerate(steps) if isinstance(step, Each))
    read_list = raw_reader(ColumnShape("", "any", nullable=True, source=Source(column, steps[:place])))
    read_inner = value_reader(ColumnShape("", "any", nullable=True, source=Source("", steps[place + 1 :])))

    def read(row: Any) -> list[Any]:
        found = read_list(row)
        return [read_inner(element) for element in found] if isinstance(found, (list, tuple)) else []

    return read


def presence_reader(shape: ColumnShape) -> Callable[[Any], bool]:
    """Return the function that tells whether a value is there, be it None."""
    read = raw_reader(shape)
    return lambda row: read(row) is not _MISSING


def raw_reader(shape: ColumnShape) -> Callable[[Any], Any]:
    """Return the function that reads a value from a row; what is absent is a mark of its own."""
    if shape.source is None:
        return attrgetter(shape.name)
    begin = attrgetter(shape.source.column) if shape.source.column else _itself
    ways = [_way(step) for step in shape.source.steps]
    if len(ways) == 1:
        single = ways[0]
        return lambda row: single(begin(row))

    def read(row: Any) -> Any:
        value = begin(row)
        for way in ways:
            value = way(value)
        return value

    return read


def _way(step: Step) -> Callable[[Any], Any]:
    match step:
        case Call():
            return _CALLS[step.function]
        case Member():
            return _member
        case Each():
            raise ValueError("the elements of a list are read by `elements_reader`")
        case _:
            return lambda value: _step_into(value, step)


def encode_loosely(value: object) -> bytes:
    """Return a value's place in the mixed order, as an ascending component; `UNORDERED` for those that have none.

    Enums stand where their values do, structs where the dict of their fields does.
    """
    try:
        return _ENCODE_ANY(value)
    except UnencodableError:
        pass
    try:
        return _ENCODE_ANY(msgspec.to_builtins(value, builtin_types=_ORDERED_TYPES))
    except (UnencodableError, TypeError, ValueError):
        return UNORDERED


def _itself(row: Any) -> Any:
    return row


def _step_into(value: Any, step: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(step, _MISSING)
    if isinstance(step, int):
        if isinstance(value, (list, tuple)) and -len(value) <= step < len(value):
            return value[step]
        return _MISSING
    return getattr(value, step, _MISSING) if isinstance(value, msgspec.Struct) else _MISSING


def _member(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def _lower(value: Any) -> str | None:
    return value.lower() if isinstance(value, str) else None


def _upper(value: Any) -> str | None:
    return value.upper() if isinstance(value, str) else None


def _length(value: Any) -> int | None:
    return len(value) if isinstance(value, (str, bytes, list, tuple, dict)) else None


_CALLS: Final[dict[Function, Callable[[Any], Any]]] = {"lower": _lower, "upper": _upper, "length": _length}
