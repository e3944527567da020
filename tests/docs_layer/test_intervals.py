"""Sets of values: the algebra of sets, whatever the intervals."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from docs_layer.intervals import (
    EVERYTHING,
    HIGHEST,
    LOWEST,
    NOTHING,
    Cut,
    Interval,
    IntervalSet,
    between,
    complement,
    contains,
    intersection,
    point,
    union,
)
from docs_layer.key_encoding import component_encoder

ENCODE = component_encoder("int")
VALUES: list[int | None] = [None, *range(6)]
CUTS = st.builds(
    lambda value, side: Cut(ENCODE(value), side, value), st.sampled_from(VALUES), st.integers(0, 1)
) | st.sampled_from([LOWEST, HIGHEST])
SETS = st.lists(st.builds(between, CUTS, CUTS), max_size=4).map(union)


def _members(values: IntervalSet) -> set[int | None]:
    return {value for value in VALUES if contains(values, ENCODE(value))}


@given(SETS, SETS)
def test_operations_are_those_of_sets(left: IntervalSet, right: IntervalSet) -> None:
    """Union, intersection and complement hold the values that sets would hold."""
    assert _members(union((left, right))) == _members(left) | _members(right)
    assert _members(intersection(left, right)) == _members(left) & _members(right)
    assert _members(complement(left)) == set(VALUES) - _members(left)


@given(SETS)
def test_sets_stay_sorted_and_disjoint(values: IntervalSet) -> None:
    """Intervals never touch or overlap, so equal sets are equal values."""
    assert all(one.low < one.high for one in values)
    assert all(first.high < second.low for first, second in pairwise(values))
    assert complement(complement(values)) == values
    assert union((values, complement(values))) == EVERYTHING
    assert intersection(values, complement(values)) == NOTHING


def test_points_are_known_as_such() -> None:
    """One value is a point; anything wider, or between two values, is not."""
    (single,) = point(ENCODE(3), 3)
    assert single.is_point
    assert not Interval(LOWEST, HIGHEST).is_point
    assert not Interval(Cut(ENCODE(3), 0), Cut(ENCODE(4), 0)).is_point
    assert between(Cut(ENCODE(4), 0), Cut(ENCODE(3), 1)) == NOTHING
