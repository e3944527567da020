"""Cuts a running program off at each of its file-system calls, in every chosen way, and has what is left checked.

The program runs once. An observer is told of each call before it is made, takes copies of the disk as a power loss or
a kill at that instant would leave it, and has them checked while the program stands still. The check opens what is
left, so it contains the recovery; a plan for its own crashes (`Plan.recovery`) cuts that off in the same way, to any
depth. After a check the power fails once more: nothing that it has shown may go.

A crash has an address that finds it again, given the same program and seed: the number of the call and the name of the
choice, one pair for each crash of the chain, as `123:only 5/7:killed`; `end` is the moment after the last call.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import Any, Generic, NamedTuple

from lsm.errors import InvalidArgumentError
from lsm.testing.crashes import Crash, Recording, WrongRecoveryError, difference
from lsm.testing.faults import Call
from lsm.testing.file_system import SimulatedFileSystem
from lsm.testing.ledger import Entry, Ledger, Promise
from lsm.testing.survival import EVERYTHING, NOTHING, Profile, Survival, legal, random_survivals, subsets, survivals

END = "end"
_END_CALL = Call(-1, END, "")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """Which crashes are tried.

    at: a pattern for the operations that are cut off, as `sync*`; by default every call.
    profile: what kind of file system the power loss happens to; see `lsm.testing.survival`.
    kills: whether the process is also killed, with the machine going on.
    canonical: try the whole canonical set of disks; otherwise only nothing and everything.
    samples: random subsets and tears at each call.
    all_subsets_up_to: with no more unsynced changes than this, every subset is tried.
    call_stride: only each so-manieth call.
    part, parts: only calls whose number modulo `parts` is `part`, so that several processes share the work.
    aftermath_stride: the power fails again after each so-manieth check that passed.
    recovery: which crashes of the check itself are tried, in turn; None for none.
    disk_stride: in a plan for recovery: only for each so-manieth of the different disks before.
    seed: of the samples and of the environment's random bytes.
    most_failures: stop after so many.
    replay: the address of one crash: try only that.
    """

    at: str = "*"
    profile: Profile = "strict"
    kills: bool = True
    canonical: bool = True
    samples: int = 2
    all_subsets_up_to: int = 4
    call_stride: int = 1
    part: int = 0
    parts: int = 1
    aftermath_stride: int = 1
    recovery: Plan | None = None
    disk_stride: int = 1
    seed: int = 0
    most_failures: int = 3
    replay: str = ""

    def admits(self, call: Call) -> bool:
        """Tell whether this call is to be cut off."""
        if call.operation == END:
            return self.part == 0
        if not fnmatchcase(call.operation, self.at):
            return False
        return call.number % self.parts == self.part and call.number // self.parts % self.call_stride == 0


RECOVERY = Plan(canonical=False, samples=0)
"""Crashes of a recovery that are worth trying everywhere: nothing kept, everything kept, killed."""


class Failure(NamedTuple):
    """One crash whose check raised."""

    address: str
    call: Call
    seed: int
    error: BaseException

    def __str__(self) -> str:
        """Say in one line what happened, and how to repeat it."""
        reason = next(iter(str(self.error).splitlines()), "")
        return (
            f"{type(self.error).__name__}: {reason}; at call {self.call}; "
            f"repeat with Plan(seed={self.seed}, replay={self.address!r})"
        )


class CrashTestError(AssertionError):
    """A check raised after at least one crash; each line of the message is one of them."""

    def __init__(self, failures: list[Failure]) -> None:
        super().__init__("\n".join(map(str, failures)))
        self.failures = failures


class _CheckFailedError(Exception):
    """A check has raised, and this is recorded."""


class _Scene(NamedTuple):
    """What the next crash happens in: a process, the crashes before it, and what must hold after them."""

    filesystem: SimulatedFileSystem
    name: str
    plan: Plan
    address: tuple[str, ...]
    killed: bool
    promise: Callable[[], Promise]
    shown: Any
    """What a check of the disk before showed, and every later one must show; None if it showed nothing."""
    call: Call
    """The call at which the last crash happened."""
    seen: set[tuple[int, int]]


class Exploration(Generic[Entry]):
    """Counts and failures of one or more explored runs; most tests only need `explore`."""

    def __init__(self, check: Callable[[Crash[Entry]], Any], plan: Plan | None = None) -> None:
        self.plan = Plan() if plan is None else plan
        self.counts: Counter[str] = Counter()
        """How many crash points, disks, different disks, kills, and checks there were."""
        self.failures: list[Failure] = []
        self._check = check
        self._replay = tuple(part.partition(":")[::2] for part in self.plan.replay.split("/") if part)
        self._disks = 0

    def run(self, program: Callable[[Recording[Entry]], object], ledger: Ledger[Entry] | None = None) -> None:
        """Run a program once, on a new disk, and crash it at each of its calls and at its end."""
        recording = Recording(SimulatedFileSystem(), Ledger[Entry]() if ledger is None else ledger, seed=self.plan.seed)
        look = self.watch(recording.filesystem, recording.ledger)
        program(recording)
        recording.filesystem.observe(None)
        look(_END_CALL)

    def watch(self, filesystem: SimulatedFileSystem, ledger: Ledger[Entry], name: str = "") -> Callable[[Call], None]:
        """Crash this process at each of its calls from now on; return the function that looks at one call.

        With several processes on one disk, watch each of them, with names of their own; they stand before the numbers
        of calls in addresses. A crash takes all processes.
        """
        scene = _Scene(filesystem, name, self.plan, (), True, lambda: ledger.promise, None, _END_CALL, set())
        return self._watch(scene, ledger)

    def raise_failures(self) -> None:
        """Raise `CrashTestError` if anything went wrong, or if there was no crash with the address to replay."""
        if self.failures:
            raise CrashTestError(self.failures) from self.failures[0].error
        if self.plan.replay and not self.counts["checks"]:
            raise InvalidArgumentError(f"no crash has the address {self.plan.replay!r}")

    def _watch(self, scene: _Scene, ledger: Ledger[Entry]) -> Callable[[Call], None]:
        last: tuple[int, Promise] | None = None

        def look(call: Call) -> None:
            nonlocal last
            if not self._is_wanted(scene, call):
                return
            self.counts["crash points"] += 1
            promise = scene.promise()
            now = (scene.filesystem.disk.version, promise)
            is_same = now == last and not self._replay
            last = now
            for name, survivor, killed in _unfinished(scene, call) if is_same else _survivors(scene, call):
                if self._is_chosen(scene, call, name):
                    self._visit(scene, ledger, call, name, survivor, killed=killed)

        scene.filesystem.observe(look)
        return look

    def _is_wanted(self, scene: _Scene, call: Call) -> bool:
        depth = len(scene.address)
        if self._replay:
            return depth < len(self._replay) and self._replay[depth][0] == _place(scene, call)
        return len(self.failures) < self.plan.most_failures and scene.plan.admits(call)

    def _is_chosen(self, scene: _Scene, call: Call, name: str) -> bool:
        if self._replay:
            return self._replay[len(scene.address)] == (_place(scene, call), name)
        return len(self.failures) < self.plan.most_failures

    def _visit(
        self,
        scene: _Scene,
        ledger: Ledger[Entry],
        call: Call,
        name: str,
        survivor: SimulatedFileSystem,
        *,
        killed: bool,
    ) -> None:
        """Check one disk, unless the same was checked before."""
        self.counts["disks"] += 1
        promise = scene.promise()
        promised = promise.acknowledged if killed and scene.killed else promise.durable
        key = (survivor.fingerprint(), promised)
        if key in scene.seen and not killed and not self._replay:
            return
        if not killed:
            scene.seen.add(key)
        self._disks += 1
        self.counts["kills" if killed else "different disks"] += 1
        address = (*scene.address, f"{_place(scene, call)}:{name}")
        # After a kill, what was never durable may still go with the power.
        shown = scene.shown if killed or not scene.killed else None
        after = _Scene(survivor, "", scene.plan, address, killed and scene.killed, lambda: promise, shown, call, set())
        with suppress(_CheckFailedError):
            self._check_all(after, ledger, promised)

    def _check_all(self, scene: _Scene, ledger: Ledger[Entry], promised: int) -> None:
        """Check, crash the check as the plan says, and check once more what a power loss leaves after it."""
        nested = scene.plan.recovery
        is_nested = nested is not None and self._is_nested(scene, nested)
        target = scene.filesystem.after_kill() if is_nested else scene.filesystem
        shown = self._checked(scene, ledger, promised, target)
        if nested is not None and is_nested:
            inner = scene._replace(plan=nested, shown=shown)
            self._watch(inner, ledger)
            self._checked(inner, ledger, promised, scene.filesystem)
            scene.filesystem.observe(None)
        if self._has_aftermath(scene):
            later = scene._replace(address=(*scene.address, f"{END}:{NOTHING.name}"), shown=shown)
            nothing = legal(NOTHING, target.unsynced(), scene.plan.profile)
            self._checked(later, ledger, promised, target.after_power_loss(nothing))

    def _is_nested(self, scene: _Scene, nested: Plan) -> bool:
        if self._replay:
            return len(scene.address) < len(self._replay)
        return self._disks % nested.disk_stride == 0

    def _has_aftermath(self, scene: _Scene) -> bool:
        if self._replay:
            return len(scene.address) >= len(self._replay) - 1
        return self._disks % scene.plan.aftermath_stride == 0

    def _checked(self, scene: _Scene, ledger: Ledger[Entry], promised: int, filesystem: SimulatedFileSystem) -> Any:
        """Check a disk; what the check shows must be what an earlier one has shown."""
        self.counts["checks"] += 1
        crash = Crash(
            filesystem,
            ledger.entries,
            promised,
            killed=scene.killed,
            address="/".join(scene.address),
            seed=self.plan.seed,
        )
        try:
            shown = self._check(crash)
            if scene.shown is not None:
                _compare(shown, scene.shown)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # every error is a finding, and belongs to this crash
            self.failures.append(Failure(crash.address, scene.call, self.plan.seed, error))
            raise _CheckFailedError from error
        return shown


def explore(
    program: Callable[[Recording[Entry]], object],
    check: Callable[[Crash[Entry]], Any],
    plan: Plan | None = None,
    *,
    ledger: Ledger[Entry] | None = None,
) -> Counter[str]:
    """Run a program once on a simulated machine, crash it at each call, and check what every crash leaves.

    Args:
        program: Does what is to be tested, and promises (`Recording.promise`) as it goes. It should make the same calls
            each time: one thread, and databases with `maintenance=False`; otherwise a failure may not repeat.
        check: Opens what is left and raises if it is wrong. It is called for each disk. What it returns, if that is
            not None, must come out again when the same disk is recovered once more, also after crashes in between.
        plan: Which crashes are tried; by default all calls, the canonical disks, and kills.
        ledger: Where promises are kept; by default a new one, empty.

    Returns:
        How much was tried: crash points, disks, different disks, kills, checks.

    Raises:
        CrashTestError: A check raised; one line for each crash, with the way to repeat just that one.

    Cost: a check for each different disk, about three times the unsynced changes at each call.
    """
    exploration: Exploration[Entry] = Exploration(check, plan)
    exploration.run(program, ledger)
    exploration.raise_failures()
    return exploration.counts


def _compare(shown: object, wanted: object) -> None:
    if shown != wanted:
        raise WrongRecoveryError(f"another recovery changes what the first has shown: {difference(shown, wanted)}")


def _place(scene: _Scene, call: Call) -> str:
    return f"{scene.name}{END if call.operation == END else call.number}"


def _survivors(scene: _Scene, call: Call) -> Iterator[tuple[str, SimulatedFileSystem, bool]]:
    """Yield each choice at a call: its name, the disk that it leaves, and whether it is a kill."""
    for survival in _choices(scene, call):
        yield survival.name, scene.filesystem.after_power_loss(survival), False
    if scene.plan.kills:
        yield "killed", scene.filesystem.after_kill(), True
        yield from _unfinished(scene, call)


def _unfinished(scene: _Scene, call: Call) -> Iterator[tuple[str, SimulatedFileSystem, bool]]:
    """Yield the kills in the middle of a write."""
    if scene.plan.kills and call.bytes > 1:
        for written_bytes in sorted({1, call.bytes // 2, call.bytes - 1}):
            yield f"killed after {written_bytes} bytes", scene.filesystem.after_kill(written_bytes=written_bytes), True


def _choices(scene: _Scene, call: Call) -> Iterator[Survival]:
    plan, pending, seed = scene.plan, scene.filesystem.unsynced(), scene.plan.seed + call.number
    if not plan.canonical:
        for choice in (NOTHING, EVERYTHING):
            yield legal(choice, pending, plan.profile)
        yield from random_survivals(pending, plan.samples, seed=seed, profile=plan.profile)
        return
    yield from survivals(pending, samples=plan.samples, seed=seed, profile=plan.profile)
    if len(pending) <= plan.all_subsets_up_to:
        yield from subsets(pending, profile=plan.profile)
