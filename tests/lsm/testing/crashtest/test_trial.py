"""Real processes are killed and nothing is lost; when something is, the test says so and keeps the evidence."""

import dataclasses
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import lsm
from lsm.testing.crashtest import BrokenPromiseError, Report, Settings, Trial, replay
from lsm.testing.crashtest.crew import Crew
from lsm.testing.crashtest.history import History
from lsm.testing.crashtest.inspection import inspect
from lsm.testing.crashtest.writer import Task

OPTIONS = lsm.Options(memtable_bytes=1 << 20, level_count=4)


@pytest.fixture
def crew() -> Iterator[Crew]:
    """Two writers that are not started yet."""
    with Crew(History.of(2), Report(0)) as made:
        yield made


def task(directory: Path, **others: object) -> Task:
    """Return the task of a process with two writers."""
    named = {"process": 0, "path": str(directory / "database"), "checkpoints": str(directory), "seed": "0"}
    given = {"writers": ((0, 0), (1, 0)), "options": dataclasses.asdict(OPTIONS)}
    return Task(**{**named, **given, **others})  # type: ignore[arg-type]  # as the fields say


def commits(crew: Crew, wanted: int) -> Callable[[], bool]:
    """Return a condition: so many commits were acknowledged."""
    return lambda: sum(crew.history.acknowledged) >= wanted


def newest_log(directory: Path) -> Path:
    """Return the path of the log that is written."""
    return max(directory.joinpath("database").glob("*.wal"))


@pytest.mark.crash
def test_killed_processes_lose_nothing(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    """Some seconds of rounds: all that was acknowledged is there after each."""
    report = Trial(tmp_path, Settings(seed=7, seconds=6)).run()

    assert report.failure == ""
    assert report.rounds == report.kills + report.closes > 2
    assert report.acknowledged_commits > 100
    for name in ("kills", "stops", "acknowledged_commits", "checkpoints"):
        record_property(name.replace("_", " "), getattr(report, name))


def test_a_lost_commit_is_noticed(tmp_path: Path, crew: Crew) -> None:
    """When the end of the newest log is gone, the check says what is missing."""
    child = crew.start(task(tmp_path))
    crew.listen(30, commits(crew, 50))
    crew.stop(child)
    while newest_log(tmp_path).stat().st_size < 4000:
        crew.resume(child)
        crew.listen(0.01)
        crew.stop(child)
    crew.kill(child)
    history = crew.history
    log = newest_log(tmp_path)
    os.truncate(log, log.stat().st_size // 2)

    with pytest.raises((BrokenPromiseError, lsm.CorruptionError)):
        inspect(str(tmp_path / "database"), OPTIONS, history, history.acknowledged, history.issued)


def test_a_process_that_ends_by_itself_is_noticed(tmp_path: Path, crew: Crew) -> None:
    """An error in a process reaches the parent with its text."""
    (tmp_path / "database").write_text("no directory")
    crew.start(task(tmp_path))

    with pytest.raises(BrokenPromiseError, match="Not a directory"):
        crew.listen(30, lambda: False)


def test_a_stopped_process_goes_on(tmp_path: Path, crew: Crew) -> None:
    """While it is stopped nothing is heard; continued, it commits again, and closes when asked."""
    child = crew.start(task(tmp_path))
    crew.listen(30, commits(crew, 10))
    crew.stop(child)
    crew.listen(0.2)
    before = sum(crew.history.acknowledged)
    crew.listen(0.3)
    assert sum(crew.history.acknowledged) == before
    crew.resume(child)
    crew.listen(30, commits(crew, before + 10))
    crew.close(child)

    history = crew.history
    found = inspect(str(tmp_path / "database"), OPTIONS, history, history.acknowledged, history.issued)
    assert found.counts == history.acknowledged
    assert not found.recovery.interrupted


def test_a_failure_leaves_evidence_that_can_be_replayed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that fails keeps the files as they were; a replay checks them again, and changes nothing."""
    monkeypatch.setattr("lsm.testing.crashtest.trial.inspect", _refuse)
    report = Trial(tmp_path, Settings(seed=4, seconds=30)).run()
    assert report.lost == 1
    assert report.failure == "BrokenPromiseError: planted"
    kept = {path: path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file()}

    failure, now = replay(tmp_path)

    assert (failure.seed, failure.round, failure.text, now) == (4, 0, report.failure, "")
    assert {path: path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file()} == kept
    for log in (tmp_path / "as-ended").glob("*.wal"):
        log.unlink()
    assert replay(tmp_path)[1].startswith("CorruptionError")


def _refuse(*arguments: object) -> None:
    raise BrokenPromiseError("planted")


def test_wrong_settings_are_refused() -> None:
    """More processes than may write, or no thread, are errors that name the field."""
    for wrong in ({"processes": 0}, {"processes": 99}, {"threads": 0}):
        with pytest.raises(lsm.InvalidArgumentError, match=next(iter(wrong))):
            Settings(seed=0, seconds=1, **wrong)
