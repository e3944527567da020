"""Planted defects between the engine and the kernel: the lanes with real processes and real disks find them."""

import dataclasses
from pathlib import Path

import pytest

import lsm
from lsm.testing.crashtest import BrokenPromiseError, Report
from lsm.testing.crashtest.crew import Crew
from lsm.testing.crashtest.history import History
from lsm.testing.crashtest.inspection import inspect
from lsm.testing.crashtest.writer import Task
from tests.real.loop_disks import KINDS as FILE_SYSTEMS
from tests.real.loop_disks import mounts_unavailable, unavailable
from tests.real.planted_nursery import PLANTED, nursery_of
from tests.real.power_cut import power_cuts_on
from tests.real.shortage import shortage_of


@pytest.mark.crash
@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_defect_is_found(name: str, tmp_path: Path) -> None:
    """Its lane goes wrong; without a defect it does not, as the other tests show."""
    lane = PLANTED[name].lane
    reason = "" if lane == "kills" else unavailable(lane) if lane in FILE_SYSTEMS else mounts_unavailable()
    if reason:
        pytest.skip(f"{lane}: {reason}")
    if lane == "kills":
        found = found_by_kills(tmp_path, name)
    elif lane in FILE_SYSTEMS:
        found = power_cuts_on(lane, tmp_path, 100, planted=name).wrong == 1
    else:
        found = shortage_of(lane, tmp_path, seconds=30, planted=name).wrong == 1

    assert found


def found_by_kills(directory: Path, name: str) -> bool:
    """Kill processes with a defect until the check of what one leaves goes wrong, a hundred times at most."""
    options = lsm.Options(level_count=4)
    history = History.of(1)
    path = str(directory / "database")
    with Crew(history, Report(0), nursery_of(name)) as crew:
        for number in range(100):
            last = history.writers[0].last_number
            task = Task(0, path, str(directory), ((0, last),), str(number), dataclasses.asdict(options))
            child = crew.start(task)
            before = history.acknowledged[0]
            try:
                crew.listen(30, lambda: history.acknowledged[0] > before + 5)  # noqa: B023 - called at once
                crew.kill(child)
                found = inspect(path, options, history, history.acknowledged, history.issued)
            except (BrokenPromiseError, lsm.Error):
                return True
            history.adopt(found.content)
    return False
