"""Recovery is itself cut off at each of its calls, and recovered: the outcome is the same, whatever happens how often.

Three beginnings: a power loss, a kill (what recovery reads was never durable), and a kill after a failed sync (what it
reads never will be, although syncing it says so).
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import pytest

import lsm
from lsm.testing import (
    RECOVERY,
    Exploration,
    Fault,
    Flush,
    Inspection,
    Plan,
    Recording,
    State,
    SyncFailure,
    Workload,
    abandon,
    example_operations,
    explore,
    state_ledger,
)
from tests.support.soak import SOAK

OPERATIONS = example_operations(3, rounds=1, writes=6)
NESTED = Plan(canonical=SOAK, samples=1, recovery=dataclasses.replace(RECOVERY, disk_stride=997) if SOAK else None)


def _program(recording: Recording[State]) -> None:
    Workload(recording).run(OPERATIONS)


def _report(counts: Counter[str], record_property: Callable[[str, object], None]) -> None:
    for name, count in counts.items():
        record_property(name, count)


@pytest.mark.crash
def test_a_crash_in_recovery_changes_nothing(record_property: Callable[[str, object], None]) -> None:
    """Recovering from a power loss or a kill can be cut off anywhere and begun again."""
    plan = Plan(call_stride=5 if SOAK else 97, canonical=False, samples=1, recovery=NESTED, aftermath_stride=3)

    counts = explore(_program, Inspection(), plan, ledger=state_ledger())

    _report(counts, record_property)
    assert counts["crash points"] > 100


@pytest.mark.crash
def test_a_crash_in_the_recovery_of_a_recovery_changes_nothing(
    record_property: Callable[[str, object], None],
) -> None:
    """Three crashes in a row."""
    third = dataclasses.replace(RECOVERY, call_stride=3 if SOAK else 11)
    second = dataclasses.replace(RECOVERY, call_stride=1 if SOAK else 11, recovery=third)
    plan = Plan(call_stride=29 if SOAK else 499, canonical=False, recovery=second, aftermath_stride=5)

    counts = explore(_program, Inspection(), plan, ledger=state_ledger())

    _report(counts, record_property)
    assert counts["crash points"] > 100


class FailedSync:
    """A program that goes on until a sync of a log fails in one of the ways of Linux."""

    def __init__(self, skip: int, failure: SyncFailure) -> None:
        self.fault = Fault(operation="sync", name="*.wal", skip=skip, sync_failure=failure)

    def __call__(self, recording: Recording[State]) -> None:
        """Run until then, and give up."""
        recording.filesystem.fail(self.fault)
        workload = Workload(recording)
        with suppress(lsm.StorageError):
            for operation in OPERATIONS:
                workload.do(operation)
        workload.held.clear()
        abandon(workload.database)
        if self.fault.sync_failure == "btrfs":
            # The cache goes back to what is durable, so what was only acknowledged is gone before any crash.
            recording.ledger.acknowledged = recording.ledger.durable


@pytest.mark.crash
@pytest.mark.parametrize("failure", ["ext4", "xfs", "btrfs"])
def test_a_crash_in_the_recovery_from_a_failed_sync_changes_nothing(
    failure: SyncFailure, record_property: Callable[[str, object], None]
) -> None:
    """What a failed sync left in the cache is saved into new files before anything believes it."""
    counts: Counter[str] = Counter()
    stride = 1 if SOAK else 5
    plan = Plan(at="no call, only the end", canonical=False, samples=1, recovery=NESTED)
    for skip in range(1, 999, stride):
        program = FailedSync(skip, failure)
        exploration = Exploration(Inspection(), plan)
        exploration.run(program, state_ledger())
        if program.fault.hits == 0:
            break
        counts.update(exploration.counts)
        counts["failed syncs"] += 1
        exploration.raise_failures()
    _report(counts, record_property)
    assert counts["failed syncs"] > 1


@pytest.mark.crash
def test_recovery_makes_names_durable_before_a_new_log_relies_on_them() -> None:
    """A log whose name was never durable is read after a kill; a power loss may keep the name of the next log alone."""

    def program(recording: Recording[State]) -> None:
        workload = Workload(recording)
        workload.run([*OPERATIONS[:3], Flush()])

    recovery = Plan(at="sync_directory", kills=False, samples=0)
    plan = Plan(at="sync_directory", canonical=False, recovery=recovery, aftermath_stride=99)

    explore(program, Inspection(), plan, ledger=state_ledger())
