"""The lane of power cuts on real file systems: clone the disk under a running workload, mount it, compare.

What was acknowledged as synced before the clone must be there; the rest is a prefix of the commit order. The process is
killed and started anew now and then, without a look in between, so that cuts also hit recoveries of what was never
durable. Run inside a mount namespace as `python -m tests.real.power_cut KIND DIRECTORY CUTS`; prints a lane.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import repeat
from operator import ge, sub
from pathlib import Path
from typing import NamedTuple

import msgspec

import lsm
from lsm.testing.crashtest import BrokenPromiseError, Failure, Report
from lsm.testing.crashtest.crew import Crew
from lsm.testing.crashtest.history import Counts, History, PromisedCheckpoint
from lsm.testing.crashtest.inspection import inspect, inspect_checkpoints
from lsm.testing.crashtest.plan import options
from lsm.testing.crashtest.writer import Task
from tests.real.loop_disks import KINDS, LoopDisks, in_own_namespace, loop_disks, unavailable
from tests.real.planted_nursery import nursery_of
from tests.support.totals import Lane

_CUTS_AN_HOUR = 200
_FEWEST_CUTS = 10
_WRITERS = 3
_LIFE_CUTS = 8
"""So many cuts about hit one process before it is killed."""


def power_cuts(directory: Path, minutes: float) -> Iterator[Lane]:
    """Cut the power on each kind of file system, 200 times in a run of an hour."""
    for kind in KINDS:
        yield power_cuts_on(kind, directory, max(_FEWEST_CUTS, round(_CUTS_AN_HOUR * minutes / 60)))


def power_cuts_on(kind: str, directory: Path, cuts: int, *, planted: str = "") -> Lane:
    """Cut the power so often on one kind of file system, in a process with mounts of its own."""
    name = f"power cut, {kind}"
    reason = unavailable(kind)
    if reason:
        return Lane(name, {}, skipped=reason)
    command = [sys.executable, "-m", "tests.real.power_cut", kind, str(directory), str(cuts)]
    done = subprocess.run(in_own_namespace([*command, "--planted", planted]), stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise RuntimeError(f"the power cuts on {kind} ended with status {done.returncode}")
    return msgspec.json.decode(done.stdout, type=Lane)


class Promises(NamedTuple):
    """What had been promised at one moment."""

    durable: Counts
    acknowledged: Counts
    checkpoints: dict[int, PromisedCheckpoint]
    """Finished ones."""


class PowerCuts:
    """A workload on a disk, and the cuts."""

    def __init__(self, disks: LoopDisks, seed: int, *, planted: str) -> None:
        self.counts: Counter[str] = Counter()
        self.report = Report(seed)
        self._disks = disks
        self._planted = planted
        self._generator = random.Random(seed)
        self.history = History.of(_WRITERS)
        self.options: dict[str, object] = {}
        """Of the present process."""

    def run(self, cuts: int) -> None:
        """Cut so often. Raises `BrokenPromiseError` when something promised is not there."""
        (self._disks.live / "checkpoints").mkdir()
        os.sync()
        with Crew(self.history, self.report, nursery_of(self._planted)) as crew:
            while self.counts["cuts"] < cuts:
                self._life(crew, min(cuts - self.counts["cuts"], self._generator.randint(1, 2 * _LIFE_CUTS)))

    def _life(self, crew: Crew, cuts: int) -> None:
        """Start a process, cut the power under it, and kill it in the end."""
        chosen = options(self._generator)
        self.options = dataclasses.asdict(chosen)
        child = crew.start(self._task())
        for _ in range(cuts):
            crew.listen(0.002 * 200 ** self._generator.random())
            before = self._promises()
            cut = self._disks.cut()
            crew.hear()
            crew.stop(child)  # lest the check has to share the processor
            with self._disks.mounted(cut) as place:
                self._compare(place, chosen, before)
            self.history.settle(before.durable)
            crew.resume(child)
        crew.kill(child)
        self.history.ended()

    def _promises(self) -> Promises:
        history = self.history
        finished = {writer: one for writer, one in history.checkpoints.items() if one.finished}
        return Promises(history.durable, history.acknowledged, finished)

    def _compare(self, place: Path, chosen: lsm.Options, before: Promises) -> None:
        """Open what a cut has left, and compare it with what was promised before it."""
        history = self.history
        self.counts["cuts"] += 1
        found = inspect(str(place / "database"), chosen, history, before.durable, history.issued)
        lost = sum(map(max, map(sub, before.acknowledged, found.counts), repeat(0)))
        self.counts["cuts that took unsynced commits"] += lost > 0
        self.counts["unsynced commits taken"] += lost
        settled = [writer.settled for writer in history.writers]
        checkpoints = [
            one
            for writer, one in before.checkpoints.items()
            if one.name == history.checkpoints[writer].name and all(map(ge, one.least, settled))
        ]
        folder = place / "checkpoints"
        self.counts["checkpoints"] += inspect_checkpoints(folder, chosen, history, checkpoints)

    def _task(self) -> Task:
        return Task(
            process=0,
            path=str(self._disks.live / "database"),
            checkpoints=str(self._disks.live / "checkpoints"),
            writers=tuple((index, writer.last_number) for index, writer in enumerate(self.history.writers)),
            seed=f"{self.report.seed}/{self.counts['cuts']}",
            options=self.options,
        )


def keep(directory: Path, disks: LoopDisks, cuts: PowerCuts, text: str) -> None:
    """Keep the image as the cut has left it, and the history that it was compared with."""
    image = disks.cut_image
    if image.exists():
        subprocess.run(["cp", "--sparse=always", image, directory / f"as-cut-{disks.kind}.img"], check=True)
    failure = Failure(cuts.report.seed, cuts.counts["cuts"], text, cuts.options, cuts.history)
    (directory / f"failure-{disks.kind}.json").write_bytes(msgspec.json.encode(failure))


def main() -> None:
    """Run the lane and print it as JSON; a broken promise makes it wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.real.power_cut", description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("directory", type=Path)
    parser.add_argument("cuts", type=int)
    parser.add_argument("--planted", default="", help="let the processes have this defect")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    chosen = parser.parse_args()
    begin = time.monotonic()
    wrong = 0
    with loop_disks(chosen.directory, chosen.kind) as disks:
        cuts = PowerCuts(disks, chosen.seed, planted=chosen.planted)
        try:
            cuts.run(chosen.cuts)
        except (BrokenPromiseError, lsm.Error) as error:
            wrong = 1
            if not chosen.planted:
                sys.stderr.write(f"power cut, {chosen.kind}, seed {chosen.seed}: {type(error).__name__}: {error}\n")
                keep(chosen.directory, disks, cuts, str(error))
    tried = {**cuts.counts, "acknowledged commits": cuts.report.acknowledged_commits, "kills": cuts.report.kills}
    lane = Lane(f"power cut, {chosen.kind}", tried, wrong, time.monotonic() - begin)
    sys.stdout.buffer.write(msgspec.json.encode(lane))


if __name__ == "__main__":
    main()
