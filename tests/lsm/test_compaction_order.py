"""The order of writes without sequence numbers: random histories are right.

The rules O1 to O7 stand in `lsm/compaction/plan.py`, `lsm/compaction/job.py` and `lsm/compaction/outputs.py`. That the
histories would not pass without one of them is shown in `tests/defects/planted_order.py`.
"""

import os

import pytest

from lsm.compaction.plan import Plan
from tests.lsm.compaction_histories import Tree, run_history

SEEDS = 5_000 if os.environ.get("LAYERDB_SOAK") else 150


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
