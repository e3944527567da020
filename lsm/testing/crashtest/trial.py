"""Rounds of a crash test on the real file system: work, interruptions, an end, and a check of what is left.

    start the processes -> stop and continue some -> kill (or close) each at its moment -> hear their last words ->
    copy the directory -> open, compare with the history, verify -> open again -> compare the checkpoints -> next round

Times are chosen from the seed, and so is the work; what a process has done when it is killed is chance. So a seed
repeats the plan of a run, and the evidence of a failed round repeats its check.
"""

from __future__ import annotations

import dataclasses
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import lsm
from lsm.testing.crashtest import evidence
from lsm.testing.crashtest.crew import Crew
from lsm.testing.crashtest.history import BrokenPromiseError, History
from lsm.testing.crashtest.inspection import inspect, inspect_checkpoints
from lsm.testing.crashtest.plan import Moment, moments, options
from lsm.testing.crashtest.report import Report
from lsm.testing.crashtest.writer import Task

MOST_PROCESSES = 1
"""How many processes may have a directory open for writing."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """seed: of all that is chosen. seconds: how long. processes: that write at a time. threads: writers in each."""

    seed: int
    seconds: float
    processes: int = 1
    threads: int = 3

    def __post_init__(self) -> None:
        """Check every field."""
        if not 1 <= self.processes <= MOST_PROCESSES:
            raise lsm.InvalidArgumentError(f"processes must be from 1 to {MOST_PROCESSES}, not {self.processes}")
        if not 1 <= self.threads <= 64:
            raise lsm.InvalidArgumentError(f"threads must be from 1 to 64, not {self.threads}")


class Trial:
    """One crash test in an empty directory of its own."""

    def __init__(self, directory: Path, settings: Settings) -> None:
        self.report = Report(settings.seed)
        self._directory = directory
        self._settings = settings
        self._history = History.of(settings.processes * settings.threads)

    def run(self, progress: Callable[[Report], None] | None = None) -> Report:
        """Run rounds until the time is over or one fails; the directory keeps the evidence of a failure.

        progress: called after each round. Raises `OSError` when the system refuses what the test itself needs.
        """
        begin = time.monotonic()
        (self._directory / evidence.CHECKPOINTS).mkdir()
        with Crew(self._history, self.report) as crew:
            while not self.report.failure and time.monotonic() - begin < self._settings.seconds:
                self._round(crew)
                self.report.rounds += 1
                self.report.seconds = time.monotonic() - begin
                if progress is not None:
                    progress(self.report)
        return self.report

    def _round(self, crew: Crew) -> None:
        generator = random.Random(f"{self._settings.seed}/{self.report.rounds}")
        chosen = options(generator)
        try:
            was_closed = self._work(crew, chosen, moments(generator, self._settings.processes))
            self._check(chosen, was_closed=was_closed)
        except (lsm.Error, BrokenPromiseError) as error:
            crew.kill_all()
            self.report.lost = 1
            self.report.failure = f"{type(error).__name__}: {error}"
            failure = evidence.Failure(
                self._settings.seed, self.report.rounds, self.report.failure, _named(chosen), self._history
            )
            evidence.keep(self._directory, failure)

    def _work(self, crew: Crew, chosen: lsm.Options, plan: list[Moment]) -> bool:
        """Start the processes and do to them what the plan says; tell whether all closed the database."""
        living = {process: crew.start(self._task(process, chosen)) for process in range(self._settings.processes)}
        for moment in plan:
            crew.listen(moment.after_seconds)
            child = living[moment.process]
            if moment.action == "stop":
                crew.stop(child)
            elif moment.action == "continue":
                crew.resume(child)
            else:
                del living[moment.process]
                (crew.kill if moment.action == "kill" else crew.close)(child)
                self._wait_for(crew, list(living))
        return all(moment.action != "kill" for moment in plan)

    def _wait_for(self, crew: Crew, processes: list[int]) -> None:
        """Wait until each writer of these processes has committed again: the end of one must not hold up the others."""
        threads = self._settings.threads
        crew.expect_commits([process * threads + thread for process in processes for thread in range(threads)])

    def _task(self, process: int, chosen: lsm.Options) -> Task:
        threads = self._settings.threads
        writers = range(process * threads, (process + 1) * threads)
        return Task(
            process=process,
            path=str(self._directory / evidence.DATABASE),
            checkpoints=str(self._directory / evidence.CHECKPOINTS),
            writers=tuple((writer, self._history.writers[writer].last_number) for writer in writers),
            seed=f"{self._settings.seed}/{self.report.rounds}",
            options=_named(chosen),
        )

    def _check(self, chosen: lsm.Options, *, was_closed: bool) -> None:
        """Keep a copy of what the round left, and compare it with the history; begin the next round from there."""
        history = self._history
        path = self._directory / evidence.DATABASE
        kept = self._directory / evidence.AS_ENDED
        if path.is_dir():
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(path, kept)
        found = inspect(str(path), chosen, history, history.acknowledged, history.issued)
        if was_closed and (found.recovery.dropped_bytes or found.recovery.interrupted):
            raise BrokenPromiseError(f"opening after a clean close is no plain opening: {found.recovery}")
        folder = self._directory / evidence.CHECKPOINTS
        self.report.checkpoints += inspect_checkpoints(folder, chosen, history, history.checkpoints.values())
        shutil.rmtree(folder)
        folder.mkdir()
        history.adopt(found.content)


def _named(chosen: lsm.Options) -> dict[str, object]:
    return dataclasses.asdict(chosen)
