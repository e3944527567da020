"""Plans: what must come along, what they carry for the job, and how broken ones are recognised."""

import msgspec
import pytest

from lsm.compaction.plan import LevelTables, Plan, broken_rules, closed_level0, gather, make_plan, plan_edit
from lsm.version import TableMetadata, Tables, Version, apply_edit
from tests.lsm.level_pictures import picture, show, version


def chosen(levels: Version, *numbers: int) -> Tables:
    """Return tables by number."""
    return tuple(table for table in levels.tables() if table.number in numbers)


def planned(levels: Version, level: int, numbers: list[int], output_level: int, small_bytes: int = 0) -> Plan:
    """Return the plan for tables of a level and all that comes along."""
    inputs = gather(levels, level, chosen(levels, *numbers), output_level, small_bytes=small_bytes)
    return make_plan(levels, inputs, output_level, reason="manual", table_bytes=4_000)


@pytest.mark.parametrize(
    ("level0", "numbers", "expected"),
    [
        ("4:a-c 3:b-d 2:d-f 1:x-z", [4], [4, 3, 2]),
        ("4:a-c 3:b-d 2:d-f 1:x-z", [3], [3, 2]),
        ("4:a-c 3:b-d 2:d-f 1:x-z", [1], [1]),
        ("4:a-c 3:x-z 2:c-x+ 1:m-m", [4], [4, 2, 1]),
        ("2:a-z 1:a-z", [1], [1]),
        ("2:a-c 1:d-f", [2], [2]),
    ],
)
def test_older_overlapping_tables_come_along(level0: str, numbers: list[int], expected: list[int]) -> None:
    """From level 0 each table takes every older one that it overlaps, and what those overlap; never a newer one."""
    levels = version("0: " + level0)

    assert [table.number for table in closed_level0(levels, chosen(levels, *numbers))] == expected


@pytest.mark.parametrize(
    ("level", "numbers", "output_level", "expected"),
    [
        (0, [9], 1, "0[9 8] 1[3 4]"),
        (0, [8], 1, "0[8] 1[4]"),
        (1, [4], 2, "1[4] 2[6]"),
        (1, [3, 4], 2, "1[3 4] 2[5 6]"),
        (0, [8], 3, "0[8] 1[4] 2[6] 3[7]"),
        (1, [3], 3, "1[3] 2[5] 3[7]"),
    ],
)
def test_everything_on_the_way_comes_along(level: int, numbers: list[int], output_level: int, expected: str) -> None:
    """In each level down to the output everything within the range so far; that may widen the range."""
    levels = version("0: 9:a-g 8:f-h\n 1: 3:a-c 4:e-k 2:m-z\n 2: 5:b-d 6:j-n\n 3: 7:a-z")
    plan = planned(levels, level, numbers, output_level)

    assert show(plan) == f"manual: {expected} -> {output_level}"
    assert broken_rules(levels, plan) == []


def test_plan_tells_the_job_what_lies_below() -> None:
    """Ranges of older tables, borders of the next level, and whether anything lies deeper at all."""
    levels = version("1: 1:c-p\n 2: 2:c-d*9\n 3: 3:a-b 4:c-f 5:g-h 6:r-z", level_count=5)

    plan = planned(levels, 1, [1], 2)

    assert plan.older == ((b"c", b"f\0"), (b"g", b"h\0"))
    assert [table.number for table in plan.next_level] == [4, 5]
    assert not plan.bottommost
    assert plan.size_bytes == 10_000
    assert plan.key_range == (b"c", b"p\0")
    assert planned(levels, 1, [1], 3).bottommost
    assert planned(levels, 1, [1], 4).next_level == ()


