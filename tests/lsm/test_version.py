"""Versions, edits and bounds."""

import copy

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsm.version import (
    BOUND_BYTES,
    Edit,
    EditConflictError,
    Version,
    apply_edit,
    empty_version,
    hull,
    shortened_largest,
    shortened_smallest,
)
from tests.lsm.level_pictures import LAST_SEQUENCE, picture, table, version

LEVELS = """
    0: 9:c-f 8:a-d 7:m-z+
    1: 4:a-c 5:f-h 6:k-z+
"""


@pytest.mark.parametrize(
    ("level", "start", "stop", "expected"),
    [
        (0, None, None, [9, 8, 7]),
        (0, b"d", b"e", [9, 8]),
        (0, b"d\0", b"e", [9]),
        (0, b"zz", None, [7]),
        (0, b"a", b"c", [8]),
        (1, None, None, [4, 5, 6]),
        (1, b"c", b"f", [4]),
        (1, b"c\0", b"f", []),
        (1, b"c\0", b"f\0", [5]),
        (1, b"i", b"k", []),
        (1, b"b", b"l", [4, 5, 6]),
        (1, b"zzz", None, [6]),
        (2, None, None, []),
    ],
)
def test_overlapping_finds_the_tables_of_a_range(
    level: int, start: bytes | None, stop: bytes | None, expected: list[int]
) -> None:
    """Start is included, stop is not; bounds of tables are inclusive; the order is that of the level."""
    assert [found.number for found in version(LEVELS).overlapping(level, start, stop)] == expected


def test_hull_holds_every_table() -> None:
    """The hull ends right behind the largest key, or nowhere."""
    assert hull([table("1:c-f"), table("2:a-d")]) == (b"a", b"f\0")
    assert hull([table("1:c-f"), table("2:a-d+")]) == (b"a", None)


def test_flushed_tables_become_the_newest_of_level_0() -> None:
    """Level 0 is in order of age, whatever the numbers are."""
    edit = Edit(added=((0, table("2:a-b")), (0, table("1:a-b"))), last_sequence=LAST_SEQUENCE + 5)

    after = apply_edit(version(LEVELS), edit)

    assert picture(after) == "0: 2 1 9 8 7; 1: 4 5 6"
    assert after.last_sequence == LAST_SEQUENCE + 5


def test_compaction_replaces_tables() -> None:
    """Inputs go, outputs stand where their keys say; the version that was given does not change."""
    before = version(LEVELS)

    after = apply_edit(
        before, Edit(removed=frozenset({9, 8, 4, 5}), added=((1, table("12:a-d")), (1, table("11:e-h"))))
    )

    assert picture(after) == "0: 7; 1: 12 11 6"
    assert after.last_sequence == LAST_SEQUENCE
    assert picture(before) == "0: 9 8 7; 1: 4 5 6"


def test_merge_within_level_0_keeps_the_place_in_age() -> None:
    """What replaces neighbours in level 0 is older than what was newer than them."""
    after = apply_edit(version(LEVELS), Edit(removed=frozenset({8, 7}), added=((0, table("12:a-z+")),)))

    assert picture(after) == "0: 9 12; 1: 4 5 6"


def test_moved_table_changes_its_level() -> None:
    """The same table removed and added moves."""
    after = apply_edit(version("1: 4:a-c 5:f-h"), Edit(removed=frozenset({5}), added=((2, table("5:f-h")),)))

    assert picture(after) == "1: 4; 2: 5"


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (Edit(removed=frozenset({99})), "tables [99] are gone"),
        (Edit(added=((1, table("12:c-d")),)), "table 12 begins before the end of table 4"),
        (Edit(added=((1, table("12:zz-zzz")),)), "table 12 begins before the end of table 6"),
        (Edit(added=((0, table("9:a-b")),)), "table 9 is listed twice"),
        (Edit(added=((4, table("12:a-b")),)), "there is no level 4"),
        (Edit(last_sequence=LAST_SEQUENCE - 1), "is older than"),
        (Edit(removed=frozenset({9, 7}), added=((0, table("12:a-z+")),)), "not neighbours in age"),
        (Edit(added=((0, msgspec.structs.replace(table("12:a-b"), last_sequence=LAST_SEQUENCE + 1)),)), "do not fit"),
    ],
)
def test_edit_for_another_version_is_refused(edit: Edit, reason: str) -> None:
    """Whatever does not fit is a conflict that says what is wrong."""
    with pytest.raises(EditConflictError) as caught:
        apply_edit(version(LEVELS), edit)

    assert reason in str(caught.value)
    assert copy.copy(caught.value).reason == caught.value.reason


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"smallest": b"x"}, "its largest key is before its smallest"),
        ({"size_bytes": -1}, "impossible number or count"),
        ({"tombstone_count": 11}, "impossible number or count"),
        ({"entry_count": 0}, "it is empty"),
        ({"last_sequence": LAST_SEQUENCE + 1}, "do not fit"),
        ({"first_sequence": LAST_SEQUENCE + 1}, "do not fit"),
    ],
)
def test_check_names_what_is_wrong_with_a_table(change: dict[str, object], problem: str) -> None:
    """Each broken invariant of a table is found on its own."""
    broken = msgspec.structs.replace(table("1:a-c"), **change)

    with pytest.raises(ValueError, match=f"table 1: .*{problem}"):
        Version(((broken,), ()), LAST_SEQUENCE).check()


def test_check_names_every_broken_invariant() -> None:
    """Level order, double tables, missing levels and a negative sequence are all listed."""
    with pytest.raises(ValueError, match=r"table 1 is listed twice; level 1: table 1 begins before the end of table 1"):
        Version(((), (table("1:a-c"), table("1:c-d"))), LAST_SEQUENCE).check()
    with pytest.raises(ValueError, match="there are no levels; last sequence -1 is negative"):
        Version((), -1).check()
    empty_version(3).check()


keys = st.binary(max_size=3) | st.binary(max_size=8).map(lambda tail: b"\xff" * (BOUND_BYTES - 4) + tail * 2)


@given(key=keys | st.binary(min_size=60, max_size=70))
def test_shortened_bounds_enclose_the_key(key: bytes) -> None:
    """The bounds are short unless the key has no short upper bound, and the key lies between them."""
    assert shortened_smallest(key) <= key <= shortened_largest(key)
    assert len(shortened_smallest(key)) <= BOUND_BYTES
    assert len(shortened_largest(key)) <= BOUND_BYTES or key.startswith(b"\xff" * BOUND_BYTES)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 6)), max_size=8), st.integers(0, 36), st.integers(0, 36))
def test_overlapping_equals_a_test_of_each_table(spans: list[tuple[int, int]], start: int, stop: int) -> None:
    """The binary search of deeper levels finds what asking every table finds."""
    tables = []
    end = -1
    for number, (low, width) in enumerate(sorted(spans), start=1):
        if low > end:
            end = low + width
            tables.append(table(f"{number}:{low:02}-{end:02}"))
    levels = Version(((), tuple(tables)), LAST_SEQUENCE)
    low_key, high_key = f"{start:02}".encode(), f"{stop:02}".encode()

    if low_key < high_key:
        expected = tuple(found for found in tables if found.overlaps(low_key, high_key))
        assert levels.overlapping(1, low_key, high_key) == expected
