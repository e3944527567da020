"""Faults: failing calls: call after call fails in one way, and everything acknowledged stays true."""

from __future__ import annotations

import errno
from collections.abc import Callable

import lsm
from lsm.testing import (
    Call,
    FailingWorkload,
    Fault,
    Operation,
    Recording,
    SimulatedCrash,
    SimulatedFileSystem,
    Workload,
    abandon,
    example_operations,
    state_ledger,
)
from tests.defects.fault_class import Share
from tests.defects.remains import place_of, shown

STEPS: list[Operation] = example_operations(7, rounds=1, writes=4)
MOST_LOOKS = 4
MOST_CALLS = 2000
"""More than the steps make."""


class Checked(FailingWorkload):
    """A failing workload that also looks at the disk after a step in which a call failed and nobody was told."""

    _hits = 0

    def _check_live(self) -> None:
        super()._check_live()
        if self.fault.hits != self._hits and self._hits < MOST_LOOKS:
            self._hits = self.fault.hits
            self._check_disks("after a call that failed")


class PartialWrite(Fault):
    """A write takes some bytes, and the rest of it fails."""

    def meets(self, call: Call) -> bool:
        """Take a few bytes at the first call, none at the next."""
        self.short_bytes = 20 if self.hits % 2 == 0 else None
        return super().meets(call)


def failing(*faults: Callable[[int], Fault]) -> Callable[[Share], int]:
    """Return what has these faults, made for the calls to skip, meet one call after the other."""

    def tried(share: Share) -> int:
        for made in faults:
            for skip in range(MOST_CALLS):
                if share.takes():
                    fault = made(skip)
                    with share.case(_said(fault)):
                        Checked(fault).run(STEPS)
                    if not fault.hits:
                        break
        return share.cases

    return tried


def _said(fault: Fault) -> str:
    how = errno.errorcode[fault.error] if fault.short_bytes is None else f"at most {fault.short_bytes} bytes"
    times = "once" if fault.times == 1 else "until it heals"
    return f"{fault.operation} call {fault.skip} of {fault.name}: {how}, {times}"


def _each(operation: str, error: int = errno.EIO) -> list[Callable[[int], Fault]]:
    """Return faults of an operation: once, and until it heals."""
    return [
        lambda skip: Fault(operation=operation, skip=skip, error=error),
        lambda skip: Fault(operation=operation, skip=skip, error=error, times=None),
    ]


def reads_fail(share: Share) -> int:
    """A read fails, once or until it heals, while the database is used and while it recovers from a kill."""
    for skip in range(0, MOST_CALLS, 5):
        if share.takes():
            with share.case(f"kill before call {skip}, then reads fail in the recovery"):
                if not _recovered_beside_failing_reads(skip):
                    break
    failing(*_each("read"))(share)
    return share.cases


def _recovered_beside_failing_reads(number: int) -> bool:
    """Let each read of a log in a recovery fail once: it raises, or nothing is missing. False without such a call."""
    filesystem = SimulatedFileSystem()
    workload = Workload(Recording(filesystem, state_ledger()))
    filesystem.crash_at(filesystem.calls + number)
    try:
        for step in STEPS:
            workload.do(step)
    except SimulatedCrash:
        pass
    else:
        return False
    finally:
        workload.held.clear()
        abandon(workload.database)
    for skip in range(MOST_CALLS):
        survivor = filesystem.after_kill()
        fault = survivor.fail(Fault(operation="read", name="*.wal", skip=skip))
        try:
            found = shown(survivor)
        except lsm.Error:
            continue
        place_of(found, workload, workload.ledger.promise.acknowledged)
        if not fault.hits:
            return True
    return True


writes_fail = failing(*_each("write"), lambda skip: PartialWrite(operation="write", skip=skip, times=2))
syncs_fail = failing(lambda skip: Fault(operation="sync*", skip=skip))
disk_full = failing(lambda skip: Fault(operation="write", skip=skip, error=errno.ENOSPC, times=None))
short_writes = failing(
    lambda skip: Fault(operation="write", skip=skip, short_bytes=3),
    lambda skip: Fault(operation="write", skip=skip, short_bytes=3, times=None),
)
too_many_files = failing(*_each("open", errno.EMFILE))
