"""Table sets: age decides, bounds are respected, files stay open, and long deleted stretches are not read."""

import pytest

from lsm.errors import CorruptionError, MissingFileError
from lsm.filenames import table_name
from lsm.merging import merge
from lsm.runs import MISSING, Range, Value
from lsm.sstable.reader import TableReader
from lsm.tables import TableSet, no_tables, open_tables
from lsm.version import TableMetadata, Version
from tests.lsm.table_files import entries_run, new_cache, new_directory, write_table


@pytest.fixture
def table_set() -> TableSet:
    """Two overlapping tables in level 0, two disjoint ones in level 1, one in level 3."""
    directory = new_directory()

    def table(number: int, entries: dict[bytes, Value], *ranges: Range, level: int = 0) -> TableMetadata:
        return write_table(directory, number, [entries_run(entries)] if entries else [], ranges, level=level)

    newest = table(9, {b"c": b"9", b"d": None}, (b"k", b"n"))
    older = table(8, {b"a": b"8", b"c": b"8", b"d": b"8", b"l": b"8"})
    left = table(3, {b"a": b"3", b"b": b"3", b"e": b"3"}, level=1)
    right = table(4, {b"m": b"4", b"o": b"4"}, (b"x", None), level=1)
    bottom = table(1, {b"f": b"1", b"l": b"1", b"p": b"1", b"y": b"1"}, level=3)
    version = Version(((newest, older), (left, right), (), (bottom,)), 1)
    return open_tables(directory, version, new_cache())


ANSWERS = {
    b"a": b"8",
    b"b": b"3",
    b"c": b"9",
    b"d": None,
    b"e": b"3",
    b"f": b"1",
    b"g": MISSING,
    b"k": None,
    b"l": None,
    b"m": None,
    b"n": MISSING,
    b"o": b"4",
    b"p": b"1",
    b"x": None,
    b"y": None,
    b"zz": None,
    b"": MISSING,
}


@pytest.mark.parametrize(("key", "expected"), ANSWERS.items())
def test_the_newest_table_that_speaks_has_the_answer(table_set: TableSet, key: bytes, expected: object) -> None:
    """Level 0 in its order, then deeper levels; entries, tombstones and ranges, also one without end."""
    assert table_set.get(key) == expected


def test_many_keys_are_answered_as_one_by_one(table_set: TableSet) -> None:
    """`multi_get` keeps the order and repeats."""
    keys = [*ANSWERS, b"c", b"a"]

    assert table_set.multi_get(keys) == [ANSWERS[key] for key in keys]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("start", "stop"), [(None, None), (b"b", b"m"), (b"l", None), (None, b"c"), (b"q", b"x")])
def test_sources_merge_to_the_live_entries(
    table_set: TableSet, start: bytes | None, stop: bytes | None, reverse: bool
) -> None:
    """A merge of the sources gives exactly the keys which look-ups find, in either direction."""
    expected = sorted(
        [
            (key, value)
            for key, value in ANSWERS.items()
            if isinstance(value, bytes) and (start is None or start <= key) and (stop is None or key < stop)
        ],
        reverse=reverse,
    )
    found = merge(table_set.sources(start, stop, reverse=reverse), reverse=reverse)

    assert [pair for keys, values in found for pair in zip(keys, values, strict=True)] == expected


def test_estimate_adds_up_the_tables_that_overlap(table_set: TableSet) -> None:
    """All entries of all tables for everything, nothing where no table is."""
    entries, size_bytes = table_set.estimate(None, None)

    assert entries == 15
    assert size_bytes > 0
    assert table_set.estimate(b"", b"a") == (0, 0)


def test_an_empty_set_says_nothing() -> None:
    """A new database has no tables and needs no files."""
    empty = no_tables(3)

    assert empty.get(b"a") is MISSING
    assert empty.multi_get([b"a", b"b"]) == [MISSING, MISSING]
    assert empty.sources(None, None) == []
    assert empty.estimate(None, None) == (0, 0)
    assert len(empty.version.levels) == 3


def test_removed_files_stay_readable_and_open_tables_are_shared() -> None:
    """A compaction may unlink what a set still holds; the next set takes over readers instead of opening again."""
    directory, cache = new_directory(), new_cache()
    first = write_table(directory, 1, [entries_run({b"a": b"1"})])
    second = write_table(directory, 2, [entries_run({b"a": b"2"})])
    before = open_tables(directory, Version(((first,), ()), 1), cache)
    directory.unlink(table_name(1))
    after = open_tables(directory, Version(((second, first), ()), 1), cache, before)

    assert after.readers[1] is before.readers[1]
    assert before.get(b"a") == b"1"
    assert after.get(b"a") == b"2"


def test_a_missing_file_is_told_apart_from_a_short_one() -> None:
    """A file that is gone may have been compacted away; one of another length is damaged."""
    directory = new_directory()
    table = write_table(directory, 1, [entries_run({b"a": b"1"})])
    version = Version(((table,), ()), 1)
    file = directory.open(table_name(1), "write")
    file.truncate(table.size_bytes - 1)
    with pytest.raises(CorruptionError, match="the manifest says") as damage:
        open_tables(directory, version, new_cache())
    assert damage.value.path == "/data/000001.sst"
    assert damage.value.offset == table.size_bytes - 1

    directory.unlink(table_name(1))
    with pytest.raises(MissingFileError):
        open_tables(directory, version, new_cache())


@pytest.mark.parametrize("reverse", [False, True])
def test_a_long_deleted_range_is_not_read(reverse: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 5,000 entries of which the newer table deletes all but 200, some hundreds are decoded; none is lost."""
    directory = new_directory()
    keys = [b"%04d" % number for number in range(5000)]
    bottom = write_table(directory, 1, [(keys, [b"v"] * 5000)], level=1)
    newer = write_table(directory, 2, [], [(b"0100", b"2500"), (b"2501", b"2502"), (b"2600", b"4999")])
    table_set = open_tables(directory, Version(((newer,), (bottom,)), 1), new_cache())
    decoded = [0]
    read = TableReader.runs

    def counted(self: TableReader, *arguments: bytes | None, reverse: bool) -> object:
        for run in read(self, *arguments, reverse=reverse):
            decoded[0] += len(run[0])
            yield run

    monkeypatch.setattr(TableReader, "runs", counted)
    merged = list(merge(table_set.sources(None, None, reverse=reverse), reverse=reverse))
    kept = [*keys[:100], b"2500", *keys[2502:2600], b"4999"]

    assert [key for found, _ in merged for key in found] == sorted(kept, reverse=reverse)
    assert decoded[0] < 300


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("level", [0, 1])
def test_a_long_deleted_range_hides_only_what_is_older(reverse: bool, level: int) -> None:
    """Neither its own entries nor newer ones are jumped over, however long the range is."""
    directory = new_directory()
    keys = [b"%04d" % number for number in range(6000)]

    def write(number: int, place: int) -> TableMetadata:
        return write_table(directory, number, [(keys[place::3], [b"%d" % number] * 2000)], [(b"1", b"4")], level=level)

    tables = (write(3, 0), write(2, 1), write(1, 2))
    levels = (tables, ()) if level == 0 else ((), *((table,) for table in tables))
    table_set = open_tables(directory, Version(levels, 1), new_cache())
    merged = merge(table_set.sources(None, None, reverse=reverse), reverse=reverse)
    kept = [key for place, key in enumerate(keys) if place % 3 == 0 or not b"1" <= key < b"4"]

    assert [key for found, _ in merged for key in found] == sorted(kept, reverse=reverse)
