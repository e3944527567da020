"""Compaction that somebody asks for: a range of keys is brought into the last level, step by step.

Level 0 goes first, into the base level. Then the range is swept from its start: each step takes what overlaps the next
table that is not yet in the last level, from all levels at once, and merges it into the last level. A table of the last
level that holds tombstones is rewritten without them. Every step is a plan of bounded size that is installed on its
own, so whoever stops after any of them keeps what was done, and writing goes on meanwhile; what is written behind the
sweep is not compacted again.

Pure functions: what is left to do is a value that the caller hands from step to step.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from lsm.compaction.leveled import level_targets, output_table_bytes, plan_level0
from lsm.compaction.plan import Plan, gather, make_plan
from lsm.options import Options
from lsm.version import TableMetadata, Version, hull


class RangeWork(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of a manual compaction.

    start, stop: the range that is not yet done; None = no bound.
    level0: whether level 0 is still to be merged.
    """

    start: bytes | None = None
    stop: bytes | None = None
    level0: bool = True


class RangeStep(NamedTuple):
    """One step: its plan, and what is left once it is installed (None: nothing)."""

    plan: Plan
    rest: RangeWork | None


def plan_range(version: Version, options: Options, work: RangeWork) -> RangeStep | None:
    """Return the next step of a manual compaction, or None when the range is compacted. O(tables).

    A step that could not be installed is asked for again, with the same `work` and the version as it then is.
    """
    if work.level0:
        chosen = version.overlapping(0, work.start, work.stop)
        if chosen:
            plan = plan_level0(version, options, chosen, "manual")
            return RangeStep(plan, msgspec.structs.replace(work, level0=False))
    table = _next_table(version, work)
    if table is None:
        return None
    last = len(version.levels) - 1
    reach = hull((table, *version.overlapping(last, table.smallest, table.stop)))
    level = next(level for level in range(1, last + 1) if version.overlapping(level, *reach))
    chosen = version.overlapping(level, *reach)
    table_bytes = output_table_bytes(options, level_targets(version, options), last)
    inputs = gather(version, level, chosen, last, reach=reach)
    plan = make_plan(version, inputs, last, reason="manual", table_bytes=table_bytes)
    return RangeStep(plan, _rest_behind(work, reach[1]))


def _next_table(version: Version, work: RangeWork) -> TableMetadata | None:
    """Return the table with the smallest key of those in the range that are above the last level or hold tombstones."""
    last = len(version.levels) - 1
    found = [version.overlapping(level, work.start, work.stop)[:1] for level in range(1, last)]
    found.append(tuple(filter(_has_tombstones, version.overlapping(last, work.start, work.stop)))[:1])
    return min((table for tables in found for table in tables), key=lambda table: table.smallest, default=None)


def _rest_behind(work: RangeWork, done: bytes | None) -> RangeWork | None:
    """Return what is left of `work` when everything before the key `done` is compacted; None = everything is."""
    if done is None or (work.stop is not None and done >= work.stop):
        return None
    return RangeWork(start=done, stop=work.stop, level0=False)


def _has_tombstones(table: TableMetadata) -> bool:
    return bool(table.tombstone_count + table.range_tombstone_count)
