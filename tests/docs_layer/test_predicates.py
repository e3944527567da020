"""Compiled conditions hold the documented order, whatever Python's operators say."""

import math
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from docs_layer.conditions import ALWAYS, NEVER, Every, Some, Within, every, negate, some
from docs_layer.intervals import HIGHEST, LOWEST, Cut, IntervalSet, between, complement, point, union
from docs_layer.key_encoding import component_encoder
from docs_layer.predicates import compile_predicate, describe
from docs_layer.values import ColumnShape

INT = ColumnShape("a", "int", nullable=True)
FLOAT = ColumnShape("a", "float", nullable=False)
DECIMAL = ColumnShape("a", "decimal", nullable=True)


class Row(NamedTuple):
    """A row of one column."""

    a: Any


def _cut(kind: str, value: Any, side: int) -> Cut:
    return Cut(component_encoder(kind)(value), side, value)


def _point(kind: str, value: Any) -> IntervalSet:
    return point(component_encoder(kind)(value), value)


def _holding(condition: Any, values: list[Any]) -> list[Any]:
    predicate = compile_predicate(condition)
    return [value for value in values if predicate is None or predicate(Row(value))]


@pytest.mark.parametrize(
    ("values", "holding"),
    [
        (between(_cut("float", 1.0, 0), HIGHEST), [1.0, math.inf, math.nan]),
        (between(_cut("float", 1.0, 1), HIGHEST), [math.inf, math.nan]),
        (between(LOWEST, _cut("float", math.nan, 0)), [-math.inf, -0.0, 1.0, math.inf]),
        (between(_cut("float", math.nan, 0), HIGHEST), [math.nan]),
        (_point("float", math.nan), [math.nan]),
        (complement(_point("float", math.nan)), [-math.inf, -0.0, 1.0, math.inf]),
        (_point("float", 0.0), [-0.0]),
    ],
)
def test_nan_is_above_every_number(values: IntervalSet, holding: list[float]) -> None:
    """Floats are compared with NaN equal to itself and highest."""
    floats = [-math.inf, -0.0, 1.0, math.inf, math.nan]
    assert repr(_holding(Within(FLOAT, values), floats)) == repr(holding)


def test_decimals_are_compared_by_value() -> None:
    """Trailing zeros make no difference, NaN has a place."""
    values = between(_cut("decimal", Decimal("1.10"), 0), HIGHEST)
    decimals = [None, Decimal("1.1"), Decimal(1), Decimal("NaN"), Decimal("1.100")]
    assert repr(_holding(Within(DECIMAL, values), decimals)) == repr([Decimal("1.1"), Decimal("NaN"), Decimal("1.100")])


@pytest.mark.parametrize(
    ("condition", "text", "holding"),
    [
        (ALWAYS, "true", [None, 1, 2, 3]),
        (NEVER, "false", []),
        (Within(INT, _point("int", 2)), "a = 2", [2]),
        (Within(INT, complement(_point("int", 2))), "a != 2", [None, 1, 3]),
        (Within(INT, union((_point("int", 1), _point("int", 3)))), "a in (1, 3)", [1, 3]),
        (Within(INT, between(LOWEST, _cut("int", 2, 0))), "a is null or a < 2", [None, 1]),
        (Some((Within(INT, _point("int", 1)), Every(()))), "a = 1 or true", [None, 1, 2, 3]),
    ],
)
def test_texts_and_functions_agree(condition: Any, text: str, holding: list[Any]) -> None:
    """What is shown is what is tested."""
    assert describe(condition) == text
    assert _holding(condition, [None, 1, 2, 3]) == holding


def test_many_constants_are_shortened() -> None:
    """A long list of values shows its beginning."""
    condition = Within(INT, union(_point("int", value) for value in range(20)))
    assert describe(condition) == "a in (0, 1, 2, 3, 4, ...)"


def test_conditions_are_merged() -> None:
    """Conjunctions keep one leaf for each column and find contradictions; negation is its own opposite."""
    one, two = Within(INT, _point("int", 1)), Within(INT, _point("int", 2))
    assert every([one, two]) == NEVER
    assert every([one, one]) == one
    assert every([one, negate(two)]) == one
    assert some([one, negate(one)]) == ALWAYS
    assert negate(negate(one)) == one
    assert some([]) == NEVER
    assert every([]) == ALWAYS
