"""How a historic test shows that it would have seen the bug."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

import lsm
from lsm.testing import Commit, Inspection, Operation, Plan, Put, Recording, State, Workload, explore, state_ledger
from tests.defects.defect import Plant


def assert_only_twins_fail(check: Callable[[], object], *twins: Plant) -> None:
    """Run a check, which must pass, and again with each twin of the bug planted, where it must fail."""
    check()
    for twin in twins:
        with pytest.MonkeyPatch.context() as patch:
            twin(patch)
            try:
                check()
            except (AssertionError, lsm.Error, pytest.fail.Exception):
                continue
        pytest.fail(f"the check passes although this is planted: {twin.__doc__}")


def crashing(operations: Sequence[Operation], plan: Plan) -> Callable[[], object]:
    """Return the check that these operations survive the crashes of a plan; see `lsm.testing.explore`."""

    def program(recording: Recording[State]) -> None:
        Workload(recording).run(operations)

    return lambda: explore(program, Inspection(verify_every=999), plan, ledger=state_ledger())


def put(key: bytes, value: bytes = b"v", *, sync: bool = False) -> Commit:
    """Return a commit of one put."""
    return Commit("plain", (Put(key, value),), sync)


def filled(number: int, *, sync: bool = False) -> Commit:
    """Return a commit that fills more than half a memtable of the small options."""
    return Commit("batch", tuple(Put(b"%d %02d" % (number, place), b"f" * 90) for place in range(10)), sync)
