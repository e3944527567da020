"""The output side of a compaction: one ascending stream of entries, cut into tables.

A cut is a key of the form `x + 00`: one table ends with the key x, the next begins behind it, and there is no key in
between. Range tombstones are cut there too (O5), so the inclusive bounds of the outputs never touch. Cuts fall

  - right behind a table of the next level, once the output is at least half full (the more such borders it spans, the
    fuller): then the next compaction of the output needs no table of which it covers only a corner;
  - there as well when the output overlaps so much of the next level that compacting it would become a large job;
  - else when the output has its size, or twice that while there are borders ahead.

An output begins with its first entry or range tombstone, so keys that nothing speaks about belong to no output. Memory:
one open table and one closed but unfinished, each with its current block and partition, whatever their size.

A table's properties say how many outputs the edit has. That is not known before the end: all but the last say 0.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol

from lsm.compaction.plan import Plan
from lsm.range_tombstones import clip
from lsm.runs import Range, Run, Value
from lsm.sstable.properties import TableEdit, TableProperties
from lsm.sstable.writer import WrittenTable
from lsm.version import BOUND_BYTES, TableMetadata, inclusive_largest, shortened_largest, shortened_smallest

_MOST_OVERLAP = 25
# An output is cut when it overlaps so many times its own full size in the next level.


class Writer(Protocol):
    """The part of `TableWriter` that is used here."""

    @property
    def size_bytes(self) -> int:
        """About the size of the table so far."""
        ...

    def add(self, keys: Sequence[bytes], values: Sequence[Value]) -> None:
        """Append ascending entries."""
        ...

    def add_range_tombstones(self, ranges: Sequence[Range]) -> None:
        """Append flat ranges."""
        ...

    def finish(self, properties: TableProperties) -> WrittenTable:
        """Write the rest and sync."""
        ...


class OpenTable(NamedTuple):
    """A table that is being written."""

    number: int
    identity: int
    writer: Writer


class Outputs:
    """Writes the outputs of one plan. Used by one thread; when a method raises, all outputs are worth nothing."""

    def __init__(
        self, plan: Plan, ranges: Sequence[Range], open_table: Callable[[], OpenTable], manifest_number: int
    ) -> None:
        """Write what follows with tables from `open_table`.

        ranges: all range tombstones of the inputs, flat. Those that have nothing older to hide are left out.
        manifest_number: the manifest that the plan was made for.
        """
        # Constant after construction.
        self._plan = plan
        self._ranges = ranges
        self._open_table = open_table
        self._manifest_number = manifest_number
        self._borders = [(table.stop, table.size_bytes) for table in plan.next_level if table.stop is not None]
        # The open output: nothing, range tombstones only (then without a table), or entries.
        self._begin: bytes | None = None
        self._open: OpenTable | None = None
        self._last_key = b""
        self._borders_spanned = 0
        self._overlap_bytes = 0
        # What is behind it.
        self._next_border = 0
        self._closed: OpenTable | None = None
        self._finished: list[tuple[OpenTable, WrittenTable]] = []

    def add(self, run: Run) -> None:
        """Append entries, ascending over all calls."""
        keys, values = run
        while keys and self._next_border < len(self._borders):
            border = self._borders[self._next_border][0]
            if keys[-1] < border:
                break
            place = bisect_left(keys, border)
            self._append(keys[:place], values[:place])
            keys, values = keys[place:], values[place:]
            self._pass_border()
        self._append(keys, values)

    def finish(self) -> list[TableMetadata]:
        """Finish and sync the last table; return all outputs, ascending, with shortened bounds."""
        while self._next_border < len(self._borders):
            self._pass_border()
        self._cut(None)
        self._finish_closed(is_last=True)
        bounds = shortened_bounds([_bounds(written) for _, written in self._finished], self._plan.key_range)
        return [
            self._metadata(opened, written, *pair)
            for (opened, written), pair in zip(self._finished, bounds, strict=True)
        ]

    def _append(self, keys: list[bytes], values: list[Value]) -> None:
        if not keys:
            return
        if self._open is None:
            self._open = self._open_next()
        self._open.writer.add(keys, values)
        self._last_key = keys[-1]
        more_borders = self._next_border < len(self._borders)
        if self._open.writer.size_bytes >= self._plan.table_bytes * (2 if more_borders else 1):
            self._cut(self._last_key + b"\0")

    def _pass_border(self) -> None:
        """Go beyond the end of a table of the next level, and cut there if it is time."""
        border, size_bytes = self._borders[self._next_border]
        self._next_border += 1
        if self._open is None and not self._needed_ranges(border):
            self._begin = border
            return
        self._borders_spanned += 1
        self._overlap_bytes += size_bytes
        written_bytes = self._open.writer.size_bytes if self._open is not None else 0
        enough_bytes = self._plan.table_bytes * (50 + 5 * min(self._borders_spanned, 8)) // 100
        if written_bytes >= enough_bytes or self._overlap_bytes >= self._plan.table_bytes * _MOST_OVERLAP:
            self._cut(border)

    def _cut(self, end: bytes | None) -> None:
        """Close the open output before the key `end` (None: at the end of all keys), and begin another there."""
        ranges = self._needed_ranges(end)
        if ranges and self._open is None:
            self._open = self._open_next()
        if self._open is not None:
            self._open.writer.add_range_tombstones(ranges)
        self._closed, self._open = self._open or self._closed, None
        self._begin = end
        self._borders_spanned = self._overlap_bytes = 0

    def _needed_ranges(self, end: bytes | None) -> list[Range]:
        """Return the range tombstones between the begin of the open output and `end` that hide something below.

        What sticks out beyond everything older is cut off.
        """
        found = []
        for start, stop in clip(self._ranges, self._begin, end):
            hidden = clip(self._plan.older, start, stop)
            if hidden:
                found.append((hidden[0][0], hidden[-1][1]))
        return found

    def _open_next(self) -> OpenTable:
        self._finish_closed(is_last=False)
        return self._open_table()

    def _finish_closed(self, *, is_last: bool) -> None:
        if self._closed is None:
            return
        inputs = self._plan.tables()
        index = len(self._finished)
        edit = TableEdit(
            manifest_number=self._manifest_number,
            level=self._plan.output_level,
            place=index,
            consumed_tables=tuple(table.number for table in inputs),
            output_index=index,
            output_count=index + 1 if is_last else 0,
        )
        properties = TableProperties(
            edit=edit,
            first_sequence=min(table.first_sequence for table in inputs),
            last_sequence=max(table.last_sequence for table in inputs),
        )
        self._finished.append((self._closed, self._closed.writer.finish(properties)))
        self._closed = None

    def _metadata(
        self, opened: OpenTable, written: WrittenTable, smallest: bytes, largest: bytes | None
    ) -> TableMetadata:
        inputs = self._plan.tables()
        return TableMetadata(
            number=opened.number,
            identity=opened.identity,
            size_bytes=written.size_bytes,
            smallest=smallest,
            largest=largest,
            entry_count=written.entry_count,
            tombstone_count=written.tombstone_count,
            range_tombstone_count=written.range_tombstone_count,
            first_sequence=min(table.first_sequence for table in inputs),
            last_sequence=max(table.last_sequence for table in inputs),
            level_at_creation=self._plan.output_level,
        )


Bounds = tuple[bytes, bytes | None]
"""Inclusive bounds of a table; a second of None means no upper bound."""


def shortened_bounds(bounds: Sequence[Bounds], within: Range) -> list[Bounds]:
    """Return shorter bounds that enclose the given ones, which are ascending and disjoint, and still are disjoint.

    They stay in `within`, the range of the inputs, since right next to it other tables of the output level may lie.
    They are longer than 64 bytes only where neighbours have more than that in common.
    """
    if not bounds:
        return []
    start, stop = within
    lows = [max(shortened_smallest(bounds[0][0]), start)]
    lows += [_short_above(low, high) for (_, high), (low, _) in pairwise(bounds)]
    limits = [*lows[1:], stop]
    highs = [_short_below(high, limit) for (_, high), limit in zip(bounds, limits, strict=True)]
    return list(zip(lows, highs, strict=True))


def _short_above(key: bytes, limit: bytes | None) -> bytes:
    """Return a lower bound of `key` that is above `limit`, which is itself below `key`; None = no limit."""
    length = BOUND_BYTES
    while limit is not None and length < len(key) and shortened_smallest(key, length) <= limit:
        length *= 2
    return shortened_smallest(key, length)


def _short_below(key: bytes | None, limit: bytes | None) -> bytes | None:
    """Return an upper bound of `key` that is below `limit`, which is itself above `key`; None = no end, no limit."""
    if key is None:
        return None
    length = BOUND_BYTES
    while limit is not None and length < len(key) and shortened_largest(key, length) >= limit:
        length *= 2
    return shortened_largest(key, length)


def _bounds(written: WrittenTable) -> Bounds:
    return written.smallest, inclusive_largest(written.largest, written.largest_is_excluded)
