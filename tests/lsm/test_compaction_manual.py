"""Manual compaction: step by step into the last level."""

import msgspec
import pytest

from lsm.compaction.manual import RangeWork, plan_range
from lsm.compaction.plan import broken_rules, plan_edit
from lsm.options import Options
from lsm.version import TableMetadata, Version, apply_edit
from tests.lsm.level_pictures import LAST_SEQUENCE, picture, show, version

OPTIONS = Options(table_bytes=4_000, level_base_bytes=10_000, level_count=4)


def merged(version: Version, numbers: set[int], number: int) -> TableMetadata:
    """Return one table over all of `numbers`, without tombstones."""
    tables = [table for table in version.tables() if table.number in numbers]
    largest = None if any(table.largest is None for table in tables) else max(table.largest or b"" for table in tables)
    return msgspec.structs.replace(
        tables[0],
        number=number,
        smallest=min(table.smallest for table in tables),
        largest=largest,
        entry_count=10,
        tombstone_count=0,
        range_tombstone_count=0,
        last_sequence=LAST_SEQUENCE,
    )


def steps(levels: Version, start: bytes | None, stop: bytes | None) -> tuple[list[str], Version]:
    """Run a manual compaction, with one output a step, numbered from 101; return its plans and the last version."""
    work: RangeWork | None = RangeWork(start=start, stop=stop)
    shown = []
    number = 100
    while work is not None:
        step = plan_range(levels, OPTIONS, work)
        if step is None:
            break
        assert broken_rules(levels, step.plan) == []
        number += 1
        output = merged(levels, {table.number for table in step.plan.tables()}, number)
        levels = apply_edit(levels, plan_edit(step.plan, [output]))
        shown.append(show(step.plan).removeprefix("manual: "))
        work = step.rest
    return shown, levels


@pytest.mark.parametrize(
    ("levels", "start", "stop", "expected"),
    [
        pytest.param("", None, None, [], id="nothing there"),
        pytest.param("3: 1:a-c 2:d-f", None, None, [], id="nothing to do"),
        pytest.param("0: 2:a-f 1:c-z\n 3: 3:a-z", None, None, ["0[2 1] 3[3] -> 3"], id="level 0"),
        pytest.param(
            "0: 2:a-f 1:c-z\n 2: 4:b-d 5:p-q\n 3: 3:a-z",
            None,
            None,
            ["0[2 1] 2[4 5] -> 2", "2[101] 3[3] -> 3"],
            id="level 0 into the base level first",
        ),
        pytest.param(
            "1: 1:a-b\n 2: 2:a-d 3:k-l 4:x-z\n 3: 5:c-e 6:f-h 7:k-m 8:p-q",
            None,
            None,
            ["1[1] 2[2] 3[5] -> 3", "2[3] 3[7] -> 3", "2[4] => 3"],
            id="all levels at once, from left to right",
        ),
        pytest.param(
            "2: 1:a-a 2:b-b 3:c-c 4:k-k\n 3: 5:a-d*50",
            None,
            None,
            ["2[1 2 3] 3[5] -> 3", "2[4] => 3"],
            id="a table of the last level is rewritten once",
        ),
        pytest.param("3: 1:a-b/1 2:c-d 3:e-f~", None, None, ["3[1] -> 3", "3[3] -> 3"], id="tombstones are dropped"),
        pytest.param("2: 1:a-b 2:d-e 3:g-h", b"c", b"g", ["2[2] => 3"], id="only the range"),
        pytest.param("2: 1:a-b 2:d-e 3:g-h", b"e", b"f", ["2[2] => 3"], id="what reaches into the range"),
        pytest.param("2: 1:a-z\n 3: 2:c-d 3:y-z+", b"m", None, ["2[1] 3[2 3] -> 3"], id="to the end"),
        pytest.param("0: 1:a-b\n 2: 2:d-e", b"d", None, ["2[2] => 3"], id="level 0 elsewhere stays"),
        pytest.param("2: 1:d-e", b"x", b"c", [], id="an empty range"),
    ],
)
def test_steps(levels: str, start: bytes | None, stop: bytes | None, expected: list[str]) -> None:
    """A picture of levels and a range give these steps; afterwards the range lies in the last level alone."""
    before = version(levels)
    shown, after = steps(before, start, stop)

    assert shown == expected
    again, _ = steps(after, start, stop)
    assert again == []


def test_what_is_written_behind_the_sweep_is_left() -> None:
    """A table that arrives where the sweep has been does not make it go on for ever."""
    levels = version("2: 1:a-b 2:x-y\n 3: 3:a-c 4:x-z")
    step = plan_range(levels, OPTIONS, RangeWork())
    assert step is not None
    assert step.rest is not None

    later = version("0: 9:a-z\n 2: 8:a-b 2:x-y\n 3: 4:x-z")
    following = plan_range(later, OPTIONS, step.rest)

    assert following is not None
    assert show(following.plan) == "manual: 2[2] 3[4] -> 3"
    assert picture(later) == "0: 9; 2: 8 2; 3: 4"
