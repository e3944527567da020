"""Leveled picks, from pictures of levels to expected plans."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsm.compaction.leveled import level_scores, level_targets, next_cursors, output_table_bytes, pick
from lsm.compaction.plan import broken_rules, plan_edit
from lsm.options import Options
from lsm.version import TableMetadata, Version, apply_edit
from tests.lsm.level_pictures import LAST_SEQUENCE, show, version

OPTIONS = Options(table_bytes=8_000, level_base_bytes=10_000, level_ratio=10, level_count=4, level0_compact_tables=2)


@pytest.mark.parametrize(
    ("levels", "base_level", "targets"),
    [
        ("", 3, []),
        ("3: 1:a-z*99", 3, []),
        ("3: 1:a-z*120", 2, [10_800]),
        ("3: 1:a-z*1000", 2, [90_000]),
        ("3: 1:a-z*1200", 1, [10_800, 108_000]),
        ("3: 1:a-z*100000", 1, [900_000, 9_000_000]),
        ("2: 1:a-z*1", 2, [10_000]),
        ("1: 1:a-z*1", 1, [10_000, 10_000]),
        ("0: 1:a-z*5000", 3, []),
    ],
)
def test_targets_are_computed_backwards_from_the_data(levels: str, base_level: int, targets: list[int]) -> None:
    """A level comes into use when its target reaches the least size, and stays in use while it holds tables."""
    found = level_targets(version(levels), OPTIONS)

    assert found.base_level == base_level
    assert list(found.target_bytes[base_level:3]) == targets


def test_tables_double_with_each_level_from_the_base_level_on() -> None:
    """So the number of files grows slower than the data."""
    targets = level_targets(version("3: 1:a-z*1200"), OPTIONS)

    assert [output_table_bytes(OPTIONS, targets, level) for level in (1, 2, 3)] == [8_000, 16_000, 32_000]


def test_scores_put_the_most_urgent_level_first() -> None:
    """Level 0 counts tables, others bytes against their target, in which a tombstone counts as one more entry."""
    levels = version("0: 5:a-b\n 1: 4:a-c*10/5\n 2: 3:a-c*20\n 3: 2:a-z*1200")

    assert level_scores(levels, OPTIONS) == [
        (pytest.approx(15 / 11, rel=0.05), 1),
        (0.5, 0),
        (pytest.approx(0.18, rel=0.05), 2),
    ]


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        pytest.param("", "nothing", id="empty"),
        pytest.param("0: 1:a-z", "nothing", id="one flush"),
        pytest.param("0: 2:a-z 1:a-z", "level 0: 0[2 1] -> 3", id="two flushes into the last level"),
        pytest.param("0: 2:a-c 1:d-f*4", "level 0: 0[1] => 3", id="what lies apart is moved"),
        pytest.param("0: 2:a-c*4 1:d-f*4", "level 0: 0[2 1] => 3", id="several at once"),
        pytest.param("0: 3:a-d*4 2:c-f*4 1:d-d", "level 0: 0[3 2 1] -> 3", id="no move past an older one"),
        pytest.param("0: 3:a-d*4 2:c-f*4 1:x-x", "level 0: 0[2] => 3", id="the older of two that overlap moves"),
        pytest.param("0: 2:a-c*4/1 1:d-f*4~", "level 0: 0[2 1] -> 3", id="tombstones are dropped, not moved"),
        pytest.param("0: 2:a-c 1:d-f\n 3: 7:a-z*99", "level 0: 0[2 1] 3[7] -> 3", id="small tables are joined"),
        pytest.param(
            "0: 4:a-c*4 3:p-r*4 2:b-d 1:c-e*4\n 3: 7:a-z*9",
            "level 0: 0[4 2 1] 3[7] -> 3",
            id="what is connected to the oldest goes together",
        ),
        pytest.param("0: 2:g-h 1:i-j\n 3: 7:c-d 8:x-y*9", "level 0: 0[2 1] 3[7] -> 3", id="a small neighbour joins"),
        pytest.param("0: 2:g-h 1:i-j\n 3: 7:c-d*9 8:x-y", "level 0: 0[2 1] 3[8] -> 3", id="also the one behind"),
        pytest.param(
            "0: 2:a-b 1:a-b\n 2: 5:x-y*9\n 3: 7:a-z*9", "level 0: 0[2 1] -> 2", id="never past a filled level"
        ),
        pytest.param(
            "2: 4:a-c*6 5:d-f*6\n 3: 6:a-b*60 7:c-d*9 8:e-z*50",
            "size: 2[5] 3[7 8] -> 3",
            id="the least rewriting for each byte",
        ),
        pytest.param("2: 4:a-c*6 5:d-f*8\n 3: 8:g-z*50", "size: 2[4 5] => 3", id="a move costs nothing"),
        pytest.param("2: 4:a-b*6 5:c-d 6:e-f 7:g-h\n 3: 8:a-z*50", "nothing", id="a level just below its target waits"),
        pytest.param(
            "2: 4:a-b*7 5:c-d 6:e-f 7:g-h\n 3: 8:a-a*90 9:d-g*9",
            "size: 2[5 6 7] 3[9] -> 3",
            id="neighbours come along for free",
        ),
        pytest.param(
            "2: 4:a-b*7 5:c-d*1 6:e-f*1 7:g-h*1\n 3: 8:a-a*50",
            "size: 2[5 6 7] -> 3",
            id="small tables are joined where nothing overlaps",
        ),
        pytest.param("1: 4:a-c*4/5\n 3: 7:a-z*9", "tombstones: 1[4] => 2", id="tombstones sink"),
        pytest.param("2: 4:a-c*4/5\n 3: 7:a-z*9", "tombstones: 2[4] 3[7] -> 3", id="and meet what they hide"),
        pytest.param("2: 4:a-c*4/5\n 3: 7:x-z*9", "tombstones: 2[4] -> 3", id="or are dropped"),
        pytest.param("2: 4:a-c*4/4\n 3: 7:a-z*9", "nothing", id="a few tombstones wait"),
    ],
)
def test_pick(levels: str, expected: str) -> None:
    """A picture of levels gives this plan, which keeps all rules of order."""
    found = version(levels)
    plan = pick(found, OPTIONS, {})

    assert show(plan) == expected
    assert plan is None or broken_rules(found, plan) == []


def test_cursor_goes_round_among_equals() -> None:
    """Equally good tables are taken in turn, beginning anew after the last."""
    levels = version("2: 4:a-c*6 5:d-f*6 6:g-i*6\n 3: 7:a-c*9 8:d-f*9 9:g-i*9")
    cursors: dict[int, bytes] = {}
    order = []
    for _ in range(4):
        plan = pick(levels, OPTIONS, cursors)
        assert plan is not None
        order.append(plan.inputs[0].tables[0].number)
        cursors = next_cursors(cursors, plan)

    assert order == [4, 5, 6, 4]


def test_a_growing_window_stops_at_the_size_of_a_table() -> None:
    """Free neighbours come along only as long as the output stays one table or so."""
    levels = version("2: 4:a-a*7 5:b-b*7 6:c-c*7 7:d-d*7\n 3: 9:x-z*50")

    plan = pick(levels, OPTIONS, {})

    assert show(plan) == "size: 2[4 5] => 3"


def outcome(table: TableMetadata, level: int, number: int, drops: bool) -> TableMetadata:
    """Return the table that stands for what a job makes of its inputs, all of them as one."""
    return TableMetadata(
        number=number,
        identity=number,
        size_bytes=table.size_bytes,
        smallest=table.smallest,
        largest=table.largest,
        entry_count=table.entry_count,
        tombstone_count=0 if drops else table.tombstone_count,
        range_tombstone_count=0 if drops else table.range_tombstone_count,
        first_sequence=1,
        last_sequence=LAST_SEQUENCE,
        level_at_creation=level,
    )


tables_of_level_0 = st.lists(
    st.tuples(st.integers(0, 20), st.integers(0, 6), st.integers(1, 9), st.integers(0, 10)), min_size=1, max_size=12
)


@given(tables_of_level_0)
def test_picking_comes_to_an_end(spans: list[tuple[int, int, int, int]]) -> None:
    """From any level 0, picks and their outcomes lead to a version that needs nothing, by plans that keep the rules."""
    words = (
        f"{number}:{low:02}-{low + width:02}*{units}/{tombstones}"
        for number, (low, width, units, tombstones) in enumerate(spans, start=1)
    )
    levels = version("0: " + " ".join(words))
    for number in range(100, 300):
        plan = pick(levels, OPTIONS, {})
        if plan is None:
            break
        assert broken_rules(levels, plan) == []
        start, stop = plan.key_range
        largest = outcome(
            max(plan.tables(), key=lambda table: table.size_bytes), plan.output_level, number, not plan.older
        )
        merged = replaced(largest, start, stop, sum(table.size_bytes for table in plan.tables()))
        levels = apply_edit(levels, plan_edit(plan, [merged]))

    assert pick(levels, OPTIONS, {}) is None
    assert sum(level == 0 for _, level in level_scores(levels, OPTIONS)) == 1
    assert len(levels.levels[0]) < OPTIONS.level0_compact_tables


def replaced(table: TableMetadata, start: bytes, stop: bytes | None, size_bytes: int) -> TableMetadata:
    """Return the table with other bounds and size."""
    return TableMetadata(
        number=table.number,
        identity=table.identity,
        size_bytes=size_bytes,
        smallest=start,
        largest=None if stop is None else stop[:-1],
        entry_count=table.entry_count,
        tombstone_count=table.tombstone_count,
        range_tombstone_count=table.range_tombstone_count,
        first_sequence=table.first_sequence,
        last_sequence=table.last_sequence,
        level_at_creation=table.level_at_creation,
    )


def test_two_levels_are_enough() -> None:
    """With one level below level 0 that is the base level and the last."""
    options = Options(level_count=2, level0_compact_tables=1, table_bytes=4_000)
    levels: Version = version("0: 2:a-c\n 1: 1:a-z*9", level_count=2)

    assert show(pick(levels, options, {})) == "level 0: 0[2] 1[1] -> 1"
