"""A disk that is full and has space again: nothing acknowledged is lost, and writing goes on by itself."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.real.disk_full import disk_full_for
from tests.real.loop_disks import mounts_unavailable


@pytest.mark.crash
def test_a_full_disk_loses_nothing_and_heals(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    """Some seconds of filling and emptying a small tmpfs; appends and background work both meet the end of space."""
    reason = mounts_unavailable()
    if reason:
        pytest.skip(f"a small tmpfs: {reason}")
    lane = disk_full_for(tmp_path, seconds=4)

    assert lane.wrong == 0
    assert lane.tried["disk filled"] >= 3
    assert lane.tried["refused: DiskFullError .wal"] > 0
    record_property("disk filled", lane.tried["disk filled"])
    record_property("acknowledged commits", lane.tried["acknowledged commits"])
