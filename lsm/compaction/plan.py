"""A compaction as a value: which tables become which level's, and what the job must know to keep the order of writes.

Tables have no sequence numbers for their entries, so an entry is newer than another because it lies above it. Every
plan keeps that true; `broken_rules` checks it:

    O2  a table of level 0 takes every older table that overlaps it along, transitively
    O3  overlap means bounds, which include range tombstones, and nothing else
    O5  no table of the output level that is not an input lies between the outputs, and none of a level between an
        input's and the output level overlaps that input
    O6  `older` covers everything below the outputs that the inputs' tombstones may still have to hide
    O7  a table moves without being rewritten only where nothing in its way overlaps it

Only values and pure functions; no policy about which tables are worth compacting.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import Literal, NamedTuple

import msgspec

from lsm.range_tombstones import clip, flatten
from lsm.runs import Range
from lsm.version import Edit, TableMetadata, Tables, Version, hull

Reason = Literal["level 0", "size", "tombstones", "manual"]
"""Why a plan was made, for people: too many tables in level 0, a level too large, many tombstones, or asked for."""


class LevelTables(NamedTuple):
    """Some tables of one level, in the order of that level."""

    level: int
    tables: Tables


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to compact.

    inputs: tables by level, upper levels first, so that every table stands before the older ones it overlaps.
    output_level: where the outputs go, 1 or deeper.
    trivial_move: the inputs (of one level) go to the output level as they are; there is nothing for the job to do.
    bottommost: no level below the outputs holds any table.
    older: flat ranges outside of which nothing below the outputs can hold a key; tombstones there are dropped.
    next_level: tables of the level below the outputs within their range; outputs are cut along their borders.
    table_bytes: size of file at which an output is finished.
    """

    inputs: tuple[LevelTables, ...]
    output_level: int
    trivial_move: bool
    reason: Reason
    bottommost: bool
    older: tuple[Range, ...]
    next_level: Tables
    table_bytes: int

    def tables(self) -> Tables:
        """Return all inputs, newest first where they overlap."""
        return tuple(table for _, tables in self.inputs for table in tables)

    @property
    def size_bytes(self) -> int:
        """The size of all inputs in bytes."""
        return sum(table.size_bytes for table in self.tables())

    @property
    def key_range(self) -> Range:
        """The smallest range that holds all inputs."""
        return hull(self.tables())


def make_plan(
    version: Version, inputs: Sequence[LevelTables], output_level: int, *, reason: Reason, table_bytes: int
) -> Plan:
    """Return the plan for `inputs`, which must be closed as `gather` closes them, or all movable one by one.

    It is a trivial move when that is possible and rewriting would gain nothing: no tombstone to drop, and no small
    tables to join.
    """
    filled = tuple(part for part in inputs if part.tables)
    start, stop = hull(table for part in filled for table in part.tables)
    below = range(output_level + 1, len(version.levels))
    older = flatten(
        (table.smallest, table.stop) for level in below for table in version.overlapping(level, start, stop)
    )
    return Plan(
        inputs=filled,
        output_level=output_level,
        trivial_move=_is_move(filled, output_level, older, table_bytes),
        reason=reason,
        bottommost=not any(version.levels[level] for level in below),
        older=tuple(older),
        next_level=version.overlapping(output_level + 1, start, stop) if below else (),
        table_bytes=table_bytes,
    )


def gather(
    version: Version, level: int, chosen: Tables, output_level: int, *, reach: Range | None = None, small_bytes: int = 0
) -> list[LevelTables]:
    """Return the inputs of a plan that compacts `chosen` tables of `level`: with everything that must come along.

    chosen: of a deeper level they must be neighbours.
    reach: a range of which every table from `level` on is to be taken, too.
    small_bytes: the neighbours of the inputs in the output level join them if they are smaller than this.
    """
    first = closed_level0(version, chosen) if level == 0 else chosen
    inputs = [LevelTables(level, first)]
    for lower in range(level + 1, output_level + 1):
        start, stop = _joined(hull(table for part in inputs for table in part.tables), reach)
        tables = version.overlapping(lower, start, stop)
        if lower == output_level and small_bytes:
            tables = _with_small_neighbours(version.levels[lower], tables, start, small_bytes)
        if tables:
            inputs.append(LevelTables(lower, tables))
    return inputs


