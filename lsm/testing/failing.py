"""A workload whose calls fail: each failure must be a typed error that leaves the truth intact.

After every operation the handle still shows every acknowledged commit, and none whose error said that it was not made.
When the cause is gone, writing goes on without reopening, unless a sync had failed. At the end, and right after the
first error, the disk is copied as a kill and as power losses would leave it, and must keep the promise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import lsm
from lsm.testing.crashes import Crash, Recording, WrongRecoveryError, difference
from lsm.testing.faults import Fault
from lsm.testing.file_system import SimulatedFileSystem
from lsm.testing.inspection import Inspection
from lsm.testing.operations import Commit, Flush, Operation, Read, Reopen
from lsm.testing.statements import Put, State, after
from lsm.testing.survival import EVERYTHING, NOTHING, random_survivals
from lsm.testing.workload import SMALL_OPTIONS, Workload, content, state_ledger, write

UNKNOWN = (lsm.SyncFailedError, lsm.CommitOutcomeUnknownError)
"""Errors after which a commit may be there or not."""


class FailingWorkload(Workload):
    """A workload whose calls fail by one fault, from the very first call on.

    Args:
        fault: Which calls fail. It is taken away for each comparison, and for good after `patience` errors.
        samples: How many random disks are tried beside nothing, everything and a kill.
        patience: So many errors are met before a lasting cause goes away.
    """

    def __init__(
        self,
        fault: Fault,
        *,
        options: lsm.Options = SMALL_OPTIONS,
        samples: int = 1,
        patience: int = 3,
        check: Inspection | None = None,
    ) -> None:
        self.fault = fault
        self.samples = samples
        self.patience = patience
        self.counts: Counter[str] = Counter()
        """How often each error was met, and how many disks were tried."""
        self.is_doubtful = False
        """Whether the last entry of the ledger belongs to a commit of unknown outcome."""
        self.is_poisoned = False
        self.filesystem = SimulatedFileSystem()
        self.check = Inspection(options, verify_every=4) if check is None else check
        self.filesystem.create_directory("/data")
        self.filesystem.open_directory("/").sync()
        self.filesystem.fail(fault)
        super().__init__(Recording(self.filesystem, state_ledger()), options)
        self.check.workload = self

    def open(self) -> lsm.Database:
        """Open the database; an error passes with its cause, and leaves a directory that can be opened."""
        for _ in range(self.patience):
            try:
                return super().open()
            except lsm.Error as error:
                self._count(error)
        self.filesystem.heal()
        return super().open()

    def run(self, operations: Sequence[Operation]) -> None:
        """Do all operations whatever fails, then check the disk and what is recovered from it."""
        with self.abandoned_on_error():
            self._do_all(operations)
            self.filesystem.heal()
            self._go_on()
            self._check_disks("at the end")
            self.close()

    def _do_all(self, operations: Sequence[Operation]) -> None:
        errors = 0
        for operation in operations:
            try:
                self.do(operation)
            except lsm.Error as error:
                self._count(error)
                self.is_poisoned = self.is_poisoned or isinstance(error, lsm.SyncFailedError)
                errors += 1
                if errors == 1:
                    self._check_disks("after the first error")
                if errors == self.patience:
                    self.filesystem.heal()
            self._check_live()

    def do(self, operation: Operation) -> None:
        """Do one operation; closing may fail, the handle is given up all the same."""
        if isinstance(operation, Reopen):
            self._reopen()
        elif isinstance(operation, Flush) and self.is_doubtful:
            self.database.flush()
        elif isinstance(operation, Read):
            content(self.database)
        else:
            super().do(operation)

    def commit(self, operation: Commit) -> None:
        """Write, and enter it according to the answer."""
        self.ledger.issue(after(self.ledger.last, operation.effect))
        try:
            write(self.database, operation)
        except UNKNOWN:
            if self.is_poisoned or self.is_doubtful:
                self.ledger.withdraw()
            else:
                self.is_doubtful = True
            raise
        except lsm.Error:
            self.ledger.withdraw()
            raise
        if self.is_poisoned:
            raise WrongRecoveryError("a write was accepted after a failed sync")
        if self.is_doubtful:
            self._resolve(operation)
        self.ledger.acknowledge()
        if operation.sync:
            self.ledger.settle()

    def _resolve(self, operation: Commit) -> None:
        """Learn from the content whether the commit of unknown outcome before this one was made."""
        entries = self.ledger.entries
        without = after(entries[-3], operation.effect)
        if content(self.database) == without:
            entries[-2:] = [without]
        self.is_doubtful = False

    def _reopen(self) -> None:
        """Close and open; learn what became of a commit of unknown outcome; what is shown now is durable."""
        try:
            self.close()
        except lsm.Error as error:
            self._count(error)
        else:
            self.ledger.settle()
        self.database = self.open()
        try:
            found = content(self.database)
        except lsm.StorageError as error:
            self._count(error)
            return
        self.ledger.accept(self._crash(self.filesystem, "reopened", killed=True).check_state(found))
        self.is_doubtful = self.is_poisoned = False

    def _check_live(self) -> None:
        """Compare what the handle shows, by calls that do not fail and are not counted."""
        lasting = self.filesystem.faults
        self.filesystem.heal()
        found = content(self.database)
        for fault in lasting:
            self.filesystem.fail(fault)
        allowed = self.ledger.entries[-2:] if self.is_doubtful else self.ledger.entries[-1:]
        if found not in allowed:
            raise WrongRecoveryError(f"right after an error: {difference(found, self.ledger.last)}")

    def _go_on(self) -> None:
        """Write once more: at once when no sync had failed, after reopening otherwise."""
        if self.is_poisoned:
            try:
                self.database.put(b"refused", b"")
            except lsm.SyncFailedError:
                self.counts["stopped by a failed sync"] += 1
            else:
                raise WrongRecoveryError("a write was accepted after a failed sync")
            self.do(Reopen())
        self.commit(Commit("plain", (Put(b"last", b"written when all is well"),), sync=True))

    def _check_disks(self, when: str) -> None:
        pending = self.filesystem.unsynced()
        for survival in (NOTHING, EVERYTHING, *random_survivals(pending, self.samples, seed=self.filesystem.calls)):
            self._check_disk(self.filesystem.after_power_loss(survival), f"{when}, power loss, {survival.name}")
        self._check_disk(self.filesystem.after_kill(), f"{when}, killed", killed=True)

    def _check_disk(self, survivor: SimulatedFileSystem, how: str, *, killed: bool = False) -> None:
        self.counts["disks"] += 1
        try:
            self.check(self._crash(survivor, how, killed=killed))
        except Exception as error:
            raise WrongRecoveryError(f"{how}: {error!r}") from error

    def _crash(self, survivor: SimulatedFileSystem, how: str, *, killed: bool) -> Crash[State]:
        promise = self.ledger.promise
        least = promise.acknowledged if killed else promise.durable
        return Crash(survivor, self.ledger.entries, least, killed=killed, address=how)

    def _count(self, error: lsm.Error) -> None:
        self.counts[type(error).__name__] += 1
