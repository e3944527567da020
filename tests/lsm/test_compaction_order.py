"""The order of writes without sequence numbers: random histories are right, and each rule left out is noticed.

The rules O1 to O7 stand in `lsm/compaction/plan.py`, `lsm/compaction/job.py` and `lsm/compaction/outputs.py`. A planted
defect takes one of them away; the test shows that the histories would not pass without it.
"""

import os
from collections.abc import Callable, Iterator, Sequence

import msgspec
import pytest

from lsm import version as version_module
from lsm.compaction import job, leveled, manual, outputs
from lsm.compaction import plan as plan_module
from lsm.compaction.plan import LevelTables, Plan
from lsm.merging import Source, merge, uncovered
from lsm.range_tombstones import clip, flatten
from lsm.runs import MISSING, Missing, Range, Run
from lsm.sstable.reader import TableReader
from lsm.sstable.writer import WrittenTable
from lsm.version import Edit, EditConflictError, TableMetadata, Tables, Version
from tests.lsm import compaction_histories
from tests.lsm.compaction_histories import NewFile, Tree, run_history

SEEDS = 5_000 if os.environ.get("LAYERDB_SOAK") else 150
DEFECT_SEEDS = 60


@pytest.mark.model
@pytest.mark.parametrize("part", range(5))
def test_random_histories_equal_a_dict(part: int) -> None:
    """After every flush and every compaction both look-ups and a whole merge give what a dict gives."""
    for seed in range(part, SEEDS, 5):
        run_history(seed)


def test_histories_reach_every_level_and_every_kind_of_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    """The histories would be worth little if they did not get there."""
    plans: list[Plan] = []
    compact = Tree.compact

    def record(self: Tree, plan: Plan) -> None:
        plans.append(plan)
        compact(self, plan)

    monkeypatch.setattr(Tree, "compact", record)
    trees = [run_history(seed) for seed in range(40)]

    assert {level for tree in trees for level, tables in enumerate(tree.version.levels) if tables} == {0, 1, 2, 3}
    assert {plan.reason for plan in plans} == {"level 0", "size", "tombstones", "manual"}
    assert {(plan.inputs[0].level, plan.output_level) for plan in plans} >= {(0, 1), (0, 3), (1, 2), (1, 3), (2, 3)}
    assert sum(plan.trivial_move for plan in plans) > 20
    assert sum(bool(plan.older) for plan in plans) > 20
    assert any(len(tree.version.levels[3]) > 4 for tree in trees)
    assert any(table.range_tombstone_count for tree in trees for table in tree.version.levels[2])


Defect = Callable[[pytest.MonkeyPatch], None]


def newest_last(patch: pytest.MonkeyPatch) -> None:
    """O1: a flushed table goes to the end of level 0."""
    original = version_module._level_after

    def wrong(level: int, tables: Tables, edit: Edit) -> Tables:
        after = original(level, tables, edit)
        new = {table.number for target, table in edit.added if target == 0}
        return after if level else tuple(sorted(after, key=lambda table: table.number in new))

    patch.setattr(version_module, "_level_after", wrong)


def oldest_wins(patch: pytest.MonkeyPatch) -> None:
    """O1: the sources of a merge stand oldest first."""
    patch.setattr(job, "merge", lambda sources, **options: merge(sources[::-1], **options))


def older_left_behind(patch: pytest.MonkeyPatch) -> None:
    """O2: a compaction from level 0 leaves older overlapping tables there."""
    patch.setattr(plan_module, "closed_level0", lambda _, chosen: tuple(chosen))


def older_taken_once(patch: pytest.MonkeyPatch) -> None:
    """O2: older overlapping tables are taken, but not those that overlap them."""

    def wrong(version: Version, chosen: Sequence[TableMetadata]) -> Tables:
        first = min(version.levels[0].index(table) for table in chosen)
        return tuple(
            table
            for table in version.levels[0][first:]
            if table in chosen or any(other.overlaps(table.smallest, table.stop) for other in chosen)
        )

    patch.setattr(plan_module, "closed_level0", wrong)


def bounds_of_entries(patch: pytest.MonkeyPatch) -> None:
    """O3: the bounds of a table leave out its range tombstones."""
    original = Tree.metadata

    def wrong(self: Tree, new: NewFile, written: WrittenTable) -> TableMetadata:
        found = original(self, new, written)
        keys = [key for run in TableReader(new.file, new.identity, self._cache).runs() for key in run[0]]
        return msgspec.structs.replace(found, smallest=keys[0], largest=keys[-1]) if keys else found

    patch.setattr(Tree, "metadata", wrong)