def closed_level0(version: Version, chosen: Iterable[TableMetadata]) -> Tables:
    """Return `chosen` tables of level 0 with every older one that overlaps one of the result (O2)."""
    numbers = {table.number for table in chosen}
    closed: list[TableMetadata] = []
    for table in version.levels[0]:
        if table.number in numbers or any(newer.overlaps(table.smallest, table.stop) for newer in closed):
            closed.append(table)
    return tuple(closed)


def plan_edit(plan: Plan, outputs: Sequence[TableMetadata]) -> Edit:
    """Return the edit that installs `outputs`, which are ignored for a trivial move."""
    inputs = plan.tables()
    added = inputs if plan.trivial_move else outputs
    return Edit(
        removed=frozenset(table.number for table in inputs),
        added=tuple((plan.output_level, table) for table in added),
    )


def broken_rules(version: Version, plan: Plan) -> list[str]:
    """Return a sentence for each way in which `plan` would break the order of writes in `version`; empty = none."""
    inputs = {table.number for table in plan.tables()}
    start, stop = plan.key_range
    found = [
        f"table {table.number} is not in level {part.level}"
        for part in plan.inputs
        for table in part.tables
        if table not in version.levels[part.level]
    ]
    found += [f"O2: {text}" for text in _left_behind(version, plan, inputs)]
    if plan.trivial_move:
        found += [f"O7: {left.number} and {right.number} overlap" for left, right in _overlaps(plan.tables())]
    else:
        spanned = version.overlapping(plan.output_level, start, stop)
        found += [f"O5: {table.number} lies between the outputs" for table in spanned if table.number not in inputs]
    for level in range(plan.output_level + 1, len(version.levels)):
        for table in version.overlapping(level, start, stop):
            if clip(plan.older, table.smallest, table.stop) != [(table.smallest, table.stop)]:
                found.append(f"O6: {table.number} lies below, but is not counted as older")
    return found


def _left_behind(version: Version, plan: Plan, inputs: set[int]) -> Iterator[str]:
    """Yield what overlaps an input, is older, and would stay above the outputs or among them."""
    for part in plan.inputs:
        for table in part.tables:
            if part.level == 0:
                place = version.levels[0].index(table) if table in version.levels[0] else 0
                in_way = [older for older in version.levels[0][place:] if older.overlaps(table.smallest, table.stop)]
            else:
                in_way = []
            for level in range(part.level + 1, plan.output_level + 1):
                in_way += version.overlapping(level, table.smallest, table.stop)
            yield from (
                f"{older.number} is older than {table.number} and left behind"
                for older in in_way
                if older.number not in inputs
            )


def _overlaps(tables: Tables) -> Iterator[tuple[TableMetadata, TableMetadata]]:
    for left, right in combinations(tables, 2):
        if left.overlaps(right.smallest, right.stop):
            yield left, right


def _is_move(inputs: Sequence[LevelTables], output_level: int, older: Sequence[Range], table_bytes: int) -> bool:
    if len(inputs) != 1 or inputs[0].level == output_level:
        return False
    tables = inputs[0].tables
    if any(_could_drop(table, older) for table in tables) or next(_overlaps_within(inputs[0]), None):
        return False
    return len(tables) == 1 or all(table.size_bytes >= small_table_bytes(table_bytes) for table in tables)


def _overlaps_within(part: LevelTables) -> Iterator[tuple[TableMetadata, TableMetadata]]:
    return _overlaps(part.tables) if part.level == 0 else iter(())


def _could_drop(table: TableMetadata, older: Sequence[Range]) -> bool:
    """Tell whether the table has tombstones with nothing below that they could hide."""
    return bool(table.tombstone_count + table.range_tombstone_count) and not clip(older, table.smallest, table.stop)


def small_table_bytes(table_bytes: int) -> int:
    """Return the size below which a table is rather joined with its neighbours than left or moved as it is.

    Without it, small flushes of ascending keys would leave so many small tables as there were flushes.
    """
    return table_bytes // 4


def _joined(left: Range, right: Range | None) -> Range:
    if right is None:
        return left
    stop = None if left[1] is None or right[1] is None else max(left[1], right[1])
    return min(left[0], right[0]), stop


def _with_small_neighbours(level: Tables, tables: Tables, start: bytes, small_bytes: int) -> Tables:
    """Return `tables`, a stretch of `level` (maybe empty, then where `start` falls), with small neighbours."""
    first = level.index(tables[0]) if tables else sum(table.smallest < start for table in level)
    last = first + len(tables)
    if first and level[first - 1].size_bytes < small_bytes:
        first -= 1
    if last < len(level) and level[last].size_bytes < small_bytes:
        last += 1
    return level[first:last]
