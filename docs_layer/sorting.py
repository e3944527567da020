"""Sorting of any number of pairs in bounded memory: a few best ones, all in memory, or runs on disk that are merged.

Owns what a sort may use. With a limit it keeps little more than the wanted pairs. Without one it keeps encoded rows up
to a budget of bytes, counted exactly; beyond it the pairs are written in order to one temporary file without a name,
as a run, and in the end all runs are merged. A run is a sequence of frames: four bytes of size, then a msgpack array
of keys and rows in turn. The file is gone when the sort is closed, or when the process ends.

The sort is stable. A sort belongs to one thread.
"""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from typing import BinaryIO, Final, NamedTuple

import msgspec

PAIR_OVERHEAD_BYTES: Final = 200
"""What a pair of key and row is charged beside their lengths: a tuple, two bytes objects, a place in the list."""

TOP_LIMIT: Final = 10_000
"""Most pairs that are kept without a look at the budget when only the first ones are wanted."""

_FRAME_PAIRS: Final = 128
_MERGE_RUNS: Final = 64
_SLACK_PAIRS: Final = 1_000

Pair = tuple[bytes, bytes]
_key: Final = itemgetter(0)
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[bytes]).decode


class SortLimits(NamedTuple):
    """What a sort may use.

    Attributes:
        memory_bytes: For pairs in memory.
        refuse_spill: Called when they do not fit; raises, or returns to let the sort go on on disk.
    """

    memory_bytes: int
    refuse_spill: Callable[[], None]


class Sorter:
    """Takes pairs of a sort key and an encoded row, and gives them back in the order of the keys; close it.

    Attributes:
        spilled_runs: How many runs were written to disk.
    """

    def __init__(self, limits: SortLimits, top: int | None = None, *, unique: bool = False) -> None:
        """Begin.

        Args:
            limits: What it may use.
            top: How many pairs are wanted, None for all.
            unique: Keep only the first pair of each key.
        """
        self.spilled_runs = 0
        self._limits = limits
        self._top = top if top is not None and top <= TOP_LIMIT and not unique else None
        self._unique = unique
        self._pairs: list[Pair] = []
        self._used_bytes = 0
        self._bound: bytes | None = None
        self._file: BinaryIO | None = None
        self._runs: list[tuple[int, int]] = []

    def add(self, pairs: Iterable[Pair]) -> None:
        """Take pairs, in the order in which equal ones are to be given back."""
        if self._top is not None:
            self._add_to_top(pairs, self._top)
            return
        for pair in pairs:
            self._pairs.append(pair)
            self._used_bytes += PAIR_OVERHEAD_BYTES + len(pair[0]) + len(pair[1])
            if self._used_bytes > self._limits.memory_bytes:
                self._shrink()

    def sorted_pairs(self) -> Iterator[Pair]:
        """Give all pairs in order; nothing can be added any more."""
        self._pairs.sort(key=_key)
        if self._top is not None:
            return iter(self._pairs[: self._top])
        if self._file is None:
            return _distinct(self._pairs) if self._unique else iter(self._pairs)
        while len(self._runs) > _MERGE_RUNS:
            merged, self._runs = self._runs[:_MERGE_RUNS], self._runs[_MERGE_RUNS:]
            self._runs.insert(0, self._write_run(self._merged(merged)))
        return self._merged(self._runs, self._pairs)

    def close(self) -> None:
        """Let go of memory and file."""
        self._pairs = []
        if self._file is not None:
            self._file.close()

    def _add_to_top(self, pairs: Iterable[Pair], top: int) -> None:
        bound = self._bound
        self._pairs.extend(pairs if bound is None else [pair for pair in pairs if pair[0] < bound])
        if len(self._pairs) > 2 * top + _SLACK_PAIRS:
            self._pairs.sort(key=_key)
            del self._pairs[top:]
            self._bound = self._pairs[-1][0] if self._pairs else b""

    def _shrink(self) -> None:
        """Make room: drop repeated keys if that helps, else write a run."""
        self._pairs.sort(key=_key)
        if self._unique:
            self._pairs = list(_distinct(self._pairs))
            self._used_bytes = sum(PAIR_OVERHEAD_BYTES + len(key) + len(row) for key, row in self._pairs)
            if self._used_bytes <= self._limits.memory_bytes // 2:
                return
        self._limits.refuse_spill()
        self._runs.append(self._write_run(self._pairs))
        self.spilled_runs += 1
        self._pairs = []
        self._used_bytes = 0

    def _write_run(self, pairs: Iterable[Pair]) -> tuple[int, int]:
        """Append a run to the file; return where it begins and ends."""
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        # A merge reads earlier runs while it writes, so the place is kept here and not by the file.
        begin = place = self._file.seek(0, 2)
        for frame in _frames(pairs):
            self._file.seek(place)
            place += self._file.write(len(frame).to_bytes(4, "little") + frame)
        return begin, place

    def _read_run(self, begin: int, end: int) -> Iterator[Pair]:
        while begin < end and self._file is not None:
            self._file.seek(begin)
            size = int.from_bytes(self._file.read(4), "little")
            parts = iter(_decode(self._file.read(size)))
            begin += 4 + size
            yield from zip(parts, parts, strict=True)

    def _merged(self, runs: Iterable[tuple[int, int]], newest: Iterable[Pair] = ()) -> Iterator[Pair]:
        sources = [self._read_run(begin, end) for begin, end in runs]
        merged = heapq.merge(*sources, newest, key=_key)
        return _distinct(merged) if self._unique else merged


def _frames(pairs: Iterable[Pair]) -> Iterator[bytes]:
    parts: list[bytes] = []
    for pair in pairs:
        parts += pair
        if len(parts) == 2 * _FRAME_PAIRS:
            yield _encode(parts)
            parts = []
    if parts:
        yield _encode(parts)


def _distinct(pairs: Iterable[Pair]) -> Iterator[Pair]:
    """Give the first pair of each key, of sorted pairs."""
    last = None
    for pair in pairs:
        if pair[0] != last:
            last = pair[0]
            yield pair
