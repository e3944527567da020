"""A crash at each file-system call of a workload loses nothing that was promised, and leaves nothing half done."""

from collections.abc import Callable

import pytest

from lsm.testing import SimulatedFileSystem
from tests.crash.explore import SOAK, Exploration, Plan
from tests.crash.inspect import inspect, inspect_checkpoints, inspect_further
from tests.crash.workload import Workload, steps

PARTS = 4
SEEDS = range(20 if SOAK else 1)


def explored(plan: Plan, seed: int) -> Exploration:
    """Run the workload of a seed, and crash it at each call that the plan names."""
    filesystem = SimulatedFileSystem()
    filesystem.create_directory("/data")
    filesystem.open_directory("/").sync()
    workload = Workload(filesystem)
    visits = 0

    def visit(survivor: SimulatedFileSystem, killed: bool) -> None:
        nonlocal visits
        visits += 1
        found = inspect(
            survivor, workload, workload.ledger.promise, killed=killed, again=SOAK or killed or visits % 3 == 0
        )
        if visits % 16 == 0:
            inspect_checkpoints(survivor, workload)
            inspect_further(survivor, found, workload.options)

    exploration = Exploration(plan, lambda: workload.ledger.promise, visit)
    exploration.watch(filesystem)
    workload.run(steps(seed))
    return exploration


@pytest.mark.crash
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("part", range(PARTS))
def test_nothing_promised_is_lost(part: int, seed: int, record_property: Callable[[str, object], None]) -> None:
    """Every legal disk after a crash at any call opens with a prefix of the commits, and all that was durable."""
    exploration = explored(Plan(part=part, parts=PARTS, seed=seed, samples=8 if SOAK else 2), seed)

    for name, count in exploration.counts.items():
        record_property(name, count)
    exploration.check()
    assert exploration.counts["crash points"] > 50
    assert exploration.counts["different disks"] > 50
