"""The lane of full disks: a small tmpfs is filled to the brim under a running workload, and emptied again.

While it is full, commits are refused with `DiskFullError` and reads go on; when there is space again, every writer goes
on, without reopening. In the end the process is killed, and nothing that was acknowledged is lost. Run inside a mount
namespace as `python -m tests.real.disk_full DIRECTORY ROUNDS`; prints a lane.
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
from pathlib import Path

import msgspec

import lsm
from lsm.testing.crashtest import BrokenPromiseError, Report
from lsm.testing.crashtest.crew import Crew
from lsm.testing.crashtest.history import History
from lsm.testing.crashtest.inspection import inspect, read
from lsm.testing.crashtest.plan import options
from lsm.testing.crashtest.writer import Task
from tests.real.loop_disks import in_own_namespace, mounts_unavailable
from tests.support.totals import Lane

NAME = "disk full (tmpfs), space again"
_DISK_BYTES = 12 << 20
_WRITERS = 3
_FILLS = 3
"""In the life of one process."""
_PAGE_BYTES = 4096


def disk_full(directory: Path, minutes: float) -> Iterator[Lane]:
    """Fill the disk again and again for so long."""
    yield disk_full_for(directory, seconds=60 * minutes)


def disk_full_for(directory: Path, seconds: float) -> Lane:
    """Run the lane in a process with mounts of its own."""
    reason = mounts_unavailable()
    if reason:
        return Lane(NAME, {}, skipped=reason)
    command = [sys.executable, "-m", "tests.real.disk_full", str(directory), str(seconds)]
    done = subprocess.run(in_own_namespace(command), stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(done.stdout, type=Lane)


class DiskFull:
    """A workload on a small disk, which is filled and emptied."""

    def __init__(self, disk: Path, seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self.report = Report(seed)
        self._disk = disk
        self._path = str(disk / "database")
        self._ballast = disk / "ballast"
        self._generator = random.Random(seed)
        self._history = History.of(_WRITERS)

    def run(self, seconds: float) -> None:
        """Run for about so long. Raises `BrokenPromiseError` and `lsm.Error` when something is not as promised."""
        (self._disk / "checkpoints").mkdir()
        end = time.monotonic() + seconds
        with Crew(self._history, self.report) as crew:
            while time.monotonic() < end:
                self._life(crew)
            self.counts.update({f"refused: {what}": number for what, number in crew.refused.items()})

    def _life(self, crew: Crew) -> None:
        """Start a process, fill the disk under it some times, kill it, and look at what is left."""
        chosen = options(self._generator)
        child = crew.start(self._task(chosen))
        crew.listen(30, lambda: bool(crew.opened))
        for _ in range(_FILLS):
            crew.listen(self._generator.random() * 0.3)
            self._fill()
            self._while_full(crew)
            self._ballast.unlink()
            crew.expect_commits(range(_WRITERS))
        if self._generator.random() < 0.5:
            self._fill()
            crew.listen(self._generator.random() * 0.3)
        crew.kill(child)
        self._look_at_full_disk(chosen)
        self._ballast.unlink(missing_ok=True)
        found = inspect(self._path, chosen, self._history, self._history.acknowledged, self._history.issued)
        self._history.adopt(found.content)

    def _fill(self) -> None:
        """Take the last page of the disk."""
        self.counts["disk filled"] += 1
        with self._ballast.open("wb", buffering=0) as file:
            size_bytes = 1 << 20
            while size_bytes >= _PAGE_BYTES:
                try:
                    os.write(file.fileno(), bytes(size_bytes))
                except OSError:
                    size_bytes //= 2

    def _while_full(self, crew: Crew) -> None:
        """Wait until every writer has felt it, and reads have gone on meanwhile."""
        refused, looks = self.report.refused, self.report.looks

        def felt() -> bool:
            return self.report.refused >= refused + 20 and self.report.looks > looks

        crew.listen(20, felt)
        if not felt():
            raise BrokenPromiseError(
                f"on a full disk {self.report.refused - refused} steps were refused, "
                f"and {self.report.looks - looks} reads answered"
            )

    def _look_at_full_disk(self, chosen: lsm.Options) -> None:
        """Open what a process has left on a disk that may be full: to read works, to write is refused or works."""
        if not self._ballast.exists():
            return
        with lsm.open(self._path, chosen, read_only=True) as database:
            expected = read(database)
        try:
            with lsm.open(self._path, chosen) as database:
                self.counts["opened to write on the full disk"] += 1
                if read(database) != expected:
                    raise BrokenPromiseError("an opening for writing on a full disk shows another content")
        except lsm.DiskFullError:
            self.counts["opening refused on the full disk"] += 1

    def _task(self, chosen: lsm.Options) -> Task:
        return Task(
            process=0,
            path=self._path,
            checkpoints=str(self._disk / "checkpoints"),
            writers=tuple((index, writer.last_number) for index, writer in enumerate(self._history.writers)),
            seed=f"{self.report.seed}/{self.counts['disk filled']}",
            options=dataclasses.asdict(chosen),
            allowed=("DiskFullError",),
        )


def main() -> None:
    """Run the lane and print it as JSON; a broken promise makes it wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.real.disk_full", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("seconds", type=float)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    chosen = parser.parse_args()
    begin = time.monotonic()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "tmpfs", chosen.directory], check=True)
    lane = DiskFull(chosen.directory, chosen.seed)
    wrong = 0
    try:
        lane.run(chosen.seconds)
    except (BrokenPromiseError, lsm.Error) as error:
        sys.stderr.write(f"{NAME}, seed {chosen.seed}: {type(error).__name__}: {error}\n")
        wrong = 1
    tried = {**lane.counts, "acknowledged commits": lane.report.acknowledged_commits, "kills": lane.report.kills}
    sys.stdout.buffer.write(msgspec.json.encode(Lane(NAME, tried, wrong, time.monotonic() - begin)))


if __name__ == "__main__":
    main()
