"""Power cuts on real file systems: nothing synced is lost, and the lane would notice if it were."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tests.real.loop_disks import KINDS, in_own_namespace, unavailable
from tests.real.power_cut import power_cuts_on

_CUTS = 4


def needs_loop_disks(kind: str) -> None:
    """Skip where there are none."""
    reason = unavailable(kind)
    if reason:
        pytest.skip(f"power cuts on {kind}: {reason}")


@pytest.mark.crash
@pytest.mark.parametrize("kind", KINDS)
def test_power_cuts_lose_nothing_synced(
    kind: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Some cuts on each file system; the soak has hundreds."""
    needs_loop_disks(kind)
    lane = power_cuts_on(kind, tmp_path, _CUTS)

    assert lane.wrong == 0
    assert lane.tried["cuts"] == _CUTS
    assert list(tmp_path.iterdir()) == []
    record_property("cuts", lane.tried["cuts"])
    record_property("unsynced commits taken", lane.tried["unsynced commits taken"])


def test_a_cut_is_one_moment_of_the_disk(tmp_path: Path) -> None:
    """No clone has the two counters further apart than they ever were; a plain copy has, so the look would notice."""
    needs_loop_disks("ext4")
    command = [sys.executable, "-m", "tests.real.one_moment", str(tmp_path)]
    done = subprocess.run(in_own_namespace(command), stdout=subprocess.PIPE, check=True)
    clones, copies = msgspec.json.decode(done.stdout, type=tuple[list[int], list[int]])

    assert set(clones) <= {0, 1}
    assert any(distance not in {0, 1} for distance in copies)
