"""Bugs of failing calls: an error, a full disk or too many files did lasting harm."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest

import lsm
from lsm.testing import Fault, SimulatedEnvironment, SimulatedFileSystem, abandon
from tests.defects.call_faults import PartialWrite
from tests.defects.defect import Patch
from tests.defects.planted_logs import (
    failed_append_left,
    failed_install_shown,
    full_for_ever,
    inputs_cleaned_up,
    short_writes_ignored,
    unreadable_is_the_end,
)
from tests.historic.teeth import assert_only_twins_fail
from tests.support.small import SMALL

pytestmark = pytest.mark.filterwarnings("ignore")  # a check that fails, as it must with a twin, leaves its handle


def opened(filesystem: SimulatedFileSystem) -> lsm.Database:
    """Open the database on a disk as a new process."""
    return lsm.open("/data", SMALL, environment=SimulatedEnvironment(filesystem))


def content(filesystem: SimulatedFileSystem) -> dict[bytes, bytes]:
    """Return what a new process finds."""
    database = opened(filesystem)
    found = dict(database.scan())
    abandon(database)
    return found


def refuse(filesystem: SimulatedFileSystem, fault: Fault) -> Fault:
    """Have calls fail; only for the reader."""
    return filesystem.fail(fault)


def test_a_manifest_that_did_not_fit_on_the_disk_is_not_built_on() -> None:
    """The disk was full when the manifest was written, and later edits went behind the torn record.

    rocksdb #6316, #6331, 9.5.0; leveldb #160, #161.
    """

    def check() -> None:
        for skip in range(3):
            filesystem = SimulatedFileSystem()
            database = opened(filesystem)
            database.put(b"a", b"1", sync=True)
            refuse(filesystem, PartialWrite(operation="write", name="[MC]*", skip=skip, times=2, error=errno.ENOSPC))
            with pytest.raises(lsm.StorageError):
                for number in range(4):
                    database.put(b"b%d" % number, b"2", sync=True)
                    database.flush()
            filesystem.heal()
            database.put(b"c", b"3", sync=True)
            database.flush()
            abandon(database)
            for survivor in (filesystem.after_kill(), filesystem.after_power_loss()):
                assert content(survivor).keys() >= {b"a", b"b0", b"c"}

    assert_only_twins_fail(check, failed_install_shown)


def test_nothing_is_written_behind_a_failed_append() -> None:
    """A failed append left bytes in the log, and what was acknowledged after it could not be reached.

    HarperFast/rocksdb-js #748, #751; hashicorp/raft-wal #32; pmcfadin/cqlite #1379.
    """

    def check() -> None:
        filesystem = SimulatedFileSystem()
        database = opened(filesystem)
        database.put(b"a", b"1")
        refuse(filesystem, PartialWrite(operation="write", name="*.wal", times=2))
        with pytest.raises(lsm.StorageError, match="not committed"):
            database.put(b"failed", b"2")
        filesystem.heal()
        database.put(b"b", b"3", sync=True)
        abandon(database)
        assert content(filesystem.after_power_loss()) == {b"a": b"1", b"b": b"3"}

    assert_only_twins_fail(check, failed_append_left)


def test_a_full_disk_is_forgotten_when_there_is_space_again() -> None:
    """Once the disk had been full, writing was refused until a restart.

    rocksdb #919, #8217, #9762, #11643, #12998; HarperFast/rocksdb-js #730.
    """

    def check() -> None:
        filesystem = SimulatedFileSystem()
        database = opened(filesystem)
        database.put(b"a", b"1", sync=True)
        refuse(filesystem, Fault(operation="write", error=errno.ENOSPC, times=None))
        attempts: list[Callable[[], object]] = [lambda: database.put(b"b", b"2"), database.flush, database.compact]
        for attempt in attempts:
            with pytest.raises(lsm.DiskFullError):
                attempt()
            assert database.get(b"a") == b"1"
        filesystem.heal()
        database.put(b"b", b"2", sync=True)
        database.compact()
        database.close()
        assert content(filesystem) == {b"a": b"1", b"b": b"2"}

    assert_only_twins_fail(check, full_for_ever)


def half_a_batch_again(patch: Patch) -> None:
    """A batch that failed for lack of space is written once more without its first entry."""
    write = lsm.Database.write

    def wrong(self: lsm.Database, batch: lsm.WriteBatch, sync: bool | None = None) -> None:
        try:
            write(self, batch, sync)
        except lsm.DiskFullError:
            rest = lsm.WriteBatch()
            rest.keys, rest.values = batch.keys[1:], batch.values[1:]
            write(self, rest, sync)

    patch.setattr(lsm.Database, "write", wrong)


def test_a_batch_that_met_a_full_disk_is_there_whole_or_not_at_all() -> None:
    """Resuming after a full disk lost a part of a batch (rocksdb #12995)."""

    def check() -> None:
        filesystem = SimulatedFileSystem()
        database = opened(filesystem)
        refuse(filesystem, Fault(operation="write", name="*.wal", error=errno.ENOSPC))
        batch = lsm.WriteBatch()
        batch.put(b"a", b"1")
        batch.put(b"b", b"2")
        told = False
        try:
            database.write(batch, sync=True)
        except lsm.DiskFullError:
            told = True
        abandon(database)
        assert content(filesystem.after_power_loss()) == ({} if told else {b"a": b"1", b"b": b"2"})

    assert_only_twins_fail(check, half_a_batch_again)


def test_too_many_open_files_in_a_compaction_harm_nothing() -> None:
    """A compaction that could open no more files left a damaged database (syndtr/goleveldb #41)."""

    def check() -> None:
        filesystem = SimulatedFileSystem()
        database = opened(filesystem)
        for number in range(2):
            database.put(b"a", b"%d" % number, sync=True)
            database.flush()
        refuse(filesystem, Fault(operation="open", name="*.sst", error=errno.EMFILE, times=None))
        with pytest.raises(lsm.StorageError):
            database.compact()
        abandon(database)
        assert content(filesystem.after_kill()) == {b"a": b"1"}

    assert_only_twins_fail(check, inputs_cleaned_up)


def test_a_short_write_is_continued() -> None:
    """A write that took fewer bytes than it was given lost the rest (py-lmdb #474, #476)."""

    def check() -> None:
        filesystem = SimulatedFileSystem()
        database = opened(filesystem)
        refuse(filesystem, Fault(operation="write", short_bytes=7, times=None))
        database.put(b"a", b"1" * 100, sync=True)
        database.flush()
        database.put(b"b", b"2" * 100, sync=True)
        abandon(database)
        assert content(filesystem.after_power_loss()) == {b"a": b"1" * 100, b"b": b"2" * 100}

    assert_only_twins_fail(check, short_writes_ignored)


def test_a_log_that_cannot_be_read_is_not_taken_for_an_empty_one() -> None:
    """A read error while recovering looked like the end of the log (CORDS, FAST 2017: several stores)."""

    def check() -> None:
        for skip in range(12):
            filesystem = SimulatedFileSystem()
            database = opened(filesystem)
            database.put(b"a", b"1")
            abandon(database)
            survivor = filesystem.after_kill()
            refuse(survivor, Fault(operation="read", name="*.wal", skip=skip))
            try:
                found = content(survivor)
            except lsm.Error:
                found = content(filesystem.after_kill())
            assert found == {b"a": b"1"}

    assert_only_twins_fail(check, unreadable_is_the_end)
