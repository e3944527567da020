"""Functions over values, beside the operators: `lower(Book.title)`, `any_(Book.tags) == "lsm"`, `like(f.name, "A%")`.

They take columns, what is computed from columns, and paths into documents; a path has no methods, since every name is
free for the document's own, so here stands a function for each method of a column. They build nodes and nothing else.
Any thread may use them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, overload

from typing_extensions import TypeVar

from docs_layer.errors import QueryError
from docs_layer.expressions import Comparable, Expression, Path, Value, expression_node, value_node
from docs_layer.nodes import CallNode, ElementNode, Exists, HasElement, Not, StepNode, ValueNode

Owner = TypeVar("Owner")
Kind = TypeVar("Kind")
Item = TypeVar("Item")
Inner = TypeVar("Inner")

Text = Value[Owner, str] | Value[Owner, str | None]
"""A text column; any path is taken as well."""


class _Recorder:
    """Stands for a value in `at`, and remembers the way into it."""

    __slots__ = ("_recorded",)

    def __init__(self, node: ValueNode) -> None:
        self._recorded = node

    def __getattr__(self, name: str) -> _Recorder:
        return _Recorder(StepNode(self._recorded, name))

    def __getitem__(self, step: str | int) -> _Recorder:
        return _Recorder(StepNode(self._recorded, step))


def at(value: Value[Owner, Kind], way: Callable[[Kind], Inner]) -> Value[Owner, Inner | None]:
    """Return what lies inside a value, with its type: `at(Person.address, lambda address: address.city)`.

    Args:
        value: A column that holds a struct, a dict or a list, or a value inside one.
        way: Attributes and items only; called once, with a stand-in. What is absent is null.
    """
    stand_in: Any = _Recorder(value_node(value))
    found: object = way(stand_in)
    if not isinstance(found, _Recorder):
        raise QueryError(f"at takes a way of attributes and items, not one to {found!r}")
    return Value(found._recorded)  # noqa: SLF001 - hidden from the names of the value's own fields


@overload
def any_(value: Value[Owner, list[Item]] | Value[Owner, list[Item] | None]) -> Value[Owner, Item]: ...
@overload
def any_(
    value: Value[Owner, list[Item]] | Value[Owner, list[Item] | None], condition: Expression[Any]
) -> Expression[Owner]: ...
@overload
def any_(value: Comparable[Owner, Any]) -> Value[Owner, Any]: ...
@overload
def any_(value: Comparable[Owner, Any], condition: Expression[Any]) -> Expression[Owner]: ...
def any_(value: Comparable[Owner, Any], condition: Expression[Any] | None = None) -> Any:
    """Ask for lists of which at least one element answers: `any_(Book.tags).starts_with("l")`.

    Args:
        value: The list; null, and what is no list, has no elements.
        condition: What one element must satisfy, with `f` as the element: `any_(f.items, (f.price > 5) & f.sold)`.
    """
    if condition is None:
        return Value[Owner, Any](ElementNode(value_node(value), every=False))
    return Expression[Owner](HasElement(value_node(value), expression_node(condition)))


@overload
def all_(value: Value[Owner, list[Item]] | Value[Owner, list[Item] | None]) -> Value[Owner, Item]: ...
@overload
def all_(
    value: Value[Owner, list[Item]] | Value[Owner, list[Item] | None], condition: Expression[Any]
) -> Expression[Owner]: ...
@overload
def all_(value: Comparable[Owner, Any]) -> Value[Owner, Any]: ...
@overload
def all_(value: Comparable[Owner, Any], condition: Expression[Any]) -> Expression[Owner]: ...
def all_(value: Comparable[Owner, Any], condition: Expression[Any] | None = None) -> Any:
    """Ask for lists of which every element answers; true without elements. Arguments as for `any_`."""
    if condition is None:
        return Value[Owner, Any](ElementNode(value_node(value), every=True))
    return Expression[Owner](Not(HasElement(value_node(value), Not(expression_node(condition)))))


def lower(value: Text[Owner] | Path) -> Value[Owner, str | None]:
    """Return the text in lower case (`str.lower`); null for what is no text."""
    return Value(CallNode("lower", value_node(value)))


def upper(value: Text[Owner] | Path) -> Value[Owner, str | None]:
    """Return the text in upper case (`str.upper`); null for what is no text."""
    return Value(CallNode("upper", value_node(value)))


def length(value: Comparable[Owner, Any]) -> Value[Owner, int | None]:
    """Return the number of code points, bytes, elements or items; null for what has no length."""
    return Value(CallNode("length", value_node(value)))


def exists(value: Comparable[Owner, Any]) -> Expression[Owner]:
    """Return the condition that a path leads somewhere in the document, be it to null."""
    return Expression(Exists(value_node(value)))


def is_null(value: Comparable[Owner, Any]) -> Expression[Owner]:
    """Return the condition that there is no value, or null."""
    return _value(value).is_null()


def in_(value: Comparable[Owner, Any], values: Iterable[Any]) -> Expression[Owner]:
    """Return the condition that the value is one of `values`; see `Value.in_`."""
    return _value(value).in_(values)


def between(value: Comparable[Owner, Any], low: Any, high: Any) -> Expression[Owner]:
    """Return the condition `low <= value <= high`."""
    return _value(value).between(low, high)


def has(value: Comparable[Owner, Any], element: Any) -> Expression[Owner]:
    """Return the condition that a list has an element equal to `element`."""
    return _value(value).has(element)


def starts_with(value: Comparable[Owner, Any], text: str, *, ignore_case: bool = False) -> Expression[Owner]:
    """Return the condition that the text begins with `text`; see `Value.starts_with`."""
    return _value(value).starts_with(text, ignore_case=ignore_case)


def ends_with(value: Comparable[Owner, Any], text: str, *, ignore_case: bool = False) -> Expression[Owner]:
    """Return the condition that the text ends with `text`."""
    return _value(value).ends_with(text, ignore_case=ignore_case)


def contains(value: Comparable[Owner, Any], text: str, *, ignore_case: bool = False) -> Expression[Owner]:
    """Return the condition that `text` stands somewhere in the text."""
    return _value(value).contains(text, ignore_case=ignore_case)


def like(value: Comparable[Owner, Any], pattern: str, *, ignore_case: bool = False) -> Expression[Owner]:
    """Return the condition that the whole text fits a pattern; see `Value.like`."""
    return _value(value).like(pattern, ignore_case=ignore_case)


def matches(value: Comparable[Owner, Any], pattern: str, *, ignore_case: bool = False) -> Expression[Owner]:
    """Return the condition that a regular expression is found in the text; see `Value.matches`."""
    return _value(value).matches(pattern, ignore_case=ignore_case)


def _value(value: Comparable[Owner, Any]) -> Value[Owner, Any]:
    return Value(value_node(value))
