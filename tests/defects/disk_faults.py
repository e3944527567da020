"""Faults: crashes: a workload is cut off at each of its calls, and one class of legal disks is opened and compared.

Each fault class tries one class alone, so that a report can say which class of fault it was that found a defect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

import lsm
from lsm.testing import (
    EVERYTHING,
    NOTHING,
    Call,
    Commit,
    Fate,
    Fault,
    Operation,
    Pending,
    Promise,
    Put,
    Recording,
    SimulatedFileSystem,
    State,
    Survival,
    Workload,
    WrongRecoveryError,
    abandon,
    checked_content,
    example_operations,
    state_ledger,
)
from tests.defects.fault_class import Share
from tests.defects.remains import compare, place_of, reopened, shown

KEPT, LOST = Fate.kept(), Fate()
MOST_SYNCS = 100
"""More than the steps make."""

Choice = Callable[[Sequence[Pending]], Iterator[Survival]]
"""Which disks of one class to try, given what is not synced."""
Visit = Callable[["Watched", Call], None]


def _rotations() -> Iterator[Operation]:
    """Fill one log after the other, without a sync and then with one."""
    for number in range(6):
        puts = tuple(Put(b"k%02d" % (number + place), b"%d" % number * 90) for place in range(10))
        yield Commit("batch", puts, sync=number in {2, 3, 5})


STEPS: list[Operation] = [*_rotations(), *example_operations(5, rounds=1, writes=4)]
KEPT, LOST = Fate.kept(), Fate()
MOST_SYNCS = 100
"""More than the steps make."""
FURTHER = 8


def nothing(pending: Sequence[Pending]) -> Iterator[Survival]:
    """All that was not synced is lost."""
    yield NOTHING


def reordered(pending: Sequence[Pending]) -> Iterator[Survival]:
    """Every name is there; of the contents each is the only one that is, or the only one that is not."""
    names = {place: KEPT for place, change in enumerate(pending) if change.kind == "names"}
    for place in range(len(pending)):
        if place not in names:
            yield Survival(f"of the contents only {place}", LOST, {**names, place: KEPT})
            yield Survival(f"all but content {place}", KEPT, {place: LOST})


def lost_names(pending: Sequence[Pending]) -> Iterator[Survival]:
    """Every content is there; the names are lost all, or all but one, or only one."""
    names = [place for place, change in enumerate(pending) if change.kind == "names"]
    if names:
        yield Survival("contents only", KEPT, dict.fromkeys(names, LOST))
    for place in names:
        yield Survival(f"all but name {place}", KEPT, {place: LOST})
        yield Survival(f"of the names only {place}", KEPT, {other: LOST for other in names if other != place})


def torn(pending: Sequence[Pending]) -> Iterator[Survival]:
    """Of one write not every sector is there, or only a beginning; the file ends there, or garbage or zeros follow."""
    for place, change in enumerate(pending):
        if change.kind == "content" and change.bytes > 1:
            for cut in sorted({1, change.bytes // 2, change.bytes - 1, *range(512, change.bytes, 512)}):
                yield Survival(f"{place} cut at {cut}", KEPT, {place: Fate(cut)})
                yield Survival(f"{place} cut at {cut}, garbage behind", KEPT, {place: Fate(cut, "garbage")})
            count = (change.offset + change.bytes - 1) // 512 - change.offset // 512 + 1
            for lost in range(count if count > 1 else 0):
                fate = Fate(0, "zeros", frozenset(range(count)) - {lost})
                yield Survival(f"{place} without sector {lost}", KEPT, {place: fate})


def lengths(pending: Sequence[Pending]) -> Iterator[Survival]:
    """Files are as long as if a write had been kept, but have zeros or garbage in its place."""
    for place, change in enumerate(pending):
        if change.kind == "content" and change.bytes:
            yield Survival(f"zeros for {place}", KEPT, {place: Fate(0, "zeros")})
            yield Survival(f"garbage for {place}", KEPT, {place: Fate(0, "garbage")})


class Watched(Workload):
    """A workload that has its disk looked at before each of its calls, from the first opening on."""

    def __init__(self, visit: Visit) -> None:
        self._look: Visit | None = visit
        self._last: tuple[int, Promise] | None = None
        self.filesystem = SimulatedFileSystem()
        super().__init__(Recording(self.filesystem, state_ledger()))

    def open(self) -> lsm.Database:
        """Open; the first time, begin to watch."""
        if self._look is not None:
            self.filesystem.observe(self._watch)
        return super().open()

    def _watch(self, call: Call) -> None:
        now = (self.filesystem.disk.version, self.ledger.promise)
        if now != self._last and self._look is not None:
            self._last = now
            self._look(self, call)


def of_class(choice: Choice, *, verify_every: int = 8) -> Callable[[Share], int]:
    """Return what tries one class of disks after a power loss at each call; see `compare` for `verify_every`."""

    def tried(share: Share) -> int:
        seen: set[tuple[int, Promise]] = set()

        def visit(workload: Watched, call: Call) -> None:
            promise = workload.ledger.promise
            for survival in choice(workload.filesystem.unsynced()):
                if not share.takes():
                    continue
                survivor = workload.filesystem.after_power_loss(survival)
                key = (survivor.fingerprint(), promise)
                if key not in seen:
                    seen.add(key)
                    what = f"power loss before call {call}, {survival.name}"
                    with share.case(what):
                        compare(survivor, workload, promise, what, killed=False, verify_every=verify_every)

        Watched(visit).run(STEPS)
        return share.cases

    return tried


def kill(share: Share) -> int:
    """The process is killed before each call; the machine goes on."""

    def visit(workload: Watched, call: Call) -> None:
        if share.takes():
            what = f"kill before call {call}"
            with share.case(what):
                survivor = workload.filesystem.after_kill()
                compare(survivor, workload, workload.ledger.promise, what, killed=True, verify_every=2)

    Watched(visit).run(STEPS)
    return share.cases


def kill_then_power_loss(share: Share) -> int:
    """Kill, reopen, and then the power goes: what was read may have been in the cache alone. And the other order."""

    def visit(workload: Watched, call: Call) -> None:
        if not share.takes():
            return
        promise = workload.ledger.promise
        what = f"kill before call {call}, reopen, power loss"
        with share.case(what):
            compare(workload.filesystem.after_kill(), workload, promise, what, killed=True, again=True)
        with share.case(f"power loss before call {call}, reopen, write, kill"):
            _written_and_killed(workload.filesystem.after_power_loss(EVERYTHING), workload, promise)

    Watched(visit).run(STEPS)
    return share.cases


def _written_and_killed(survivor: SimulatedFileSystem, workload: Workload, promise: Promise) -> None:
    """Recover, write without sync, kill, recover, power loss, recover: nothing that was shown goes away."""
    database = reopened(survivor)
    try:
        found = checked_content(database)
        place_of(found, workload, promise.durable)
        database.put(b"between two crashes", b"1")
    finally:
        abandon(database)
    wanted = {**found, b"between two crashes": b"1"}
    again = survivor.after_kill()
    if shown(again) != wanted:
        raise WrongRecoveryError("a write after the recovery is gone after a kill")
    if shown(again.after_power_loss()) != wanted:
        raise WrongRecoveryError("a write that a recovery has shown is gone after a power loss")


def crash_in_recovery(share: Share) -> int:
    """Every recovery is itself cut off at each of its calls, by a kill and by power losses."""

    def visit(workload: Watched, call: Call) -> None:
        if call.number % 3:
            return
        filesystem, promise = workload.filesystem, workload.ledger.promise
        for how, killed in (("kill", True), ("power loss", False)):
            if share.takes():
                with share.case(f"{how} before call {call}, then in the recovery"):
                    disk = filesystem.after_kill() if killed else filesystem.after_power_loss(EVERYTHING)
                    _recover_with_crashes(disk, workload, promise, killed=killed)

    Watched(visit).run(STEPS)
    return share.cases


def _recover_with_crashes(disk: SimulatedFileSystem, workload: Workload, promise: Promise, *, killed: bool) -> None:
    """Recover, and crash that at each of its calls; what the first recovery gives, all others give."""
    found = shown(disk.after_kill())
    number = place_of(found, workload, promise.acknowledged if killed else promise.durable)
    # Without a kill nothing is left to lose; after one, what was never durable may still go with the power.
    least = Promise(promise.durable if killed else number, number, number)
    seen = {disk.after_power_loss(NOTHING).fingerprint()}

    def look(call: Call) -> None:
        for how, survivor, is_kill in (
            ("killed", disk.after_kill(), True),
            ("nothing kept", disk.after_power_loss(NOTHING), False),
        ):
            if survivor.fingerprint() not in seen:
                seen.add(survivor.fingerprint())
                what = f"call {call} of it, {how}"
                try:
                    compare(survivor, workload, least, what, killed=is_kill, again=killed)
                except (AssertionError, lsm.Error) as error:
                    raise WrongRecoveryError(f"{what}: {error}") from error

    disk.observe(look)
    shown(disk)


def failed_sync_then_kill(share: Share) -> int:
    """A sync of a log fails, the process dies before or after it hears of it, and later the power goes."""
    for skip in range(MOST_SYNCS):
        if share.takes():
            with share.case(f"sync {skip} of a log fails, kill, reopen, write, power loss"):
                if not _failed_and_killed(skip):
                    break
    return share.cases


def _failed_and_killed(skip: int) -> bool:
    """Let a sync fail; check what two processes see that were started before and after the dying one was told."""
    filesystem = SimulatedFileSystem()
    workload = Workload(Recording(filesystem, state_ledger()))
    fault = filesystem.fail(Fault(operation="sync", name="*.wal", skip=skip))
    unheard: list[tuple[SimulatedFileSystem, Promise]] = []

    def after_the_fault(_: Call) -> None:
        if fault.hits and not unheard:
            unheard.append((filesystem.after_kill(), workload.ledger.promise))

    filesystem.observe(after_the_fault)
    with suppress(lsm.StorageError):
        for step in STEPS:
            workload.do(step)
    workload.held.clear()
    abandon(workload.database)
    filesystem.observe(None)
    if not fault.hits:
        return False
    for survivor, promise in [*unheard, (filesystem.after_kill(), workload.ledger.promise)]:
        _recover_with_crashes(survivor.after_kill(), workload, promise, killed=True)
        found = compare(survivor, workload, promise, f"failed sync {skip}", killed=True, again=True)
        _write_and_lose_power(survivor, found)
    return True


def _write_and_lose_power(survivor: SimulatedFileSystem, found: State) -> None:
    """What is acknowledged with sync after such a recovery survives a power loss as well."""
    database = reopened(survivor)
    try:
        database.put(b"after", b"the failed sync", sync=True)
    finally:
        abandon(database)
    if shown(survivor.after_power_loss()) != {**found, b"after": b"the failed sync"}:
        raise WrongRecoveryError("a power loss takes what was synced after the recovery from a failed sync")
