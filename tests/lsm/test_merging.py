"""Merges against a dict that is written from the oldest source to the newest."""

from collections.abc import Iterator, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsm.merging import Source, live, merge, merge_window, uncovered
from lsm.range_tombstones import covers, flatten
from lsm.runs import Range, Run, Value

KEYS = [b"%02d" % number for number in range(30)]
SMALL = st.sampled_from(KEYS)
VALUES = st.one_of(st.none(), st.binary(max_size=2))
ENTRIES = st.dictionaries(SMALL, VALUES, max_size=30)
RANGES = st.lists(st.tuples(SMALL, st.one_of(st.none(), SMALL)), max_size=3)
SOURCES = st.lists(st.tuples(ENTRIES, RANGES, st.integers(1, 12)), max_size=5)
Plain = tuple[dict[bytes, Value], list[Range], int]
"""A source as the tests draw it: entries, range tombstones, and how many entries a run has."""


def runs_of(entries: Mapping[bytes, Value], size: int, *, reverse: bool = False) -> Iterator[Run]:
    """Cut entries into runs of up to `size`."""
    keys = sorted(entries, reverse=reverse)
    for place in range(0, len(keys), size):
        part = keys[place : place + size]
        yield part, [entries[key] for key in part]


def model(sources: Sequence[Plain]) -> dict[bytes, Value]:
    """Apply the sources from the oldest to the newest; a range tombstone removes what is there, its own stay."""
    merged: dict[bytes, Value] = {}
    for entries, ranges, _ in reversed(sources):
        flat = flatten(ranges)
        merged = {key: value for key, value in merged.items() if not covers(flat, key)}
        merged.update(entries)
    return merged


@given(SOURCES, st.booleans(), st.booleans())
def test_the_newest_entry_of_each_key_comes_out_in_order(
    sources: list[Plain], reverse: bool, keep_tombstones: bool
) -> None:
    """Runs are not empty and ascend (or descend); hidden entries are gone, tombstones as was asked."""
    inputs = [Source(runs_of(entries, size, reverse=reverse), ranges) for entries, ranges, size in sources]
    merged = list(merge(inputs, reverse=reverse, keep_tombstones=keep_tombstones))
    expected = sorted(model(sources).items(), reverse=reverse)

    assert all(keys for keys, _ in merged)
    assert [pair for keys, values in merged for pair in zip(keys, values, strict=True)] == [
        (key, value) for key, value in expected if keep_tombstones or value is not None
    ]


@pytest.mark.parametrize("reverse", [False, True])
def test_runs_of_a_source_that_is_ahead_are_handed_over_as_they_are(reverse: bool) -> None:
    """Sources that lie one behind the other are not merged: each run comes out as one run."""
    low = {b"a%d" % number: b"1" for number in range(6)}
    high = {b"b%d" % number: b"2" for number in range(4)}
    merged = list(
        merge([Source(runs_of(high, 2, reverse=reverse)), Source(runs_of(low, 2, reverse=reverse))], reverse=reverse)
    )
    expected = [*runs_of(low, 2), *runs_of(high, 2)]

    assert merged == ([(keys[::-1], values) for keys, values in reversed(expected)] if reverse else expected)


def test_nothing_is_fetched_before_it_is_needed() -> None:
    """Taking the first run fetches one run of each source, and none at all before."""
    fetched: list[str] = []

    def told(name: str, entries: dict[bytes, Value]) -> Iterator[Run]:
        for run in runs_of(entries, 1):
            fetched.append(name)
            yield run

    merged = merge([Source(told("new", {b"a": b"1", b"b": b"1"})), Source(told("old", {b"c": b"1", b"d": b"1"}))])
    assert fetched == []
    next(merged)
    assert sorted(fetched) == ["new", "old"]


def test_an_error_of_a_source_comes_through() -> None:
    """What a source raises, the merge raises; what came before was handed over."""

    def failing() -> Iterator[Run]:
        yield [b"a"], [b"1"]
        raise OSError("gone")

    merged = merge([Source(failing()), Source(runs_of({b"b": b"2"}, 1))])
    assert next(merged) == ([b"a"], [b"1"])
    with pytest.raises(OSError, match="gone"):
        next(merged)


def test_a_source_does_not_hide_its_own_entries() -> None:
    """A range tombstone hides what older sources have, not what stands beside it."""
    newer = Source(runs_of({b"05": b"new"}, 1), [(b"00", b"10")])
    older = Source(runs_of({b"04": b"old", b"10": b"kept"}, 2))

    assert list(merge([newer, older])) == [([b"05"], [b"new"]), ([b"10"], [b"kept"])]


@given(st.lists(ENTRIES, min_size=1, max_size=4), st.integers(0, 3))
def test_a_window_with_one_large_run_is_merged_like_any_other(parts: list[dict[bytes, Value]], large: int) -> None:
    """Inserting few entries into a long run gives what a full merge gives, whichever source is the long one."""
    filler: dict[bytes, Value] = {b"%02d+%d" % (number, tail): b"f" for number in range(30) for tail in range(20)}
    place = large % len(parts)
    parts = [{**filler, **part} if number == place else part for number, part in enumerate(parts)]
    expected: dict[bytes, Value] = {}
    for part in reversed(parts):
        expected.update(part)

    keys, values = merge_window([(sorted(part), [part[key] for key in sorted(part)]) for part in parts])
    assert list(zip(keys, values, strict=True)) == sorted(expected.items())


def test_live_entries_keep_empty_values() -> None:
    """Only None is a tombstone; an empty value is a value."""
    assert live(([b"a", b"b", b"c"], [b"", None, b"1"])) == ([b"a", b"c"], [b"", b"1"])
    untouched: Run = ([b"a"], [b"1"])
    assert live(untouched) is untouched


@given(ENTRIES, RANGES)
def test_covered_entries_are_left_out(entries: dict[bytes, Value], ranges: list[Range]) -> None:
    """Exactly the keys outside all ranges stay, with their values."""
    if not entries:
        return
    flat = flatten(ranges)
    (run,) = runs_of(entries, len(entries))
    expected = [(key, entries[key]) for key in sorted(entries) if not covers(flat, key)]

    assert list(zip(*uncovered(run, flat), strict=True)) == expected
