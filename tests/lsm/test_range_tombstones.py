"""Deleted ranges against sets of single keys: a small alphabet makes every meeting of ends likely."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsm.range_tombstones import RangeTombstones, Steps, clip, covers, flatten, gaps, overlay
from lsm.runs import Range

KEYS = [bytes([letter]) + tail for letter in b"abcdefgh" for tail in (b"", b"\0", b"m")]
SMALL = st.sampled_from(KEYS)
STOPS = st.one_of(st.none(), SMALL)
RANGES = st.lists(st.tuples(SMALL, STOPS), max_size=12)


def inside(found: Sequence[Range], key: bytes) -> bool:
    """Tell whether any of the ranges has the key, the slow way."""
    return any(start <= key and (stop is None or key < stop) for start, stop in found)


def is_flat(found: Sequence[Range]) -> bool:
    """Tell whether ranges are ascending, not empty, and do not touch."""
    ends = [start < stop for start, stop in found if stop is not None]
    return all(ends) and all(left[1] is not None and left[1] < right[0] for left, right in pairwise(found))


@given(RANGES)
def test_flattened_ranges_cover_the_same_keys(ranges: list[Range]) -> None:
    """Overlapping, touching and empty ranges become flat ones with the same keys, found by bisection."""
    flat = flatten(ranges)

    assert is_flat(flat)
    assert [inside(flat, key) for key in KEYS] == [inside(ranges, key) for key in KEYS]
    assert [covers(flat, key) for key in KEYS] == [inside(ranges, key) for key in KEYS]


@given(RANGES, st.one_of(st.none(), SMALL), STOPS)
def test_clip_and_gaps_share_out_a_range(ranges: list[Range], start: bytes | None, stop: bytes | None) -> None:
    """Each key of [start, stop) is in the clipped ranges or in the gaps, never in both; no other key is in either."""
    flat = flatten(ranges)
    parts, between = clip(flat, start, stop), gaps(flat, start, stop)

    assert is_flat(parts)
    assert is_flat(between)
    for key in KEYS:
        within = (start is None or start <= key) and (stop is None or key < stop)
        assert inside(parts, key) == (within and inside(flat, key))
        assert inside(between, key) == (within and not inside(flat, key))


def versioned(ranges: Sequence[Range]) -> tuple[RangeTombstones, list[tuple[bytes, bytes | None, int]]]:
    """Add the ranges that are not empty at sequences 10, 20, 30 ...; also return them as a plain list."""
    added = [
        (start, stop, 10 * place) for place, (start, stop) in enumerate(ranges, start=1) if stop is None or start < stop
    ]
    tombstones = RangeTombstones()
    for start, stop, sequence in added:
        tombstones.add(start, stop, sequence)
    return tombstones, added


def newest(added: list[tuple[bytes, bytes | None, int]], key: bytes, sequence: int) -> int:
    """Return the newest covering sequence, the slow way."""
    found = [at for start, stop, at in added if at <= sequence and inside([(start, stop)], key)]
    return max(found, default=0)


@given(st.lists(st.tuples(SMALL, STOPS), max_size=150), st.integers(0, 1600))
def test_the_newest_visible_deletion_is_found(ranges: list[Range], sequence: int) -> None:
    """At any sequence, also long before the last one, each key finds the newest range that covers it."""
    tombstones, added = versioned(ranges)

    tombstones.check()
    assert len(tombstones) == len(added)
    assert [tombstones.newest(key, sequence) for key in KEYS] == [newest(added, key, sequence) for key in KEYS]


@given(st.lists(st.tuples(SMALL, STOPS), max_size=80), st.integers(0, 900), SMALL, STOPS)
def test_steps_and_flat_ranges_of_a_part(ranges: list[Range], sequence: int, start: bytes, stop: bytes | None) -> None:
    """The step function of a part equals single look-ups in it, is 0 outside, and its flat form covers the same."""
    if stop is not None and stop <= start:
        start, stop = stop, start + b"\0"
    tombstones, added = versioned(ranges)
    steps = tombstones.steps(start, stop, sequence)
    flat = tombstones.flat(start, stop, sequence)

    assert is_flat(flat)
    for key in KEYS:
        expected = newest(added, key, sequence) if inside([(start, stop)], key) else 0
        assert steps.at(key) == expected
        assert covers(flat, key) == (expected > 0)


@given(st.lists(st.tuples(SMALL, STOPS), max_size=40), st.integers(0, 450), SMALL, STOPS)
def test_a_change_in_a_range_is_found(ranges: list[Range], since: int, start: bytes, stop: bytes | None) -> None:
    """A key is named exactly if a newer range has a key in common, and it is one of those."""
    tombstones, added = versioned(ranges)
    newer: list[Range] = [(low, high) for low, high, at in added if at > since]
    asked = flatten([(start, stop)])
    found = tombstones.changed_in(start, stop, since) if asked else None

    if found is None:
        assert not any(inside(newer, key) and inside(asked, key) for key in KEYS)
    else:
        assert inside(newer, found)
        assert inside(asked, found)


def test_overlay_prefers_the_newer_function() -> None:
    """Where the newer function speaks it wins, elsewhere the older one; equal neighbours become one step."""
    older = Steps([b"a", b"e"], [1, 0])
    newer = Steps([b"c", b"d", b"g"], [2, 0, 3])

    assert overlay(older, newer) == Steps([b"a", b"c", b"d", b"e", b"g"], [1, 2, 1, 0, 3])
    assert overlay(older, Steps([b"e", b"f"], [1, 0])) == Steps([b"a", b"f"], [1, 0])


@pytest.mark.parametrize("count", [1, 16, 17, 1000])
def test_memory_does_not_grow_with_the_square(count: int) -> None:
    """Nested ranges, which overlap all, still make step functions of n log n steps together."""
    tombstones, _ = versioned([(b"%06d" % place, b"%06d" % (10_000 - place)) for place in range(count)])
    steps = sum(len(groups.bounds) for level in tombstones._levels for groups in level)

    assert steps <= 2 * count * max(count.bit_length() - 3, 0)