@pytest.mark.parametrize(
    ("levels", "numbers", "moves"),
    [
        ("1: 1:a-c 2:d-f", [1], True),
        ("1: 1:a-c 2:d-f", [1, 2], True),
        ("1: 1:a-c*0 2:d-f", [1, 2], False),
        ("1: 1:a-c*0 2:d-f", [1], True),
        ("1: 1:a-c/1 2:d-f", [1], False),
        ("1: 1:a-c~ 2:d-f", [1, 2], False),
        ("1: 1:a-c/1\n 3: 2:c-f", [1], True),
        ("1: 1:a-c\n 2: 2:c-f", [1], False),
    ],
)
def test_a_move_is_made_when_rewriting_gains_nothing(levels: str, numbers: list[int], moves: bool) -> None:
    """Not when there is something to merge with, a tombstone to drop, or several small tables to join."""
    found = version(levels)
    plan = planned(found, 1, numbers, 2)

    assert plan.trivial_move == moves
    assert broken_rules(found, plan) == []


def test_edit_of_a_move_takes_the_tables_down() -> None:
    """A moved table keeps its number; a rewritten one is replaced."""
    levels = version("1: 1:a-c 2:d-f\n 2: 3:g-h")
    moved = apply_edit(levels, plan_edit(planned(levels, 1, [1], 2), []))
    output = msgspec.structs.replace(levels.levels[1][1], number=9)
    rewritten = apply_edit(levels, plan_edit(planned(levels, 1, [2], 1), [output]))

    assert picture(moved) == "1: 2; 2: 1 3"
    assert picture(rewritten) == "1: 1 9; 2: 3"


def test_small_neighbours_join() -> None:
    """One on each side of the inputs in the output level, if it is small."""
    levels = version("1: 1:g-i\n 2: 2:a-b*0 3:c-d*0 4:g-h*9 5:j-k*0 6:l-m*0")

    assert show(planned(levels, 1, [1], 2, small_bytes=500)) == "manual: 1[1] 2[3 4 5] -> 2"
    assert show(planned(levels, 1, [1], 2)) == "manual: 1[1] 2[4] -> 2"


def parts(levels: Version, *numbers: int) -> tuple[LevelTables, ...]:
    """Return tables by number as inputs of a plan."""
    found = (
        LevelTables(level, tuple(t for t in tables if t.number in numbers))
        for level, tables in enumerate(levels.levels)
    )
    return tuple(part for part in found if part.tables)


LEVELS = "0: 9:a-g 8:f-h\n 1: 4:e-k\n 2: 6:j-n\n 3: 7:a-z"


@pytest.mark.parametrize(
    ("numbers", "output_level", "change", "expected"),
    [
        ([9, 8, 4], 1, {}, []),
        ([9, 4], 1, {}, ["O2: 8 is older than 9 and left behind"]),
        ([9, 8], 1, {}, ["O2: 4 is older than 9", "O2: 4 is older than 8", "O5: 4 lies between the outputs"]),
        ([8, 4], 2, {}, ["O2: 6 is older than 4", "O5: 6 lies between the outputs"]),
        ([9, 8, 4], 1, {"older": ()}, ["O6: 6 lies below", "O6: 7 lies below"]),
        ([9, 8, 4], 1, {"older": ((b"j", b"n\0"),)}, ["O6: 7 lies below"]),
        ([9, 8], 1, {"trivial_move": True}, ["O2: 4", "O2: 4", "O7: 9 and 8 overlap"]),
    ],
)
def test_broken_rules_are_named(
    numbers: list[int], output_level: int, change: dict[str, object], expected: list[str]
) -> None:
    """Each rule left out by hand gives a sentence."""
    levels = version(LEVELS)
    plan = make_plan(levels, parts(levels, *numbers), output_level, reason="manual", table_bytes=4_000)

    found = broken_rules(levels, msgspec.structs.replace(plan, **change))

    assert len(found) == len(expected)
    assert all(text.startswith(begin) for text, begin in zip(found, expected, strict=True))


def test_plan_for_another_version_is_noticed() -> None:
    """A table that is in another level by now is named."""
    levels = version(LEVELS)
    plan = make_plan(levels, parts(levels, 9, 8, 4), 1, reason="manual", table_bytes=4_000)
    table: TableMetadata = levels.levels[0][0]

    later = Version(((), (table,), *levels.levels[2:]), levels.last_sequence)

    assert "table 9 is not in level 0" in broken_rules(later, plan)
