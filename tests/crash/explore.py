"""Cuts a running workload off at each of its file-system calls, in every chosen way, and looks at what is left.

The workload is not run again for each crash: an observer is told of each call before it is made, takes copies of the
disk as a power loss or a kill at that instant would leave it, and has them inspected while the workload stands still.
"""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Callable, Iterator

from lsm.testing import (
    EVERYTHING,
    NOTHING,
    Call,
    SimulatedFileSystem,
    Survival,
    subsets,
    survivals,
)
from tests.crash.ledger import Promise

Visit = Callable[[SimulatedFileSystem, bool], None]
"""Inspects a disk; the flag says whether it is that of a kill. Raises when the disk is wrong."""

SOAK = bool(os.environ.get("LAYERDB_SOAK"))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """Which crashes are tried.

    samples: random subsets of the unsynced changes at each call.
    all_subsets_up_to: with no more unsynced changes than this, every subset is tried.
    part, parts: only calls whose number modulo `parts` is `part`, so that several processes share the work.
    most_failures: stop after so many.
    canonical: try the whole canonical set; otherwise only nothing and everything.
    """

    samples: int = 2
    all_subsets_up_to: int = 4
    part: int = 0
    parts: int = 1
    canonical: bool = True
    most_failures: int = 3
    seed: int = 0


class Exploration:
    """Counts and failures of one or more explored runs. Hook it in with `watch`."""

    def __init__(self, plan: Plan, promise: Callable[[], Promise], visit: Visit) -> None:
        self.plan = plan
        self.counts: Counter[str] = Counter()
        self.failures: list[str] = []
        self._promise = promise
        self._visit = visit
        self._seen: set[tuple[int, int, bool]] = set()
        self._last: tuple[int, Promise] | None = None

    def watch(self, filesystem: SimulatedFileSystem) -> None:
        """Crash this process at each of its calls from now on."""
        filesystem.observe(lambda call: self._look(filesystem, call))

    def check(self) -> None:
        """Raise an error that lists what went wrong, if anything did."""
        assert not self.failures, "\n".join(self.failures)

    def _look(self, filesystem: SimulatedFileSystem, call: Call) -> None:
        if len(self.failures) >= self.plan.most_failures:
            return
        if call.number % self.plan.parts != self.plan.part:
            return
        self.counts["crash points"] += 1
        promise = self._promise()
        now = (filesystem.disk.version, promise)
        if now == self._last:
            return
        self._last = now
        for survival in self._survivals(filesystem, call):
            self._try(filesystem.after_power_loss(survival), promise.durable, call, survival.name)
        self._try(filesystem.after_kill(), promise.acknowledged, call, "killed", killed=True)

    def _survivals(self, filesystem: SimulatedFileSystem, call: Call) -> Iterator[Survival]:
        pending = filesystem.unsynced()
        if not self.plan.canonical:
            yield from (NOTHING, EVERYTHING)
            return
        yield from survivals(pending, samples=self.plan.samples, seed=self.plan.seed + call.number)
        if len(pending) <= self.plan.all_subsets_up_to:
            yield from subsets(pending)

    def _try(self, survivor: SimulatedFileSystem, least: int, call: Call, how: str, *, killed: bool = False) -> None:
        self.counts["disks"] += 1
        key = (survivor.fingerprint(), least, killed)
        if key in self._seen and not killed:
            return
        self._seen.add(key)
        self.counts["kills" if killed else "different disks"] += 1
        try:
            self._visit(survivor, killed)
        except Exception as error:  # noqa: BLE001  # every error is a finding, and belongs to this crash
            self.failures.append(f"call {call.number} ({call.operation} {call.path}), {how}: {error!r}")
