"""Defects of the order of tables: one of the rules O1 to O7 is not kept.

The rules stand in `lsm/compaction/plan.py`, `lsm/compaction/job.py` and `lsm/compaction/outputs.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from lsm import version as version_module
from lsm.compaction import job, leveled, manual, outputs
from lsm.compaction import plan as plan_module
from lsm.compaction.plan import LevelTables, Plan
from lsm.merging import Source, merge, uncovered
from lsm.range_tombstones import clip, flatten
from lsm.runs import MISSING, Missing, Range, Run
from lsm.sstable.reader import TableReader
from lsm.sstable.writer import WrittenTable
from lsm.version import Edit, TableMetadata, Tables, Version
from tests.defects.defect import Defect, Patch
from tests.lsm import compaction_histories
from tests.lsm.compaction_histories import NewFile, Tree


def newest_last(patch: Patch) -> None:
    """O1: a flushed table goes to the end of level 0."""
    original = version_module._level_after

    def wrong(level: int, tables: Tables, edit: Edit) -> Tables:
        after = original(level, tables, edit)
        new = {table.number for target, table in edit.added if target == 0}
        return after if level else tuple(sorted(after, key=lambda table: table.number in new))

    patch.setattr(version_module, "_level_after", wrong)


def oldest_wins(patch: Patch) -> None:
    """O1: the sources of a merge stand oldest first."""
    patch.setattr(job, "merge", lambda sources, **options: merge(sources[::-1], **options))


def older_left_behind(patch: Patch) -> None:
    """O2: a compaction from level 0 leaves older overlapping tables there."""
    patch.setattr(plan_module, "closed_level0", lambda _, chosen: tuple(chosen))


def older_taken_once(patch: Patch) -> None:
    """O2: older overlapping tables are taken, but not those that overlap them."""

    def wrong(version: Version, chosen: Sequence[TableMetadata]) -> Tables:
        first = min(version.levels[0].index(table) for table in chosen)
        return tuple(
            table
            for table in version.levels[0][first:]
            if table in chosen or any(other.overlaps(table.smallest, table.stop) for other in chosen)
        )

    patch.setattr(plan_module, "closed_level0", wrong)


def bounds_of_entries(patch: Patch) -> None:
    """O3: the bounds of a table leave out its range tombstones."""
    original = Tree.metadata

    def wrong(self: Tree, new: NewFile, written: WrittenTable) -> TableMetadata:
        found = original(self, new, written)
        keys = [key for run in TableReader(new.file, new.identity, self._cache).runs() for key in run[0]]
        return msgspec.structs.replace(found, smallest=keys[0], largest=keys[-1]) if keys else found

    patch.setattr(Tree, "metadata", wrong)


def skipped_by_filter(patch: Patch) -> None:
    """O3: a table without an entry for a key is passed over, whatever its range tombstones say."""
    original = TableReader.get

    def wrong(self: TableReader, key: bytes, key_hash: int) -> bytes | Missing | None:
        has_entry = any(True for _ in self.runs(key, key + b"\0"))
        return original(self, key, key_hash) if has_entry else MISSING

    patch.setattr(TableReader, "get", wrong)


def hides_itself(patch: Patch) -> None:
    """O4: the range tombstones of a table hide its own entries, too."""

    def visible(source: Source) -> Iterator[Run]:
        ranges = flatten(source.range_tombstones)
        return (uncovered(run, ranges) for run in source.runs)

    def wrong(sources: Sequence[Source], *, keep_tombstones: bool) -> Iterator[Run]:
        return merge([Source(visible(source), source.range_tombstones) for source in sources], keep_tombstones=True)

    patch.setattr(job, "merge", wrong)


def hides_nothing(patch: Patch) -> None:
    """O4: what a newer range tombstone hides goes on beside it, as if it were newer."""
    patch.setattr(job, "merge", lambda sources, **rest: merge([Source(source.runs) for source in sources], **rest))


def uncut_ranges(patch: Patch) -> None:
    """O5: every output gets whole range tombstones."""

    def wrong(self: outputs.Outputs, end: bytes | None) -> list[Range]:
        touched = clip(self._ranges, self._begin, end)
        return [part for part in self._ranges if any(clip([part], *piece) for piece in touched)]

    patch.setattr(outputs.Outputs, "_needed_ranges", wrong)


def spanned_table(patch: Patch) -> None:
    """O5: one table of the output level that overlaps the inputs stays where it is."""
    original = plan_module.gather

    def wrong(version: Version, level: int, chosen: Tables, output_level: int, **rest: int) -> list[LevelTables]:
        parts = original(version, level, chosen, output_level, **rest)  # type: ignore[arg-type]  # passed on as it came
        lowest = parts[-1]
        return parts if lowest.level == level else [*parts[:-1], LevelTables(lowest.level, lowest.tables[1:])]

    for module in (compaction_histories, leveled, manual):
        patch.setattr(module, "gather", wrong)


def changed_plans(patch: Patch, change: Callable[[Plan], Plan]) -> None:
    """Have every plan changed after it was made."""
    original = plan_module.make_plan
    for module in (compaction_histories, leveled, manual):
        patch.setattr(module, "make_plan", lambda *values, **rest: change(original(*values, **rest)))


def tombstones_dropped_early(patch: Patch) -> None:
    """O6: tombstones are dropped whatever lies below."""
    changed_plans(patch, lambda plan: msgspec.structs.replace(plan, older=()))


def only_next_level_is_older(patch: Patch) -> None:
    """O6: only the next level is asked what lies below."""

    def change(plan: Plan) -> Plan:
        ranges = flatten((table.smallest, table.stop) for table in plan.next_level)
        return msgspec.structs.replace(plan, older=tuple(ranges))

    changed_plans(patch, change)


def ranges_dropped_early(patch: Patch) -> None:
    """O6: range tombstones never reach an output."""
    patch.setattr(outputs.Outputs, "_needed_ranges", lambda *_: [])


def moved_below_older(patch: Patch) -> None:
    """O7: any table is moved on its own."""

    def wrong(version: Version, level: int, chosen: Tables, *rest: int, **more: int) -> list[LevelTables]:
        return [LevelTables(level, chosen[:1])]

    for module in (compaction_histories, leveled, manual):
        patch.setattr(module, "gather", wrong)
    patch.setattr(plan_module, "_is_move", lambda inputs, output_level, *_: inputs[0].level < output_level)


DEFECTS = [
    Defect("a flushed table is listed as the oldest", newest_last, "histories"),
    Defect("a merge lets the oldest win", oldest_wins, "histories"),
    Defect("older tables of level 0 are left behind", older_left_behind, "histories"),
    Defect("older tables are taken once, not transitively", older_taken_once, "histories"),
    Defect("bounds leave range tombstones out", bounds_of_entries, "histories"),
    Defect("a table is skipped by its filter alone", skipped_by_filter, "histories"),
    Defect("own range tombstones hide own entries", hides_itself, "histories"),
    Defect("range tombstones hide nothing in a merge", hides_nothing, "histories"),
    Defect("range tombstones are not cut at outputs", uncut_ranges, "histories"),
    Defect("outputs span an untouched table", spanned_table, "histories"),
    Defect("tombstones are dropped too early", tombstones_dropped_early, "histories"),
    Defect("only the next level counts as older", only_next_level_is_older, "histories"),
    Defect("range tombstones are lost in compaction", ranges_dropped_early, "histories"),
    Defect("a table is moved below older ones", moved_below_older, "histories"),
]
