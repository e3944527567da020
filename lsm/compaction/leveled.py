"""Leveled compaction: which level is too full, and which of its tables are the cheapest to push down.

The last level holds about nine tenths of the data, and the target of each level above is a tenth of the next (options
`level_ratio`, `level_base_bytes`). The targets are computed backwards from what the data take, so a small database
uses level 0 and the last level only, and space lost to overwritten entries stays near a tenth. Upper levels that are
not needed stay empty; the *base level* is the uppermost one in use, into which level 0 is compacted.

Scores: level 0 by its number of tables, deeper levels by size over target, in which each tombstone counts as one more
entry, since it frees one. The highest score from 1 upward is served; if there is none, a table of mostly tombstones.

Pure functions over frozen values; the only memory between picks, the cursors, is handed in and out.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from itertools import accumulate
from typing import NamedTuple

from lsm.compaction.plan import LevelTables, Plan, Reason, gather, make_plan, small_table_bytes
from lsm.options import Options
from lsm.version import TableMetadata, Tables, Version, hull

Cursors = Mapping[int, bytes]
"""For each level the key at which the next pick goes on among equally good tables, so that all get their turn."""

_TOMBSTONE_SHARE = 2
# A table is compacted for its tombstones when they are at least one in so many entries.


class LevelTargets(NamedTuple):
    """How large each level should be.

    base_level: the level into which level 0 is compacted; all levels between the two are empty.
    target_bytes: by level; of no meaning for level 0, the last level, and levels above the base level.
    """

    base_level: int
    target_bytes: tuple[int, ...]


def level_targets(version: Version, options: Options) -> LevelTargets:
    """Return base level and targets for the data as they are now. O(tables).

    The base level is the first with at least `level_base_bytes` as its target, but never below a level that holds
    tables. So a database that shrinks goes on to use a level that it would not begin to use.
    """
    last = len(version.levels) - 1
    sizes = [version.size_bytes(level) for level in range(last + 1)]
    data = sum(sizes[1:])
    targets = [options.level_base_bytes] * (last + 1)
    target = data - data // options.level_ratio
    base = last
    while base > 1 and target // options.level_ratio >= options.level_base_bytes:
        target //= options.level_ratio
        base -= 1
        targets[base] = target
    filled = next((level for level in range(1, last) if sizes[level]), last)
    return LevelTargets(min(base, filled), tuple(targets))


def output_table_bytes(options: Options, targets: LevelTargets, level: int) -> int:
    """Return the size of the tables of a level in bytes: doubled with each level from the base level on."""
    return options.table_bytes << max(level - targets.base_level, 0)


def level_scores(version: Version, options: Options) -> list[tuple[float, int]]:
    """Return (score, level) for each level but the last, the most urgent first; from 1 upward it needs compaction."""
    targets = level_targets(version, options)
    scores = [
        (sum(map(_weight, version.levels[level])) / targets.target_bytes[level], level)
        for level in range(1, len(version.levels) - 1)
    ]
    scores.append((len(version.levels[0]) / options.level0_compact_tables, 0))
    return sorted(scores, key=lambda scored: (-scored[0], scored[1]))


def pick(version: Version, options: Options, cursors: Cursors) -> Plan | None:
    """Return the compaction that is needed most, or None if none is needed. O(tables * log tables)."""
    targets = level_targets(version, options)
    score, level = level_scores(version, options)[0]
    if score >= 1:
        return _pick_level0(version, options, targets) if level == 0 else _pick_level(version, options, level, cursors)
    for upper in range(1, len(version.levels) - 1):
        dense = [table for table in version.levels[upper] if _is_mostly_tombstones(table)]
        if dense:
            return _push_down(version, options, upper, (max(dense, key=_weight),), "tombstones")
    return None


def next_cursors(cursors: Cursors, plan: Plan) -> dict[int, bytes]:
    """Return the cursors to use after `plan`."""
    level, tables = plan.inputs[0]
    return {**cursors, level: tables[-1].stop or b""}


def plan_level0(version: Version, options: Options, chosen: Tables, reason: Reason) -> Plan:
    """Return the plan that merges `chosen` tables of level 0, and all that must come along, into the base level."""
    targets = level_targets(version, options)
    table_bytes = output_table_bytes(options, targets, targets.base_level)
    small_bytes = small_table_bytes(table_bytes)
    inputs = gather(version, 0, chosen, targets.base_level, small_bytes=small_bytes)
    return make_plan(version, inputs, targets.base_level, reason=reason, table_bytes=table_bytes)


def _pick_level0(version: Version, options: Options, targets: LevelTargets) -> Plan:
    """Move what lies apart from everything else; else merge the oldest tables with all that is connected to them."""
    level0, base = version.levels[0], targets.base_level
    table_bytes = output_table_bytes(options, targets, base)
    moving = tuple(
        table
        for place, table in enumerate(level0)
        if table.size_bytes >= small_table_bytes(table_bytes)
        and not any(older.overlaps(table.smallest, table.stop) for older in level0[place + 1 :])
        and not version.overlapping(base, table.smallest, table.stop)
    )
    if moving:
        plan = make_plan(version, [LevelTables(0, moving)], base, reason="level 0", table_bytes=table_bytes)
        if plan.trivial_move:
            return plan
    return plan_level0(version, options, _connected_level0(level0, table_bytes), "level 0")


def _connected_level0(level0: Tables, least_bytes: int) -> Tables:
    """Return the oldest table with all that are connected to it by overlap, and further groups up to `least_bytes`."""
    chosen: list[TableMetadata] = []
    rest = list(level0)
    while rest and sum(table.size_bytes for table in chosen) < least_bytes:
        group = [rest.pop()]
        while group:
            chosen += group
            group = [table for table in rest if table.overlaps(*hull(chosen))]
            rest = [table for table in rest if table not in group]
    return tuple(chosen)


def _pick_level(version: Version, options: Options, level: int, cursors: Cursors) -> Plan:
    """Push down the tables that rewrite the fewest bytes of the next level for each byte of their own."""
    tables, lower = version.levels[level], version.levels[level + 1]
    sizes = list(accumulate((table.size_bytes for table in lower), initial=0))
    costs = []
    for table in tables:
        found = version.overlapping(level + 1, table.smallest, table.stop)
        first = bisect_left(lower, found[0].smallest, key=_smallest) if found else 0
        costs.append((sizes[first + len(found)] - sizes[first]) / max(_weight(table), 1))
    best = min(costs)
    equals = [table for table, cost in zip(tables, costs, strict=True) if cost == best]
    cursor = cursors.get(level, b"")
    seed = next((table for table in equals if table.smallest >= cursor), equals[0])
    most_bytes = output_table_bytes(options, level_targets(version, options), level + 1)
    return _push_down(version, options, level, _grown(version, level, seed, most_bytes), "size")


def _grown(version: Version, level: int, seed: TableMetadata, most_bytes: int) -> Tables:
    """Return `seed` with neighbours that come for free: no more tables of the next level, not above `most_bytes`."""
    tables = version.levels[level]
    first = tables.index(seed)
    last = first + 1
    lower = version.overlapping(level + 1, *hull([seed]))
    room = most_bytes - seed.size_bytes
    while last < len(tables) and tables[last].size_bytes <= room:
        if version.overlapping(level + 1, *hull(tables[first : last + 1])) != lower:
            break
        room -= tables[last].size_bytes
        last += 1
    while first and tables[first - 1].size_bytes <= room:
        if version.overlapping(level + 1, *hull(tables[first - 1 : last])) != lower:
            break
        first -= 1
        room -= tables[first].size_bytes
    return tables[first:last]


def _push_down(version: Version, options: Options, level: int, chosen: Tables, reason: Reason) -> Plan:
    table_bytes = output_table_bytes(options, level_targets(version, options), level + 1)
    plan = make_plan(
        version, gather(version, level, chosen, level + 1), level + 1, reason=reason, table_bytes=table_bytes
    )
    if plan.trivial_move:
        return plan
    inputs = gather(version, level, chosen, level + 1, small_bytes=small_table_bytes(table_bytes))
    return make_plan(version, inputs, level + 1, reason=reason, table_bytes=table_bytes)


def _weight(table: TableMetadata) -> int:
    """Return the size of a table in bytes, in which each tombstone counts as one more entry of average size."""
    entries = table.entry_count + table.range_tombstone_count
    return table.size_bytes + table.size_bytes * (table.tombstone_count + table.range_tombstone_count) // entries


def _is_mostly_tombstones(table: TableMetadata) -> bool:
    tombstones = table.tombstone_count + table.range_tombstone_count
    return tombstones * _TOMBSTONE_SHARE >= table.entry_count + table.range_tombstone_count


def _smallest(table: TableMetadata) -> bytes:
    return table.smallest
