"""Space, descriptors or the size of files run short: nothing acknowledged is lost, and writing goes on by itself."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.real.loop_disks import mounts_unavailable
from tests.real.shortage import KINDS, shortage_of

_FELT = {"space": "DiskFullError .wal", "descriptors": "StorageError .wal", "file-size": "StorageError .wal"}
"""A refusal that each run meets."""


@pytest.mark.crash
@pytest.mark.parametrize("kind", KINDS)
def test_a_shortage_loses_nothing_and_heals(
    kind: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Some seconds of it; commits and background work both meet it."""
    reason = mounts_unavailable()
    if reason:
        pytest.skip(f"shortage of {kind}: {reason}")
    lane = shortage_of(kind, tmp_path, seconds=2.5)

    assert lane.wrong == 0
    assert lane.tried["shortages"] >= 1
    assert lane.tried[f"refused: {_FELT[kind]}"] > 0
    record_property("shortages", lane.tried["shortages"])
    record_property("acknowledged commits", lane.tried["acknowledged commits"])
