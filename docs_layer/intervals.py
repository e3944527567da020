"""Sets of values of one column, as sorted disjoint intervals of encoded values.

Every condition on a single column is such a set, so `&`, `|` and `~` on one column are intersection, union and
complement, and the two-valued meaning of null needs no special case: null is the lowest value, order comparisons
leave it out, complements take it in. Values are compared by their ascending key bytes, so the order is the documented
one for every kind (NaN highest, -0.0 equal to 0.0). Immutable values and pure functions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from docs_layer.key_encoding import component_encoder


class Cut(NamedTuple):
    """A place between values: just before (`side` 0) or just behind (`side` 1) one of them.

    Attributes:
        encoded: The value as an ascending key component; FF above all values.
        side: 0 before it, 1 behind it.
        value: The value itself, for compiled predicates and explanations; equal encodings have equal values.
    """

    encoded: bytes
    side: int
    value: Any = None


LOWEST: Final = Cut(component_encoder("int")(None), 0)
"""Before null, which is the lowest value of every kind."""
HIGHEST: Final = Cut(b"\xff", 0)


class Interval(NamedTuple):
    """The values between two cuts; `low` is below `high`."""

    low: Cut
    high: Cut

    @property
    def is_point(self) -> bool:
        """Whether it holds exactly one value."""
        return self.low.encoded == self.high.encoded and self.low.side < self.high.side


IntervalSet = tuple[Interval, ...]
"""Sorted, disjoint, not touching."""

NOTHING: Final[IntervalSet] = ()
EVERYTHING: Final[IntervalSet] = (Interval(LOWEST, HIGHEST),)


def point(encoded: bytes, value: object) -> IntervalSet:
    """Return the set of one value."""
    return (Interval(Cut(encoded, 0, value), Cut(encoded, 1, value)),)


def between(low: Cut, high: Cut) -> IntervalSet:
    """Return the set of the values between two cuts, empty if they are not in order."""
    return (Interval(low, high),) if low < high else NOTHING


def union(sets: Iterable[IntervalSet]) -> IntervalSet:
    """Return the values that are in at least one of the sets."""
    merged: list[Interval] = []
    for interval in sorted((one for single in sets for one in single), key=lambda one: one.low):
        if merged and interval.low <= merged[-1].high:
            if interval.high > merged[-1].high:
                merged[-1] = Interval(merged[-1].low, interval.high)
        else:
            merged.append(interval)
    return tuple(merged)


def complement(values: IntervalSet) -> IntervalSet:
    """Return the values that are not in the set, null among them if it is not."""
    gaps: list[Interval] = []
    low = LOWEST
    for interval in values:
        if low < interval.low:
            gaps.append(Interval(low, interval.low))
        low = interval.high
    if low < HIGHEST:
        gaps.append(Interval(low, HIGHEST))
    return tuple(gaps)


def intersection(*sets: IntervalSet) -> IntervalSet:
    """Return the values that are in all of the sets."""
    if len(sets) == 1:
        return sets[0]
    return complement(union(map(complement, sets)))


def contains(values: IntervalSet, encoded: bytes) -> bool:
    """Return whether a value, given as an ascending component, is in the set. Reference for compiled predicates."""
    return any(one.low[:2] <= (encoded, 0) and (encoded, 1) <= one.high[:2] for one in values)
