"""Runs a workload while calls fail, and checks that each failure is a typed error that leaves the truth intact.

After every step the handle still shows every acknowledged commit, and none whose error said that it was not made. When
the cause is gone, writing goes on without reopening, unless a sync had failed. At the end, and right after the first
error, the disk is copied as a kill and as power losses would leave it, and must keep the promise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import lsm
from lsm.testing import EVERYTHING, NOTHING, Fault, SimulatedFileSystem, survivals
from tests.crash.inspect import WrongRecoveryError, inspect
from tests.crash.workload import Commit, Flush, Read, Reopen, Step, Workload, content, write
from tests.support.model import Put, after

UNKNOWN = (lsm.SyncFailedError, lsm.CommitOutcomeUnknownError)
"""Errors after which a commit may be there or not."""
PATIENCE = 3
"""So many errors are met before a lasting cause goes away."""


class FailingWorkload(Workload):
    """A workload whose calls fail by one fault, from the very first call on."""

    def __init__(self, fault: Fault, *, depth: int = 1) -> None:
        self.fault = fault
        self.depth = depth
        self.counts: Counter[str] = Counter()
        self.doubtful = False
        """Whether the last state in the ledger belongs to a commit of unknown outcome."""
        self.poisoned = False
        filesystem = SimulatedFileSystem()
        filesystem.create_directory("/data")
        filesystem.open_directory("/").sync()
        filesystem.fail(fault)
        self.first_call = filesystem.calls
        super().__init__(filesystem)

    def open(self) -> lsm.Database:
        """Open the database; an error passes with its cause, and leaves a directory that can be opened."""
        for _ in range(PATIENCE):
            try:
                return super().open()
            except lsm.Error as error:
                self._count(error)
        self.filesystem.heal()
        return super().open()

    def run(self, steps: Sequence[Step]) -> None:
        """Do all steps whatever fails, then check the disk and what is recovered from it."""
        with self.abandoned_on_error():
            self._do_all(steps)
            self.filesystem.heal()
            self._go_on()
            self._check_disks("at the end")
            self.database.close()

    def _do_all(self, steps: Sequence[Step]) -> None:
        errors = 0
        for step in steps:
            try:
                self.do(step)
            except lsm.Error as error:
                self._count(error)
                self.poisoned = self.poisoned or isinstance(error, lsm.SyncFailedError)
                errors += 1
                if errors == 1:
                    self._check_disks("after the first error")
                if errors == PATIENCE:
                    self.filesystem.heal()
            self._check_live()

    def do(self, step: Step) -> None:
        """Do one step; closing may fail, the handle is given up all the same."""
        if isinstance(step, Reopen):
            try:
                self.database.close()
            except lsm.Error as error:
                self._count(error)
            else:
                self.ledger.settle()
            self._reopen()
        elif isinstance(step, Flush) and self.doubtful:
            self.database.flush()
        elif isinstance(step, Read):
            content(self.database)
        else:
            super().do(step)

    def commit(self, step: Commit) -> None:
        """Write, and enter it according to the answer."""
        self.ledger.issue(step.effect)
        try:
            write(self.database, step)
        except UNKNOWN:
            if self.poisoned or self.doubtful:
                self.ledger.withdraw()
            else:
                self.doubtful = True
            raise
        except lsm.Error:
            self.ledger.withdraw()
            raise
        if self.poisoned:
            raise WrongRecoveryError("a write was accepted after a failed sync")
        if self.doubtful:
            self._resolve(step)
        self.ledger.acknowledge()
        if step.sync:
            self.ledger.settle()

    def _resolve(self, step: Commit) -> None:
        """Learn from the content whether the commit of unknown outcome before this one was made."""
        states = self.ledger.states
        without = after(states[-3], step.effect)
        if content(self.database) == without:
            states[-2:] = [without]
        self.doubtful = False

    def _reopen(self) -> None:
        """Open, and learn what became of a commit of unknown outcome; what is shown now is durable."""
        self.database = self.open()
        self._settle_recovered()

    def _settle_recovered(self) -> None:
        found = self._content()
        if found is None:
            return
        ledger = self.ledger
        number = ledger.found(found, ledger.acknowledged, len(ledger.states) - 1)
        if number is None:
            difference = ledger.differences(found, ledger.acknowledged)
            raise WrongRecoveryError(f"reopened after an error: {difference}")
        del ledger.states[number + 1 :]
        ledger.acknowledge()
        ledger.settle()
        self.doubtful = self.poisoned = False

    def _content(self) -> dict[bytes, bytes] | None:
        """Read everything; None while reading itself fails."""
        try:
            return content(self.database)
        except lsm.StorageError as error:
            self._count(error)
            return None

    def _check_live(self) -> None:
        """Compare what the handle shows, by calls that do not fail and are not counted."""
        lasting = self.filesystem.faults
        self.filesystem.heal()
        found = content(self.database)
        for fault in lasting:
            self.filesystem.fail(fault)
        allowed = self.ledger.states[-2:] if self.doubtful else self.ledger.states[-1:]
        if found not in allowed:
            difference = self.ledger.differences(found, len(self.ledger.states) - 1)
            raise WrongRecoveryError(f"right after an error: {difference}")

    def _go_on(self) -> None:
        """Write once more: at once when no sync had failed, after reopening otherwise."""
        if self.poisoned:
            try:
                self.database.put(b"refused", b"")
            except lsm.SyncFailedError:
                self.counts["stopped by a failed sync"] += 1
            else:
                raise WrongRecoveryError("a write was accepted after a failed sync")
            self.do(Reopen())
        self.commit(Commit("plain", (Put(b"last", b"written when all is well"),), sync=True))

    def _check_disks(self, when: str) -> None:
        canonical = survivals(self.filesystem.unsynced(), samples=self.depth, seed=self.filesystem.calls)
        samples = [survival for survival in canonical if survival.name.startswith("sample")]
        for survival in (NOTHING, EVERYTHING, *samples):
            self._check_disk(self.filesystem.after_power_loss(survival), f"{when}, power loss, {survival.name}")
        self._check_disk(self.filesystem.after_kill(), f"{when}, killed", killed=True)

    def _check_disk(self, survivor: SimulatedFileSystem, how: str, *, killed: bool = False) -> None:
        self.counts["disks"] += 1
        try:
            inspect(survivor, self, self.ledger.promise, killed=killed)
        except Exception as error:
            raise WrongRecoveryError(f"{how}: {error!r}") from error

    def _count(self, error: lsm.Error) -> None:
        self.counts[type(error).__name__] += 1
