"""The documented order of values, written as a Python sort key, and strategies that draw values of each kind.

It shares nothing with the encoding: numbers are compared as exact fractions, text as lists of code points.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

TYPE_RANKS = ((bool,), (int, float, Decimal), (str,), (bytes,))
ORDERED_LIKE_PYTHON = (datetime, date, time, timedelta, UUID)


def number_key(value: float | Decimal) -> tuple[int, Fraction]:
    """Give a key that orders numbers by exact value, infinities outside, NaN highest."""
    if value.is_nan() if isinstance(value, Decimal) else value != value:  # noqa: PLR0124 - the cheapest test
        return 2, Fraction(0)
    if value in (math.inf, -math.inf):
        return (1 if value > 0 else -1), Fraction(0)
    return 0, Fraction(value)


def type_rank(value: object) -> int:
    """Give the place of a value's type in the order of a schemaless column."""
    for rank, types in enumerate(TYPE_RANKS):
        if isinstance(value, types):
            return rank
    if isinstance(value, datetime):
        return 10 if value.tzinfo else 11
    for rank, kind in enumerate((date, time, timedelta, UUID, list, dict)):
        if isinstance(value, kind):
            return 12 + rank
    raise TypeError(type(value))


def items_in_order(value: dict[Any, Any]) -> list[Any]:
    """Give the keys and values of a dict as one list, in the order of the keys."""
    items = sorted(value.items(), key=lambda item: documented_key(item[0]))
    return [part for item in items for part in item]


def compare(left: Any, right: Any) -> int:
    """Compare two values or nulls in the documented order: negative, zero or positive."""
    if left is None or right is None:
        return (left is not None) - (right is not None)
    ranks = type_rank(left), type_rank(right)
    if ranks[0] != ranks[1]:
        return ranks[0] - ranks[1]
    if isinstance(left, dict):
        left, right = items_in_order(left), items_in_order(right)
    if isinstance(left, list):
        for one, other in zip(left, right, strict=False):
            if difference := compare(one, other):
                return difference
        return len(left) - len(right)
    if isinstance(left, (int, float, Decimal)):
        left, right = number_key(left), number_key(right)
    if isinstance(left, str):
        left, right = [ord(letter) for letter in left], [ord(letter) for letter in right]
    return int(left > right) - int(left < right)


def compare_tuples(left: Sequence[object], right: Sequence[object], descending: Sequence[bool]) -> int:
    """Compare two tuples component by component, each in its direction."""
    for one, other, backward in zip(left, right, descending, strict=True):
        if difference := compare(one, other):
            return -difference if backward else difference
    return 0


documented_key = functools.cmp_to_key(compare)

INTS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats() | st.sampled_from([0.0, -0.0, 5e-324, -5e-324, 1.5, 2.0**53])
DECIMALS = st.decimals(allow_nan=False) | st.sampled_from(
    [
        Decimal(text)
        for text in ("0.1", "0.10", "-0.1", "1e400", "-1e400", "1e-400", "-1e-400", "NaN", "sNaN", "-0", "99.5")
    ]
)
# Few letters, so that one string is often the beginning of another.
TEXTS = st.text(st.sampled_from("\0\x01a\x7f\x80\uffff\U0010ffff"), max_size=5) | st.text(max_size=8)
BINARIES = st.lists(st.sampled_from([0, 1, 2, 16, 239, 254, 255]), max_size=5).map(bytes) | st.binary(max_size=8)
ZONES = st.sampled_from([UTC, timezone(timedelta(hours=14)), timezone(timedelta(hours=-12, minutes=-30))])
AWARE = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=ZONES)  # noqa: DTZ001 - the zone is drawn
NUMBERS = (
    st.integers()
    | FLOATS
    | DECIMALS
    | st.integers(2**53 - 4, 2**53 + 4)
    | st.integers(-(2**64) - 4, -(2**64) + 4)
    | st.sampled_from([10**400, -(10**400), 10**400 + 1, 2**1023, 2**1024, -(2**1024)])
)
SCALARS = (
    NUMBERS
    | TEXTS
    | BINARIES
    | st.booleans()
    | AWARE
    | st.datetimes()
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.uuids()
    | st.none()
)

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "int": INTS | st.integers(-3, 3),
    "float": FLOATS,
    "decimal": DECIMALS,
    "str": TEXTS,
    "bytes": BINARIES,
    "bool": st.booleans(),
    "datetime": AWARE,
    "datetime_naive": st.datetimes(),
    "date": st.dates(),
    "time": st.times(),
    "timedelta": st.timedeltas(),
    "uuid": st.uuids(),
    "any": st.recursive(
        SCALARS, lambda item: st.lists(item, max_size=3) | st.dictionaries(TEXTS, item, max_size=2), max_leaves=4
    ),
}


def component_values(kind: str) -> st.SearchStrategy[Any]:
    """Give a strategy for values of a kind and null."""
    return st.none() | VALUES[kind]


COMPONENT = st.tuples(st.sampled_from(sorted(VALUES)), st.booleans())
"""Kind and direction of one component."""
