"""Cutting a stream of entries into tables: borders, sizes, range tombstones, bounds, and what the properties say."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsm.compaction.outputs import OpenTable, Outputs, shortened_bounds
from lsm.compaction.plan import LevelTables, make_plan
from lsm.range_tombstones import flatten
from lsm.runs import Range, Run, Value
from lsm.sstable.properties import TableProperties
from lsm.sstable.writer import WrittenTable
from lsm.version import BOUND_BYTES, TableMetadata
from tests.lsm.level_pictures import version

ENTRY_BYTES = 100


class CountingWriter:
    """A writer that keeps what it is given; every entry takes 100 bytes."""

    def __init__(self) -> None:
        self.keys: list[bytes] = []
        self.ranges: list[Range] = []
        self.properties: TableProperties | None = None

    @property
    def size_bytes(self) -> int:
        """Bytes so far."""
        return len(self.keys) * ENTRY_BYTES

    def add(self, keys: Sequence[bytes], values: Sequence[Value]) -> None:
        """Keep the keys."""
        self.keys += keys

    def add_range_tombstones(self, ranges: Sequence[Range]) -> None:
        """Keep the ranges."""
        self.ranges += ranges

    def finish(self, properties: TableProperties) -> WrittenTable:
        """Report exact bounds, as the real writer does."""
        self.properties = properties
        last = self.keys[-1] if self.keys else b""
        stop = self.ranges[-1][1] if self.ranges else b""
        excluded = stop is not None and stop > last
        smallest = min([*self.keys[:1], *(start for start, _ in self.ranges[:1])])
        largest = stop if stop is None or excluded else last
        return WrittenTable(self.size_bytes, len(self.keys), 0, len(self.ranges), smallest, largest, excluded)


def cut(
    picture: str, runs: Sequence[Run], ranges: Sequence[Range] = (), *, table_bytes: int = 1_000
) -> tuple[list[CountingWriter], list[TableMetadata]]:
    """Write runs as the outputs of a compaction of all of level 1 of a picture into level 2."""
    levels = version(picture)
    inputs = [LevelTables(level, levels.levels[level]) for level in (1, 2)]
    plan = make_plan(levels, inputs, 2, reason="manual", table_bytes=table_bytes)
    writers: list[CountingWriter] = []

    def open_table() -> OpenTable:
        writers.append(CountingWriter())
        return OpenTable(len(writers), 0, writers[-1])

    outputs = Outputs(plan, flatten(ranges), open_table, 7)
    for run in runs:
        outputs.add(run)
    return writers, outputs.finish()


def entries(*keys: str) -> Run:
    """Return a run with these keys."""
    return [key.encode() for key in keys], [b"" for _ in keys]


def shown(writers: Sequence[CountingWriter]) -> list[str]:
    """Return the keys of each output."""
    return [b" ".join(writer.keys).decode() for writer in writers]


@pytest.mark.parametrize(
    ("picture", "table_bytes", "keys", "expected"),
    [
        pytest.param("1: 1:a-z", 300, "a b c d e f g", ["a b c", "d e f", "g"], id="by size alone"),
        pytest.param("1: 1:a-z", 300, "a b c", ["a b c"], id="nothing is left over"),
        pytest.param("1: 1:a-z", 300, "", [], id="nothing at all"),
        pytest.param("1: 1:a-z\n 3: 2:a-c 3:e-g", 2_000, "a b c d e f g h", ["a b c d e f g h"], id="too small to cut"),
        pytest.param("1: 1:a-z\n 3: 2:a-c 3:e-g", 500, "a b c d e f g h", ["a b c", "d e f g", "h"], id="at borders"),
        pytest.param("1: 1:a-z\n 3: 2:a-g 3:n-z", 400, "a b c d e f g h", ["a b c d e f g", "h"], id="borders first"),
        pytest.param("1: 1:a-z\n 3: 2:a-r", 300, "a b c d e f g", ["a b c d e f", "g"], id="but not beyond twice"),
        pytest.param("1: 1:a-z\n 3: 2:a-a 3:b-b 4:c-c 5:d-d", 600, "a b c d", ["a b c d"], id="many borders, fuller"),
        pytest.param(
            "1: 1:a-z\n 3: 2:a-a*9 3:b-b*9 4:c-c*9 5:d-d*9", 600, "a b c d", ["a b", "c d"], id="much overlap below"
        ),
        pytest.param("1: 1:c-z\n 3: 2:a-c*99", 1_000, "d e", ["d e"], id="a border before the first entry"),
        pytest.param("1: 1:a-c\n 3: 2:a-z+", 200, "a b c", ["a b", "c"], id="a border without an end"),
    ],
)
def test_entries_are_cut(picture: str, table_bytes: int, keys: str, expected: list[str]) -> None:
    """At borders of the next level when half full, at the latest at twice the size; without borders at the size."""
    runs = [entries(key) for key in keys.split()]

    assert shown(cut(picture, runs, table_bytes=table_bytes)[0]) == expected


def test_a_run_is_split_at_borders() -> None:
    """One run over many borders gives the same as single entries."""
    picture = "1: 1:a-z\n 3: 2:a-c 3:e-g"

    assert shown(cut(picture, [entries(*"abcdefgh")], table_bytes=500)[0]) == ["a b c", "d e f g", "h"]


def test_range_tombstones_are_cut_with_the_entries() -> None:
    """Each output has its part of a range, and the bounds of the outputs do not touch."""
    writers, tables = cut("1: 1:a-z\n 3: 2:a-c 3:e-g", [entries(*"abcdefgh")], [(b"b", b"fx")], table_bytes=500)

    assert shown(writers) == ["a b c", "d e f g", "h"]
    assert [writer.ranges for writer in writers] == [[(b"b", b"c\0")], [(b"e", b"fx")], []]
    assert [(table.smallest, table.largest) for table in tables] == [(b"a", b"c"), (b"d", b"g"), (b"h", b"h")]


def test_range_tombstones_without_entries_are_outputs_of_their_own() -> None:
    """They are cut at borders by how much they overlap, and reach no further than what they hide."""
    picture = "1: 1:a-z\n 3: 2:b-c*9 3:e-f*9 4:h-i*9 5:k-l*9 6:n-n*9"
    writers, tables = cut(picture, [], [(b"a", b"z")], table_bytes=600)

    assert [writer.ranges for writer in writers] == [[(b"b", b"f\0")], [(b"h", b"l\0")], [(b"n", b"n\0")]]
    assert [(table.smallest, table.largest) for table in tables] == [(b"b", b"f"), (b"h", b"l"), (b"n", b"n")]


def test_range_tombstones_with_nothing_below_are_dropped() -> None:
    """What hides nothing is not written, whether entries stand beside it or not."""
    writers, tables = cut("1: 1:a-z\n 3: 2:t-u", [entries("b")], [(b"a", b"c"), (b"f", b"k")])

    assert shown(writers) == ["b"]
    assert [writer.ranges for writer in writers] == [[]]
    assert len(tables) == 1


def test_a_range_without_end_reaches_to_the_end_of_what_lies_below() -> None:
    """Its output has an upper bound if the tables below have one."""
    _, bounded = cut("1: 1:a-z+\n 3: 2:t-u", [], [(b"a", None)])
    _, unbounded = cut("1: 1:a-z+\n 3: 2:t-u+", [], [(b"a", None)])

    assert [(table.smallest, table.largest) for table in bounded] == [(b"t", b"u")]
    assert [(table.smallest, table.largest) for table in unbounded] == [(b"t", None)]


def test_properties_tell_which_edit_made_the_outputs() -> None:
    """Each output knows its place; the last one knows how many there are."""
    writers, tables = cut("1: 1:a-c 2:d-z\n 2: 3:b-e", [entries(key) for key in "abcdefg"], table_bytes=300)

    edits = [writer.properties.edit for writer in writers if writer.properties is not None]
    assert [(edit.output_index, edit.output_count, edit.place) for edit in edits] == [(0, 0, 0), (1, 0, 1), (2, 3, 2)]
    assert {(edit.manifest_number, edit.level, edit.consumed_tables) for edit in edits} == {(7, 2, (1, 2, 3))}
    assert [table.number for table in tables] == [1, 2, 3]
    assert {(table.first_sequence, table.last_sequence, table.level_at_creation) for table in tables} == {(1, 1000, 2)}


parts = st.sampled_from([b"", b"\0", b"\1", b"a", b"\xff", b"q" * 63, b"q" * 64, b"q" * 200, b"\xff" * 64])
long_keys = st.lists(parts, min_size=1, max_size=4).map(b"".join)


@given(keys=st.sets(long_keys, min_size=2, max_size=12).map(sorted), unbounded=st.booleans())
def test_shortened_bounds_enclose_and_stay_apart(keys: list[bytes], unbounded: bool) -> None:
    """Whatever keys have in common, the bounds enclose the tables, stay disjoint and within the inputs."""
    keys = keys[: len(keys) // 2 * 2]
    bounds: list[tuple[bytes, bytes | None]] = list(zip(keys[::2], keys[1::2], strict=True))
    stop = None if unbounded else keys[-1] + b"\0"
    if unbounded:
        bounds[-1] = (bounds[-1][0], None)

    short = shortened_bounds(bounds, (keys[0], stop))

    for (low, high), (smallest, largest) in zip(short, bounds, strict=True):
        assert low <= smallest
        assert high is None if largest is None else high is not None and high >= largest
    assert all(high is not None and high < low for (_, high), (low, _) in pairwise(short))
    assert short[0][0] >= keys[0]
    assert stop is None or (short[-1][1] or b"") < stop


def test_bounds_are_short_where_keys_differ_early() -> None:
    """Long keys make long bounds only where neighbours share a long beginning."""
    keys = [b"%d" % digit + b"x" * 60_000 for digit in range(4)]
    twins = [b"t" * 500 + b"%d" % digit + b"x" * 60_000 for digit in range(2)]

    plain = shortened_bounds([(keys[0], keys[1]), (keys[2], keys[3])], (b"", None))
    close = shortened_bounds([(keys[0], twins[0]), (twins[1], None)], (b"", None))

    assert max(len(bound or b"") for pair in plain for bound in pair) <= BOUND_BYTES
    assert max(len(bound or b"") for pair in close for bound in pair) <= 1_024
