"""A crash at each file-system call of a workload loses nothing that was promised, and leaves nothing half done."""

from collections.abc import Callable

import pytest

from lsm.testing import (
    Exploration,
    Inspection,
    Plan,
    Profile,
    Recording,
    State,
    Workload,
    example_operations,
    state_ledger,
)
from tests.support.soak import SOAK

PARTS = 4
STRIDE = 1 if SOAK else 9
SEEDS = range(20 if SOAK else 1)


def explored(plan: Plan, seed: int) -> Exploration[State]:
    """Run the workload of a seed, and crash it at each call that the plan names."""
    inspection = Inspection(verify_every=1 if SOAK else 16)

    def program(recording: Recording[State]) -> None:
        inspection.workload = Workload(recording)
        inspection.workload.run(example_operations(seed))

    exploration = Exploration(inspection, plan)
    exploration.run(program, state_ledger())
    return exploration


def _check(exploration: Exploration[State], record_property: Callable[[str, object], None]) -> None:
    for name, count in exploration.counts.items():
        record_property(name, count)
    exploration.raise_failures()
    assert exploration.counts["crash points"] > 40
    assert exploration.counts["different disks"] > 50


@pytest.mark.crash
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("part", range(PARTS))
def test_nothing_promised_is_lost(part: int, seed: int, record_property: Callable[[str, object], None]) -> None:
    """Every legal disk after a crash at any call opens with a prefix of the commits, and all that was durable."""
    plan = Plan(
        part=part,
        parts=PARTS,
        call_stride=STRIDE,
        seed=seed,
        samples=8 if SOAK else 2,
        aftermath_stride=1 if SOAK else 3,
    )
    _check(explored(plan, seed), record_property)


@pytest.mark.crash
@pytest.mark.parametrize("profile", ["ext4", "xfs"])
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_promised_is_lost_on_a_journaling_file_system(
    profile: Profile, seed: int, record_property: Callable[[str, object], None]
) -> None:
    """The same on what a file system with one journal may leave."""
    plan = Plan(profile=profile, call_stride=4 * STRIDE + 1, seed=seed, kills=False, samples=8, aftermath_stride=3)
    _check(explored(plan, seed), record_property)
