"""Bugs of durability: after a power loss or a kill something acknowledged was gone, or nothing could be opened."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from contextlib import suppress

import pytest

import lsm
from lsm.environment import Directory
from lsm.testing import (
    NOTHING,
    RECOVERY,
    Crash,
    Fault,
    Flush,
    Operation,
    Plan,
    Recording,
    SimulatedEnvironment,
    SimulatedFileSystem,
    abandon,
    explore,
)
from lsm.testing.handles import SimulatedDirectory
from tests.defects.acts import change_and_compact, checkpoint
from tests.defects.defect import Patch, without_file_sync
from tests.defects.meeting_faults import Pair, copy_is_one_moment, meet
from tests.defects.planted_logs import numbers_reused, replayed_logs_removed
from tests.defects.planted_moments import checkpoint_of_two_moments
from tests.defects.planted_syncs import (
    acknowledged_too_early,
    checkpoint_without_content,
    failed_sync_acknowledged,
    new_log_without_name,
    not_after_the_switch,
    not_before_the_switch,
    older_logs_unsynced,
    recovery_log_without_name,
    sync_repeated,
)
from tests.historic.teeth import assert_only_twins_fail, crashing, filled, put
from tests.support.small import SMALL

FLUSHED: list[Operation] = [put(b"a"), put(b"b", sync=True), Flush(), put(b"c", sync=True), Flush()]
ROTATED: list[Operation] = [filled(1), filled(2), filled(3, sync=True), put(b"last", sync=True)]


@pytest.mark.crash
def test_current_is_not_empty_after_a_power_loss() -> None:
    """The content of CURRENT was not synced before its rename: 16 NUL bytes (leveldb #74, #75; rocksdb #8682)."""
    check = crashing(FLUSHED, Plan(canonical=False, samples=0, kills=False, aftermath_stride=99))

    assert_only_twins_fail(check, without_file_sync("CURRENT is renamed unsynced.", "CURRENT.tmp"))


@pytest.mark.crash
def test_old_files_go_only_after_the_rename_of_current_is_durable() -> None:
    """Old manifests and logs were removed before the rename of CURRENT was durable (leveldb #195; rocksdb #10573)."""
    check = crashing(FLUSHED, Plan(kills=False, all_subsets_up_to=0, samples=0, aftermath_stride=99))

    assert_only_twins_fail(check, not_after_the_switch, not_before_the_switch)


def interrupted_creation_is_damage(patch: Patch) -> None:
    """A directory in which a creation was interrupted is taken for a damaged database."""

    def wrong(directory: Directory, names: Sequence[str]) -> None:
        if any(name.endswith(".wal") for name in names):
            raise lsm.CorruptionError(f"{directory.path}/CURRENT", 0, "CURRENT is missing")

    patch.setattr("lsm.creation.check_current_not_lost", wrong)


@pytest.mark.crash
def test_a_crash_while_creating_leaves_what_can_be_opened() -> None:
    """A crash in the creation left a database that nobody could open (leveldb #189; bbolt #567; etcd #16596)."""

    def program(recording: Recording[int]) -> None:
        lsm.open("/new", SMALL, environment=recording.environment).close()

    def check(crash: Crash[int]) -> None:
        database = lsm.open("/new", SMALL, environment=crash.environment)
        database.put(b"a", b"1", sync=True)
        database.close()

    assert_only_twins_fail(
        lambda: explore(program, check, Plan(all_subsets_up_to=8, aftermath_stride=99)), interrupted_creation_is_damage
    )


@pytest.mark.crash
def test_a_newer_log_is_never_durable_without_the_older_ones() -> None:
    """A hole: a newer log was durable, an older one not (leveldb #193, #1081; rocksdb #10560, #12489, #12918)."""
    check = crashing(ROTATED, Plan(kills=False, all_subsets_up_to=0, samples=0, aftermath_stride=99, call_stride=2))

    assert_only_twins_fail(check, older_logs_unsynced)


@pytest.mark.crash
def test_a_new_log_has_a_durable_name_before_it_counts() -> None:
    """A new log was synced, its name in the directory not (leveldb #196; rocksdb #5287; fixed in 6.4.0)."""
    check = crashing(ROTATED, Plan(kills=False, all_subsets_up_to=0, samples=0, aftermath_stride=99, call_stride=2))

    assert_only_twins_fail(check, new_log_without_name)


@pytest.mark.crash
def test_a_file_made_by_recovery_has_a_durable_name_before_it_counts() -> None:
    """A file that recovery wrote was synced, its name in the directory not (rocksdb #14780, of 2026)."""
    check = crashing(FLUSHED[:2], Plan(kills=False, aftermath_stride=99))

    assert_only_twins_fail(check, recovery_log_without_name)


@pytest.mark.crash
def test_no_sync_is_left_out() -> None:
    """Syncs were skipped without a word after a column family was dropped (rocksdb 7.4.0 to 7.6.0)."""
    assert_only_twins_fail(crashing(FLUSHED, Plan(canonical=False, samples=0, kills=False)), acknowledged_too_early)


def test_the_error_of_a_sync_is_told_and_believed() -> None:
    """The error of a sync was ignored, or the sync repeated and believed (rocksdb #2495, #3740; PostgreSQL, 2018)."""

    def check() -> None:
        filesystem = SimulatedFileSystem()
        database = lsm.open("/data", SMALL, environment=SimulatedEnvironment(filesystem))
        filesystem.fail(Fault(operation="sync", name="*.wal"))
        told = False
        try:
            database.put(b"a", b"1", sync=True)
        except lsm.SyncFailedError:
            told = True
        abandon(database)
        assert told, "a sync failed, and the write was acknowledged"

    assert_only_twins_fail(check, failed_sync_acknowledged, sync_repeated)


def failed_switch_is_undone(patch: Patch) -> None:
    """A rename of CURRENT that was reported as failed counts as not made: what it names is removed."""
    patch.setattr("lsm.install.Installer._still_live", lambda _: True)


def test_what_a_failed_switch_may_have_named_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call was reported as failed, yet after a restart its record was read, and its files were gone.

    rocksdb #4990, #5379, #7607, #7621; pebble #162, #984.
    """
    rename = SimulatedDirectory.rename

    def made_but_reported_as_failed(self: SimulatedDirectory, old: str, new: str) -> None:
        rename(self, old, new)
        if "seed" in self.node.entries:
            raise lsm.StorageError(f"{self.path}/{old}", "rename", errno.EIO, "Input/output error")

    def check() -> None:
        filesystem = SimulatedFileSystem()
        database = lsm.open("/data", SMALL, environment=SimulatedEnvironment(filesystem))
        database.put(b"a", b"1", sync=True)
        filesystem.open_directory("/data").open("seed", "create")
        with suppress(lsm.StorageError):
            database.flush()
        abandon(database)
        survivor = filesystem.after_kill()
        survivor.open_directory("/data").unlink("seed")
        reopened = lsm.open("/data", SMALL, environment=SimulatedEnvironment(survivor))
        assert reopened.get(b"a") == b"1"
        abandon(reopened)

    monkeypatch.setattr(SimulatedDirectory, "rename", made_but_reported_as_failed)
    assert_only_twins_fail(check, failed_switch_is_undone)


@pytest.mark.crash
def test_two_crashes_in_a_row_are_survived() -> None:
    """A crash in or right after a recovery left a database that nobody could open.

    rocksdb #5851, #5856, #9922, #15103.
    """
    plan = Plan(canonical=False, samples=0, call_stride=41, recovery=RECOVERY, aftermath_stride=99)

    assert_only_twins_fail(crashing(FLUSHED, plan), numbers_reused, replayed_logs_removed)


def test_a_checkpoint_is_durable_when_it_is_made() -> None:
    """A checkpoint held logs that were not synced (rocksdb #3603, #7787, 9.6.0; pebble #5142)."""

    def check() -> None:
        filesystem = SimulatedFileSystem()
        database = lsm.open("/data", SMALL, environment=SimulatedEnvironment(filesystem))
        database.put(b"a", b"1")
        database.checkpoint("/copy")
        abandon(database)
        copy = lsm.open("/copy", SMALL, environment=SimulatedEnvironment(filesystem.after_power_loss(NOTHING)))
        assert copy.get(b"a") == b"1"
        abandon(copy)

    assert_only_twins_fail(check, checkpoint_without_content)


def test_a_checkpoint_is_of_one_moment() -> None:
    """A checkpoint named files that a compaction had removed meanwhile (rocksdb #12882, 9.4.0; pebble #5177)."""
    pair = Pair(checkpoint, change_and_compact, copy_is_one_moment)

    assert_only_twins_fail(lambda: meet(pair, range(1, 80, 7)), checkpoint_of_two_moments)
