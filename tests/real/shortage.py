"""The lanes of shortage: space, descriptors or the size of files run short under a running workload, and come back.

Meanwhile commits are refused with a typed error and reads go on; afterwards every writer goes on, without reopening.
In the end the process is killed, and nothing that was acknowledged is lost. Run inside a mount namespace as
`python -m tests.real.shortage KIND DIRECTORY SECONDS`; prints a lane.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import random
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import msgspec

import lsm
from lsm.testing.crashtest import BrokenPromiseError, Report
from lsm.testing.crashtest.crew import Crew
from lsm.testing.crashtest.history import History
from lsm.testing.crashtest.inspection import inspect, read
from lsm.testing.crashtest.plan import options
from lsm.testing.crashtest.writer import Task
from tests.real.loop_disks import in_own_namespace, mounts_unavailable
from tests.real.planted_nursery import nursery_of
from tests.support.totals import Lane

_DISK_BYTES = 12 << 20
_PAGE_BYTES = 4096
_WRITERS = 3
_SHORTAGES = 3
"""In the life of one process."""


class Shortage(Protocol):
    """Something that can run short. errors: names of those that are allowed then. comes_back: whether it can end."""

    name: str
    errors: tuple[str, ...]
    comes_back: bool

    def begin(self, process: int) -> None:
        """Let it run short for a process."""
        ...

    def end(self, process: int) -> None:
        """Let there be enough again."""
        ...


class Space:
    """The last page of a small disk is taken by somebody else."""

    name = "disk full (tmpfs), space again"
    errors: tuple[str, ...] = ("DiskFullError",)
    comes_back = True

    def __init__(self, disk: Path) -> None:
        self.ballast = disk / "ballast"

    def begin(self, process: int) -> None:
        """Write until nothing more is taken."""
        with self.ballast.open("wb", buffering=0) as file:
            size_bytes = 1 << 20
            while size_bytes >= _PAGE_BYTES:
                try:
                    os.write(file.fileno(), bytes(size_bytes))
                except OSError:
                    size_bytes //= 2

    def end(self, process: int) -> None:
        """Remove what was written."""
        self.ballast.unlink()


class Descriptors:
    """The process may open no more files than it has open (`RLIMIT_NOFILE`)."""

    name = "too many open files"
    errors: tuple[str, ...] = ("StorageError", "BackgroundError", "OSError")
    comes_back = False

    def begin(self, process: int) -> None:
        """Take away every descriptor that is free, for good; a few become free when tables are merged."""
        used = len(list(Path(f"/proc/{process}/fd").iterdir()))
        resource.prlimit(process, resource.RLIMIT_NOFILE, (used, used))

    def end(self, process: int) -> None:
        """Nobody may raise a hard limit again."""


class FileSize:
    """No file may become larger than a few pages (`RLIMIT_FSIZE`): EFBIG."""

    name = "files may not grow (RLIMIT_FSIZE), then may"
    errors: tuple[str, ...] = ("StorageError", "BackgroundError")
    comes_back = True

    def begin(self, process: int) -> None:
        """Allow two pages, which SHARED has."""
        resource.prlimit(process, resource.RLIMIT_FSIZE, (2 * _PAGE_BYTES, resource.RLIM_INFINITY))

    def end(self, process: int) -> None:
        """Allow any size."""
        resource.prlimit(process, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


KINDS = ("space", "descriptors", "file-size")


def shortages(directory: Path, minutes: float) -> Iterator[Lane]:
    """Let each kind of thing run short for its share of the time."""
    for kind in KINDS:
        yield shortage_of(kind, directory, seconds=60 * minutes / len(KINDS))


def shortage_of(kind: str, directory: Path, seconds: float, planted: str = "") -> Lane:
    """Run one lane in a process with mounts of its own."""
    reason = mounts_unavailable()
    if reason:
        return Lane(f"shortage of {kind}", {}, skipped=reason)
    command = [sys.executable, "-m", "tests.real.shortage", kind, str(directory), str(seconds), "--planted", planted]
    done = subprocess.run(in_own_namespace(command), stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(done.stdout, type=Lane)


class Workload:
    """Processes on a small disk, under which something runs short again and again."""

    def __init__(self, disk: Path, shortage: Shortage, seed: int, planted: str = "") -> None:
        self.counts: Counter[str] = Counter()
        self.report = Report(seed)
        self._disk = disk
        self._path = str(disk / "database")
        self._shortage = shortage
        self._planted = planted
        self._generator = random.Random(seed)
        self._history = History.of(_WRITERS)

    def run(self, seconds: float) -> None:
        """Run for about so long. Raises `BrokenPromiseError` and `lsm.Error` when something is not as promised."""
        (self._disk / "checkpoints").mkdir()
        end = time.monotonic() + seconds
        with Crew(self._history, self.report, nursery_of(self._planted)) as crew:
            while time.monotonic() < end:
                self._life(crew)
            self.counts.update({f"refused: {what}": number for what, number in sorted(crew.refused.items())})

    def _life(self, crew: Crew) -> None:
        """Start a process, let it run short some times, kill it, and look at what is left."""
        chosen = options(self._generator)
        child = crew.start(self._task(chosen))
        crew.listen(30, lambda: bool(crew.opened))
        for _ in range(_SHORTAGES):
            crew.listen(self._generator.random() * 0.3)
            self._begin(child.number)
            self._while_short(crew)
            if not self._shortage.comes_back:
                break
            self._shortage.end(child.number)
            crew.expect_commits(range(_WRITERS))
        ends_full = self._generator.random() < 0.5 and isinstance(self._shortage, Space)
        if ends_full:
            self._begin(child.number)
            crew.listen(self._generator.random() * 0.3)
        crew.kill(child)
        if ends_full:
            self._look_at_full_disk(chosen)
            self._shortage.end(child.number)
        found = inspect(self._path, chosen, self._history, self._history.acknowledged, self._history.issued)
        self._history.adopt(found.content)

    def _begin(self, process: int) -> None:
        self.counts["shortages"] += 1
        self._shortage.begin(process)

    def _while_short(self, crew: Crew) -> None:
        """Wait until it was felt by some, and reads have gone on meanwhile."""
        refused, looks = self.report.refused, self.report.looks

        def felt() -> bool:
            return self.report.refused >= refused + 5 and self.report.looks > looks

        crew.listen(20, felt)
        if not felt():
            raise BrokenPromiseError(
                f"while it ran short {self.report.refused - refused} steps were refused, "
                f"and {self.report.looks - looks} reads answered"
            )

    def _look_at_full_disk(self, chosen: lsm.Options) -> None:
        """Open what a process has left on a disk that may be full: to read works, to write is refused or works."""
        with lsm.open(self._path, chosen, read_only=True) as database:
            expected = read(database)
        try:
            with lsm.open(self._path, chosen) as database:
                self.counts["opened on the full disk"] += 1
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
            seed=f"{self.report.seed}/{self.counts['shortages']}",
            options=dataclasses.asdict(chosen),
            allowed=self._shortage.errors,
        )


def main() -> None:
    """Run a lane and print it as JSON; a broken promise makes it wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.real.shortage", description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("directory", type=Path)
    parser.add_argument("seconds", type=float)
    parser.add_argument("--planted", default="", help="let the processes have this defect")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    chosen = parser.parse_args()
    begin = time.monotonic()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "tmpfs", chosen.directory], check=True)
    kinds: dict[str, Shortage] = {
        "space": Space(chosen.directory),
        "descriptors": Descriptors(),
        "file-size": FileSize(),
    }
    shortage = kinds[chosen.kind]
    workload = Workload(chosen.directory, shortage, chosen.seed, chosen.planted)
    wrong = 0
    try:
        workload.run(chosen.seconds)
    except (BrokenPromiseError, lsm.Error) as error:
        wrong = 1
        if not chosen.planted:
            sys.stderr.write(f"{shortage.name}, seed {chosen.seed}: {type(error).__name__}: {error}\n")
    tried = {**workload.counts, "acknowledged commits": workload.report.acknowledged_commits}
    tried["kills"] = workload.report.kills
    sys.stdout.buffer.write(msgspec.json.encode(Lane(shortage.name, tried, wrong, time.monotonic() - begin)))


if __name__ == "__main__":
    main()
