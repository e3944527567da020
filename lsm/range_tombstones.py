"""Deleted key ranges: plain ones as tables and merges use them, and the versioned ones of a memtable.

A range is `(start, stop)`, stop exclusive, None = to the end of all keys. *Flat* ranges are not empty, ascending and
disjoint. `flatten` makes them of any, and joins those that touch.

`RangeTombstones` answers "which is the newest deletion, not newer than sequence s, that covers this key?". It is an
append-only list in order of sequence, so "not newer than s" is a prefix of it. A small prefix is searched linearly. For
a long one, every 16 neighbours, every 32, 64 and so on, have a *step function* of their own, which is the result of all
of them: a prefix of n ranges is then at most log2(n / 16) step functions and 15 single ranges, and the newest of them
that covers the key has the answer.

    ranges                0..15  16..31  32..47  48..63  64..79  80..83
    step functions        [----] [-----] [-----] [-----] [-----]
                          [------------] [-------------]
                          [----------------------------]
    a prefix of 83 is:    [----------------------------] [-----] 80 81 82

Cost: a look-up O(log(n)^2), an addition O(log(n)) on average, memory O(n log(n)).

Threads: one writer at a time (its caller's matter), any number of readers beside it without a lock. A step function is
never changed once it is in its list, and it is put there before the range that completes it; a reader first fixes how
many ranges it will look at, so it finds everything that this prefix needs, whatever is appended meanwhile. A range
whose sequence is above the reader's is not in the prefix.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from operator import itemgetter
from typing import NamedTuple

from lsm.runs import Range

_GROUP = 16
_start = itemgetter(0)
_sequence = itemgetter(2)


def flatten(ranges: Iterable[Range]) -> list[Range]:
    """Return flat ranges that cover the same keys as `ranges`, which may overlap and be empty. O(n log n)."""
    flat: list[Range] = []
    for start, stop in sorted(ranges, key=_start):
        if stop is not None and stop <= start:
            continue
        if not flat or _ends_before(flat[-1], start):
            flat.append((start, stop))
        elif _reaches_beyond(stop, flat[-1][1]):
            flat[-1] = (flat[-1][0], stop)
    return flat


def covers(ranges: Sequence[Range], key: bytes) -> bool:
    """Tell whether one of the flat `ranges` contains `key`. O(log n)."""
    place = bisect_right(ranges, key, key=_start)
    if not place:
        return False
    stop = ranges[place - 1][1]
    return stop is None or key < stop


def clip(ranges: Sequence[Range], start: bytes | None, stop: bytes | None) -> list[Range]:
    """Return the parts of flat `ranges` that lie in [start, stop); None = no bound. O(log n + parts)."""
    low = start or b""
    if stop is not None and stop <= low:
        return []
    first = bisect_right(ranges, low, key=_start)
    if first and not _ends_before(ranges[first - 1], low, touching=True):
        first -= 1
    last = len(ranges) if stop is None else bisect_left(ranges, stop, key=_start)
    parts = list(ranges[first:last])
    if parts and parts[0][0] < low:
        parts[0] = (low, parts[0][1])
    if parts and _reaches_beyond(parts[-1][1], stop):
        parts[-1] = (parts[-1][0], stop)
    return parts


def gaps(ranges: Sequence[Range], start: bytes | None, stop: bytes | None) -> list[Range]:
    """Return the parts of [start, stop) that no flat range covers, as flat ranges. O(log n + parts)."""
    position: bytes | None = start or b""
    found: list[Range] = []
    for low, high in clip(ranges, start, stop):
        if position is not None and position < low:
            found.append((position, low))
        position = high
    if position is not None and (stop is None or position < stop):
        found.append((position, stop))
    return found


class Steps(NamedTuple):
    """A step function from keys to the newest sequence that deletes them.

    Keys from `bounds[i]` up to `bounds[i + 1]` (the last: to the end of all keys) have `sequences[i]`, where 0 means
    not deleted; keys below the first bound have 0. Neighbouring steps differ.
    """

    bounds: list[bytes]
    sequences: list[int]

    def at(self, key: bytes) -> int:
        """Return the value at `key`. O(log n)."""
        place = bisect_right(self.bounds, key)
        return self.sequences[place - 1] if place else 0

    def clip(self, start: bytes, stop: bytes | None) -> Steps:
        """Return a function equal to this one in [start, stop), which must not be empty, and 0 elsewhere."""
        first = bisect_right(self.bounds, start)
        last = len(self.bounds) if stop is None else bisect_left(self.bounds, stop, lo=first)
        bounds, sequences = self.bounds[first:last], self.sequences[first:last]
        if first and self.sequences[first - 1]:
            bounds.insert(0, start)
            sequences.insert(0, self.sequences[first - 1])
        if stop is not None and sequences and sequences[-1]:
            bounds.append(stop)
            sequences.append(0)
        return Steps(bounds, sequences)

    def pieces(self) -> Iterator[tuple[bytes, bytes | None, int]]:
        """Yield start, stop and sequence of each step that is not 0, ascending."""
        for place, sequence in enumerate(self.sequences, start=1):
            if sequence:
                yield self.bounds[place - 1], self.bounds[place] if place < len(self.bounds) else None, sequence


def overlay(older: Steps, newer: Steps) -> Steps:
    """Return the function that has the value of `newer` where that is not 0, else that of `older`. Linear."""
    if not older.bounds or not newer.bounds:
        return newer if newer.bounds else older
    marks = [(bound, sequence, False) for bound, sequence in zip(*older, strict=True)]
    marks += [(bound, sequence, True) for bound, sequence in zip(*newer, strict=True)]
    marks.sort(key=_start)
    bounds: list[bytes] = []
    sequences: list[int] = []
    above = below = 0
    for bound, sequence, is_newer in marks:
        if is_newer:
            above = sequence
        else:
            below = sequence
        if bounds and bounds[-1] == bound:
            bounds.pop()
            sequences.pop()
        value = above or below
        if value != (sequences[-1] if sequences else 0):
            bounds.append(bound)
            sequences.append(value)
    return Steps(bounds, sequences)


class RangeTombstones:
    """The range deletions of one memtable, each with its sequence; see the module for structure, cost and threads."""

    __slots__ = ("_levels", "_ranges")

    def __init__(self) -> None:
        self._ranges: list[tuple[bytes, bytes | None, int]] = []
        self._levels: list[list[Steps]] = []
        # _levels[k][i] is the result of ranges i * 16 * 2^k up to (i + 1) * 16 * 2^k.

    def __len__(self) -> int:
        """Return how many were added."""
        return len(self._ranges)

    def add(self, start: bytes, stop: bytes | None, sequence: int) -> None:
        """Delete [start, stop), which must not be empty, at `sequence`, which is above all before it."""
        added = (start, stop, sequence)
        count = len(self._ranges) + 1
        if count % _GROUP == 0:
            self._build([*self._ranges[count - _GROUP :], added], count // _GROUP)
        self._ranges.append(added)

    def newest(self, key: bytes, sequence: int) -> int:
        """Return the newest sequence, not above `sequence`, of a range that contains `key`; 0 if there is none."""
        place = self._visible(sequence)
        while place % _GROUP:
            place -= 1
            start, stop, found = self._ranges[place]
            if start <= key and (stop is None or key < stop):
                return found
        for steps in self._groups(place // _GROUP):
            found = steps.at(key)
            if found:
                return found
        return 0

    def steps(self, start: bytes, stop: bytes | None, sequence: int) -> Steps:
        """Return what deletes the keys in [start, stop), seen at `sequence`. O(log n * steps in the range)."""
        place = self._visible(sequence)
        single = place - place % _GROUP
        newest_first = [steps.clip(start, stop) for steps in self._groups(place // _GROUP)]
        singles = (_steps(*added).clip(start, stop) for added in self._ranges[single:place])
        return reduce(overlay, singles, reduce(overlay, reversed(newest_first), Steps([], [])))

    def flat(self, start: bytes, stop: bytes | None, sequence: int) -> list[Range]:
        """Return the flat ranges that are deleted in [start, stop), seen at `sequence`."""
        return flatten((low, high) for low, high, _ in self.steps(start, stop, sequence).pieces())

    def changed_in(self, start: bytes, stop: bytes | None, since: int) -> bytes | None:
        """Return the first key of [start, stop) in some range newer than `since`, or None. O(ranges since then)."""
        for low, high, _ in self._ranges[self._visible(since) :]:
            if (stop is None or low < stop) and (high is None or start < high):
                return max(start, low)
        return None

    def check(self) -> None:
        """Raise `AssertionError` if an invariant is broken: order, and each step function against its ranges."""
        assert all(old < new for (*_, old), (*_, new) in zip(self._ranges, self._ranges[1:], strict=False))
        for level, groups in enumerate(self._levels):
            width = _GROUP << level
            assert len(groups) == len(self._ranges) // width
            for index, steps in enumerate(groups):
                parts = [_steps(*added) for added in self._ranges[index * width : (index + 1) * width]]
                assert steps == reduce(overlay, parts)

    def _visible(self, sequence: int) -> int:
        """Return how many ranges, from the first, are not above `sequence`."""
        count = len(self._ranges)
        if count and self._ranges[count - 1][2] > sequence:
            return bisect_right(self._ranges, sequence, hi=count, key=_sequence)
        return count

    def _groups(self, count: int) -> Iterator[Steps]:
        """Yield step functions that together stand for the first `count` groups of 16, newest first."""
        while count:
            level = (count & -count).bit_length() - 1
            yield self._levels[level][(count >> level) - 1]
            count &= count - 1

    def _build(self, group: Sequence[tuple[bytes, bytes | None, int]], count: int) -> None:
        """Add the step functions that end with group number `count`, counted from 1."""
        steps = reduce(overlay, (_steps(*added) for added in group))
        level = 0
        while True:
            if level == len(self._levels):
                self._levels.append([])
            self._levels[level].append(steps)
            if count % 2:
                return
            steps = overlay(self._levels[level][-2], steps)
            count //= 2
            level += 1


def _steps(start: bytes, stop: bytes | None, sequence: int) -> Steps:
    return Steps([start], [sequence]) if stop is None else Steps([start, stop], [sequence, 0])


def _ends_before(part: Range, key: bytes, *, touching: bool = False) -> bool:
    """Tell whether `part` ends before `key`; with `touching` also when it ends at it."""
    stop = part[1]
    return stop is not None and (stop < key or (touching and stop == key))


def _reaches_beyond(stop: bytes | None, other: bytes | None) -> bool:
    """Tell whether the end `stop` lies behind the end `other`; None is the end of all keys."""
    return other is not None and (stop is None or stop > other)
