"""Recovery is itself cut off at each of its calls, and recovered: the outcome is the same, whatever happens how often.

Three beginnings: a power loss, a kill (what recovery reads was never durable), and a kill after a failed sync (what it
reads never will be, although syncing it says so).
"""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import pytest

import lsm
from lsm.testing import EVERYTHING, NOTHING, Call, Fault, SimulatedFileSystem, survivals
from tests.crash.explore import SOAK, Exploration, Plan
from tests.crash.inspect import inspect, matched, recovered_content
from tests.crash.ledger import Promise
from tests.crash.workload import Workload, steps
from tests.support.killed import abandon

STRIDE = 5 if SOAK else 41
STEPS = steps(3, rounds=1, writes=6)


class Remains(NamedTuple):
    """A disk after a crash, how it came about, and what it must hold."""

    how: str
    filesystem: SimulatedFileSystem
    promise: Promise
    killed: bool


def _filesystem() -> SimulatedFileSystem:
    made = SimulatedFileSystem()
    made.create_directory("/data")
    made.open_directory("/").sync()
    return made


def _crashed() -> tuple[Workload, list[Remains]]:
    """Run a workload; return the disks after crashes at some of its calls."""
    filesystem = _filesystem()
    workload = Workload(filesystem)
    remains: list[Remains] = []

    def look(call: Call) -> None:
        if call.number % STRIDE:
            return
        promise = workload.ledger.promise
        samples = [s for s in survivals(filesystem.unsynced(), samples=1, seed=call.number) if "sample" in s.name]
        for survival in (NOTHING, EVERYTHING, *samples):
            how = f"call {call.number} ({call.operation} {call.path}), {survival.name}"
            remains.append(Remains(how, filesystem.after_power_loss(survival), promise, killed=False))
        remains.append(Remains(f"call {call.number}, killed", filesystem.after_kill(), promise, killed=True))

    filesystem.observe(look)
    workload.run(STEPS)
    return workload, remains


def _poisoned(skip: int) -> tuple[Workload, Remains] | None:
    """Run a workload until the sync number `skip` of a log fails; return the disk of a kill after that."""
    filesystem = _filesystem()
    workload = Workload(filesystem)
    fault = filesystem.fail(Fault(operation="sync", name="*.wal", skip=skip))
    with suppress(lsm.StorageError):
        for step in STEPS:
            workload.do(step)
    abandon(workload.database)
    if fault.hits == 0:
        return None
    promise = workload.ledger.promise
    return workload, Remains(f"sync {skip} failed", filesystem.after_kill(), promise, killed=True)


def _crash_again(workload: Workload, remains: Remains, counts: Counter[str]) -> None:
    """Recover, and crash that recovery at each call; every further recovery gives what the first one gives."""
    shown = recovered_content(remains.filesystem.after_kill(), verify=False)
    number = matched(workload.ledger, shown, remains.promise, killed=remains.killed)
    # Without a kill nothing is left to lose; after one, what was never durable may still go with the power.
    promise = Promise(remains.promise.durable if remains.killed else number, number, number)

    def visit(survivor: SimulatedFileSystem, killed: bool) -> None:
        inspect(survivor, workload, promise, killed=killed, again=remains.killed)

    exploration = Exploration(Plan(samples=1, canonical=SOAK), lambda: promise, visit)
    exploration.watch(remains.filesystem)
    assert recovered_content(remains.filesystem, verify=False) == shown
    counts.update(exploration.counts)
    exploration.check()


def _report(counts: Counter[str], record_property: Callable[[str, object], None]) -> None:
    for name, count in counts.items():
        record_property(name, count)


@pytest.mark.crash
def test_a_crash_in_recovery_changes_nothing(record_property: Callable[[str, object], None]) -> None:
    """Recovering from a power loss or a kill can be cut off anywhere and begun again."""
    workload, crashes = _crashed()
    counts: Counter[str] = Counter({"crashes before": len(crashes)})
    for remains in crashes:
        try:
            _crash_again(workload, remains, counts)
        except Exception as error:
            raise AssertionError(f"after {remains.how}: {error!r}") from error
    _report(counts, record_property)
    assert counts["crash points"] > 100


@pytest.mark.crash
def test_a_crash_in_the_recovery_from_a_failed_sync_changes_nothing(
    record_property: Callable[[str, object], None],
) -> None:
    """What a failed sync left in the cache is saved into new files before anything believes it."""
    counts: Counter[str] = Counter()
    skip = 0
    while (found := _poisoned(skip)) is not None:
        workload, remains = found
        try:
            _crash_again(workload, remains, counts)
        except Exception as error:
            raise AssertionError(f"after {remains.how}: {error!r}") from error
        counts["failed syncs"] += 1
        skip += 1
    _report(counts, record_property)
    assert counts["failed syncs"] > 3
