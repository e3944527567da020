"""Bugs of concurrency: what was seen, or done, in an unlucky moment; and who may write."""

from __future__ import annotations

import sys
from contextlib import suppress

import pytest

import lsm
from lsm.testing import Call, SimulatedEnvironment, SimulatedFileSystem, abandon
from tests.defects.acts import change_and_compact, write_batch_synced
from tests.defects.damage_faults import check_owners, owners_met
from tests.defects.defect import Patch, instead, nothing
from tests.defects.meeting_faults import (
    Meeting,
    Pair,
    WatchedEnvironment,
    add_one,
    flush_and_add_one,
    is_one_moment,
    is_two,
    meet,
    read_twice,
)
from tests.defects.planted_moments import published_before_applied, tables_closed_under_readers, view_read_twice
from tests.defects.planted_tables import lock_files_removed, locks_of_the_process
from tests.historic.teeth import assert_only_twins_fail
from tests.support.small import SMALL

pytestmark = pytest.mark.filterwarnings("ignore")  # a check that fails, as it must with a twin, leaves its handle


def test_a_view_is_read_at_once() -> None:
    """A snapshot read its sequence and its files in two steps, between which a flush came (rocksdb #6973, #9648)."""
    assert_only_twins_fail(lambda: meet(Pair(add_one, flush_and_add_one, is_two), range(1, 12)), view_read_twice)


def test_nothing_is_seen_before_it_is_applied() -> None:
    """A commit was published before its entries were in the memtable (pebble #751, #6085, #6087)."""
    assert_only_twins_fail(lambda: meet(Pair(add_one, add_one, is_two), range(100, 131)), published_before_applied)


def test_an_iterator_outlives_the_files_it_reads() -> None:
    """An iterator lost the files that a compaction had replaced (leveldb #320)."""
    pair = Pair(read_twice, change_and_compact, is_one_moment)

    assert_only_twins_fail(lambda: meet(pair, range(1, 60, 5)), tables_closed_under_readers)


def test_a_lock_is_not_lost_with_another_descriptor() -> None:
    """Opening and closing the lock file once more in the process dropped the lock (rocksdb #1780, #3993)."""
    steps = ["open to write", "open to write", "open to read", "open to write"]

    assert_only_twins_fail(lambda: check_owners(steps), locks_of_the_process)


def test_lock_files_are_never_removed() -> None:
    """A lock file that was removed at closing let a second writer in (gastownhall/beads #2933, in Dolt)."""

    def check() -> None:
        for number in range(1, 60, 2):
            owners_met(number)

    assert_only_twins_fail(check, lock_files_removed)


def presence_given_back(patch: Patch) -> None:
    """A handle holds its lock only while it opens."""

    def make(done: object) -> object:
        def wrong(self: object) -> None:
            assert callable(done)
            done(self)
            getattr(self, "_presence").close()  # noqa: B009  # of an object that is not typed here

        return wrong

    instead(patch, "lsm.directory_locks:DirectoryLocks.opened", make)


def test_nobody_takes_over_from_a_writer_that_is_only_paused() -> None:
    """A paused writer went on after another had taken over, and its acknowledged writes vanished (slatedb #352, #1622).

    Here a writer is held at each place of a commit while another process tries to open: it is refused.
    """

    def check() -> None:
        for number in range(1, 200, 20):
            environment = WatchedEnvironment(SimulatedFileSystem())
            database = lsm.open("/data", SMALL, environment=environment)
            others: list[lsm.Database] = []

            def take_over(environment: WatchedEnvironment = environment, others: list[lsm.Database] = others) -> None:
                with suppress(lsm.LockedError):
                    others.append(lsm.open("/data", SMALL, environment=environment))

            meeting = Meeting(environment, take_over, number)
            try:
                sys.setprofile(meeting)
                write_batch_synced(database)
            finally:
                sys.setprofile(None)
            meeting.finish()
            for handle in (database, *others):
                abandon(handle)
            assert not others, f"another process took over at place {number} of a commit"

    assert_only_twins_fail(check, presence_given_back)


def links_uncounted(patch: Patch) -> None:
    """A writer does not look whether its log still has its name."""
    patch.setattr("lsm.commit.durability.check_linked_locked", nothing)


def test_a_log_without_a_name_acknowledges_nothing() -> None:
    """The file that fenced a writer was removed while it slept; it went on to acknowledge writes (slatedb #1622)."""

    def check() -> None:
        filesystem = SimulatedFileSystem()
        database = lsm.open("/data", SMALL, environment=SimulatedEnvironment(filesystem))
        log = database._core.live_log.file.path.rpartition("/")[2]

        def remove(call: Call) -> None:
            if call.operation == "sync" and call.path.endswith(".wal"):
                filesystem.observe(None)
                filesystem.open_directory("/data").unlink(log)

        filesystem.observe(remove)
        told = False
        try:
            database.put(b"a", b"1", sync=True)
        except lsm.SyncFailedError:
            told = True
        abandon(database)
        assert told, "a write was acknowledged in a log that nobody will find"

    assert_only_twins_fail(check, links_uncounted)


def recovered_memtables_stay(patch: Patch) -> None:
    """What a recovery has replayed is never flushed, and counts as a backlog for ever."""

    def wrong(self: object) -> None:
        raise lsm.BackgroundError("writers would wait for ever")

    patch.setattr("lsm.core.Core.stall_reason", lambda _: "memtables wait to be flushed")
    patch.setattr("lsm.maintenance.Maintenance.relieve", wrong)


def test_writing_goes_on_after_a_kill() -> None:
    """After kill -9 and reopening every write waited for ever (fjall #257)."""

    def check() -> None:
        filesystem = SimulatedFileSystem()
        for number in range(3):
            database = lsm.open("/data", SMALL, environment=SimulatedEnvironment(filesystem))
            for place in range(30):
                database.put(b"%d %02d" % (number, place), b"f" * 150)
            abandon(database)
            filesystem = filesystem.after_kill()
        database = lsm.open("/data", SMALL, environment=SimulatedEnvironment(filesystem))
        assert len(dict(database.scan())) == 90
        abandon(database)

    assert_only_twins_fail(check, recovered_memtables_stay)
