"""The crash tests find what they are for: each defect planted here makes them fail.

A defect is a change of the engine, or of what its calls do, made for one test. The workload and the comparison are
those of the real crash tests.
"""

from collections.abc import Callable
from typing import Any

import pytest

import lsm.commit.durability
import lsm.commit.pipeline
import lsm.manifest
import lsm.write_ahead_log.reader
from lsm.core import Core
from lsm.shared_page import SharedPage
from lsm.sstable.writer import TableWriter
from lsm.testing import FailingWorkload, Fault, Plan, WrongRecoveryError
from lsm.testing.handles import SimulatedDirectory, SimulatedFile
from tests.crash.test_crash_at_every_call import explored
from tests.crash.test_failing_calls import OPERATIONS

Plant = Callable[[pytest.MonkeyPatch], None]


def _without_file_sync(ending: str) -> Plant:
    """Files whose path ends like this are never synced, and say that they were."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        sync = SimulatedFile.sync

        def skip(file: SimulatedFile) -> None:
            if not file.path.endswith(ending) and f"/{ending}" not in file.path:
                sync(file)

        patch.setattr(SimulatedFile, "sync", skip)

    return plant


def _without_directory_sync(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SimulatedDirectory, "sync", lambda _: None)


def _without_directory_sync_before_the_switch(patch: pytest.MonkeyPatch) -> None:
    """The names of manifest and tables may come to the disk after CURRENT names them."""
    write = lsm.manifest.write_current

    def write_carelessly(directory: SimulatedDirectory, number: int, checksum: int) -> None:
        syncs = iter((True, False))
        sync = directory.sync

        class Careless:
            """The directory, with a first sync that does nothing."""

            def __getattr__(self, name: str) -> Any:
                return getattr(directory, name)

            def sync(self) -> None:
                if not next(syncs):
                    sync()

        write(Careless(), number, checksum)

    patch.setattr("lsm.install.write_current", write_carelessly)


def _with_unsynced_commits(patch: pytest.MonkeyPatch) -> None:
    """Commits are acknowledged as durable without a sync."""
    patch.setattr(lsm.commit.pipeline, "make_durable_locked", lambda *_: None)


def _with_trust_in_the_cache(patch: pytest.MonkeyPatch) -> None:
    """Recovery, which opens logs for reading only, does not sync them before it believes them."""
    sync = SimulatedFile.sync

    def skip(file: SimulatedFile) -> None:
        if file._writable:
            sync(file)

    patch.setattr(SimulatedFile, "sync", skip)


def _with_torn_frames(patch: pytest.MonkeyPatch) -> None:
    """The body of a frame is believed without its checksum."""
    patch.setattr(lsm.write_ahead_log.reader, "body_is_valid", lambda *_: True)


def _with_lost_range_deletions(patch: pytest.MonkeyPatch) -> None:
    """Tables forget deleted ranges."""
    patch.setattr(TableWriter, "add_range_tombstones", lambda *_: None)


DEFECTS: dict[str, Plant] = {
    "logs are not synced": _without_file_sync(".wal"),
    "tables are not synced": _without_file_sync(".sst"),
    "manifests are not synced": _without_file_sync("MANIFEST-"),
    "CURRENT is not synced": _without_file_sync("CURRENT.tmp"),
    "directories are not synced": _without_directory_sync,
    "names are not durable before the switch": _without_directory_sync_before_the_switch,
    "commits are acknowledged before they are synced": _with_unsynced_commits,
    "recovery trusts the cache": _with_trust_in_the_cache,
    "torn frames are believed": _with_torn_frames,
    "deleted ranges are lost": _with_lost_range_deletions,
}


def _without_poison(patch: pytest.MonkeyPatch) -> None:
    """A failed sync is reported and forgotten."""

    def report(_: Core, error: lsm.StorageError) -> lsm.SyncFailedError:
        return lsm.SyncFailedError(error.path, error.operation, error.errno, error.reason)

    patch.setattr(lsm.commit.durability, "poison", report)


def _without_marks(patch: pytest.MonkeyPatch) -> None:
    """The next process is not told that a commit was under way, or that a sync had failed."""
    patch.setattr(SharedPage, "set_dirty", lambda _: None)
    patch.setattr(SharedPage, "set_poison", lambda _: None)


FAILED_SYNCS: dict[str, Plant] = {
    "a failed sync is forgotten": _without_poison,
    "a failed sync is kept from the next process": _without_marks,
}


@pytest.mark.crash
@pytest.mark.parametrize("defect", DEFECTS)
def test_a_planted_defect_is_found(defect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The crash tests fail on an engine with this defect."""
    DEFECTS[defect](monkeypatch)

    try:
        exploration = explored(Plan(call_stride=3, most_failures=1), 0)
    except (AssertionError, lsm.Error):
        return  # the workload itself has tripped over the defect

    assert exploration.failures


@pytest.mark.crash
@pytest.mark.parametrize("defect", FAILED_SYNCS)
def test_a_careless_answer_to_failed_syncs_is_found(defect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Failing each sync of a log in turn finds an engine that goes on as if nothing had happened."""
    FAILED_SYNCS[defect](monkeypatch)

    with pytest.raises(WrongRecoveryError):
        for skip in range(40):
            FailingWorkload(Fault(operation="sync", name="*.wal", skip=skip)).run(OPERATIONS)