def skipped_by_filter(patch: pytest.MonkeyPatch) -> None:
    """O3: a table without an entry for a key is passed over, whatever its range tombstones say."""
    original = TableReader.get

    def wrong(self: TableReader, key: bytes, key_hash: int) -> bytes | Missing | None:
        has_entry = any(True for _ in self.runs(key, key + b"\0"))
        return original(self, key, key_hash) if has_entry else MISSING

    patch.setattr(TableReader, "get", wrong)


def hides_itself(patch: pytest.MonkeyPatch) -> None:
    """O4: the range tombstones of a table hide its own entries, too."""

    def visible(source: Source) -> Iterator[Run]:
        ranges = flatten(source.range_tombstones)
        return (uncovered(run, ranges) for run in source.runs)

    def wrong(sources: Sequence[Source], *, keep_tombstones: bool) -> Iterator[Run]:
        return merge([Source(visible(source), source.range_tombstones) for source in sources], keep_tombstones=True)

    patch.setattr(job, "merge", wrong)


def hides_nothing(patch: pytest.MonkeyPatch) -> None:
    """O4: what a newer range tombstone hides goes on beside it, as if it were newer."""
    patch.setattr(job, "merge", lambda sources, **rest: merge([Source(source.runs) for source in sources], **rest))


def uncut_ranges(patch: pytest.MonkeyPatch) -> None:
    """O5: every output gets whole range tombstones."""

    def wrong(self: outputs.Outputs, end: bytes | None) -> list[Range]:
        touched = clip(self._ranges, self._begin, end)
        return [part for part in self._ranges if any(clip([part], *piece) for piece in touched)]

    patch.setattr(outputs.Outputs, "_needed_ranges", wrong)


def spanned_table(patch: pytest.MonkeyPatch) -> None:
    """O5: one table of the output level that overlaps the inputs stays where it is."""
    original = plan_module.gather

    def wrong(version: Version, level: int, chosen: Tables, output_level: int, **rest: int) -> list[LevelTables]:
        parts = original(version, level, chosen, output_level, **rest)  # type: ignore[arg-type]  # passed on as it came
        lowest = parts[-1]
        return parts if lowest.level == level else [*parts[:-1], LevelTables(lowest.level, lowest.tables[1:])]

    for module in (compaction_histories, leveled, manual):
        patch.setattr(module, "gather", wrong)


def changed_plans(patch: pytest.MonkeyPatch, change: Callable[[Plan], Plan]) -> None:
    """Have every plan changed after it was made."""
    original = plan_module.make_plan
    for module in (compaction_histories, leveled, manual):
        patch.setattr(module, "make_plan", lambda *values, **rest: change(original(*values, **rest)))


def tombstones_dropped_early(patch: pytest.MonkeyPatch) -> None:
    """O6: tombstones are dropped whatever lies below."""
    changed_plans(patch, lambda plan: msgspec.structs.replace(plan, older=()))


def only_next_level_is_older(patch: pytest.MonkeyPatch) -> None:
    """O6: only the next level is asked what lies below."""

    def change(plan: Plan) -> Plan:
        ranges = flatten((table.smallest, table.stop) for table in plan.next_level)
        return msgspec.structs.replace(plan, older=tuple(ranges))

    changed_plans(patch, change)


def ranges_dropped_early(patch: pytest.MonkeyPatch) -> None:
    """O6: range tombstones never reach an output."""
    patch.setattr(outputs.Outputs, "_needed_ranges", lambda *_: [])


def moved_below_older(patch: pytest.MonkeyPatch) -> None:
    """O7: any table is moved on its own."""

    def wrong(version: Version, level: int, chosen: Tables, *rest: int, **more: int) -> list[LevelTables]:
        return [LevelTables(level, chosen[:1])]

    for module in (compaction_histories, leveled, manual):
        patch.setattr(module, "gather", wrong)
    patch.setattr(plan_module, "_is_move", lambda inputs, output_level, *_: inputs[0].level < output_level)


DEFECTS: list[Defect] = [
    newest_last,
    oldest_wins,
    older_left_behind,
    older_taken_once,
    bounds_of_entries,
    skipped_by_filter,
    hides_itself,
    hides_nothing,
    uncut_ranges,
    spanned_table,
    tombstones_dropped_early,
    only_next_level_is_older,
    ranges_dropped_early,
    moved_below_older,
]


@pytest.mark.model
@pytest.mark.parametrize("defect", DEFECTS)
def test_each_rule_left_out_is_noticed(defect: Defect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some history gives a wrong answer, or an edit that is refused, as soon as one rule is not kept."""
    defect(monkeypatch)
    for seed in range(DEFECT_SEEDS):
        try:
            run_history(seed, checked=False)
        except (AssertionError, EditConflictError):
            return

    pytest.fail(f"{DEFECT_SEEDS} histories are right without this rule")
