"""Constants are compared by value with every kind of column, whatever their Python type."""

import math
import operator
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from docs_layer import QueryError
from docs_layer.conditions import NULL_SET, VALUE_SET, Scope, Within, bind
from docs_layer.intervals import EVERYTHING, contains
from docs_layer.key_encoding import component_encoder
from docs_layer.nodes import AllOf, ColumnNode, Compare, IsIn, Matches, Node, Operator
from docs_layer.predicates import compile_predicate
from docs_layer.values import ColumnShape
from tests.docs_layer.samples import Everything

COLUMNS = {
    kind: ColumnShape(kind, kind, nullable=True)
    for kind in ("int", "float", "decimal", "str", "bytes", "bool", "datetime", "datetime_naive", "date", "list")
}
SCOPE = Scope("Everything", Everything, COLUMNS)
OPERATORS: dict[Operator, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
INTS = st.integers(-(2**65), 2**65) | st.sampled_from([2**53, 2**53 + 1, 2**63, -(2**63) - 1])
FLOATS = st.floats(allow_nan=False) | st.sampled_from([2.0**53, 2.0**63, -(2.0**63), 0.1])
DECIMALS = st.decimals(-(10**20), 10**20, allow_nan=False, places=3)
CONSTANTS = INTS | FLOATS | DECIMALS | INTS.map(lambda value: value + 0.5)
VALUES = {
    "int": st.integers(-(2**63), 2**63 - 1) | st.sampled_from([2**53, 2**53 + 1]),
    "float": FLOATS,
    "decimal": DECIMALS,
}


def _bound(kind: str, node_operator: Operator, value: object) -> Any:
    return bind(Compare(ColumnNode(Everything, kind), node_operator, value), SCOPE)


def _exact(value: Any) -> Any:
    """Give a number that Python compares exactly with all others."""
    return value if isinstance(value, float) and not math.isfinite(value) else Fraction(value)


@given(st.sampled_from(sorted(VALUES)), st.sampled_from(sorted(OPERATORS)), CONSTANTS, st.data())
def test_numbers_compare_exactly(kind: str, name: Operator, constant: Any, data: st.DataObject) -> None:
    """An int column with a float constant, a float column with a large int, ...: never rounded, never refused."""
    assume(not (kind == "decimal" and isinstance(constant, float) and abs(constant) > 1e300))
    value: Any = data.draw(VALUES[kind])
    if kind == "int" and isinstance(constant, int) and -(2**63) < constant < 2**63 - 1:
        value = data.draw(st.sampled_from([value, constant - 1, constant, constant + 1]))
    holds = OPERATORS[name](_exact(value), _exact(constant))
    condition = _bound(kind, name, constant)
    if isinstance(condition, Within):
        assert contains(condition.values, component_encoder(kind)(value)) is holds
    predicate = compile_predicate(condition)
    row = type("Row", (), {kind: value})
    assert (predicate is None or predicate(row)) is holds


@pytest.mark.parametrize("name", ["<", "<=", ">", ">="])
def test_an_order_comparison_never_holds_for_null(name: Operator) -> None:
    """Null is lowest in an order, and still below nothing; `!=` holds for it."""
    null = component_encoder("int")(None)
    assert not contains(_bound("int", name, 5).values, null)
    assert contains(_bound("int", "!=", 5).values, null)


def test_null_and_not_null() -> None:
    """Comparing with None asks for null."""
    assert _bound("int", "==", None) == Within(COLUMNS["int"], NULL_SET)
    assert _bound("int", "!=", None) == Within(COLUMNS["int"], VALUE_SET)
    assert bind(IsIn(ColumnNode(Everything, "int"), (None,)), SCOPE) == Within(COLUMNS["int"], NULL_SET)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("a", ["a", "ab", "a\U0010ffff"], ["", "b", "A"]),
        ("", ["", "\U0010ffff"], []),
        ("a\U0010ffff", ["a\U0010ffff", "a\U0010ffffz"], ["a", "b", "a\uffff"]),
        ("\U0010ffff", ["\U0010ffff", "\U0010ffff\U0010ffff"], ["\uffff"]),
        ("\ud7ff", ["\ud7ff", "\ud7ffa"], ["\ue000"]),
    ],
)
def test_beginnings_of_texts(text: str, inside: list[str], outside: list[str]) -> None:
    """A beginning is a range by code points, also at the end of the code space and before the surrogates."""
    condition = bind(Matches(ColumnNode(Everything, "str"), "starts_with", text), SCOPE)
    assert isinstance(condition, Within)
    encode = component_encoder("str")
    assert all(contains(condition.values, encode(one)) for one in inside)
    assert not any(contains(condition.values, encode(one)) for one in [*outside, None])
    assert condition.values != EVERYTHING


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("int", math.nan),
        ("int", Decimal("NaN")),
        ("int", "5"),
        ("int", True),
        ("float", False),
        ("float", "x"),
        ("decimal", math.nan),
        ("decimal", True),
        ("str", b"x"),
        ("bytes", "x"),
        ("bool", 1),
        ("date", 5),
        ("list", object()),
    ],
)
def test_constants_without_a_place_are_refused(kind: str, value: object) -> None:
    """What cannot be compared is a QueryError that names the column."""
    with pytest.raises(QueryError, match=rf"Everything\.{kind}"):
        _bound(kind, "==", value)


def test_conjunctions_meet_on_one_column() -> None:
    """Two conditions on one column are one set."""
    column = ColumnNode(Everything, "int")
    node: Node = AllOf((Compare(column, ">", 1), Compare(column, "<", 3)))
    condition = bind(node, SCOPE)
    assert isinstance(condition, Within)
    assert [value for value in range(5) if contains(condition.values, component_encoder("int")(value))] == [2]
