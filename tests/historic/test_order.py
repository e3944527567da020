"""Bugs of order: an older value, or a deleted one, came back after a compaction."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import lsm
from lsm.testing import SimulatedEnvironment, SimulatedFileSystem, abandon
from tests.defects.acts import compact
from tests.defects.meeting_faults import Pair, ends_unchanged, meet
from tests.defects.planted_moments import inputs_taken_twice
from tests.defects.planted_order import older_left_behind
from tests.historic.teeth import assert_only_twins_fail
from tests.support.small import SMALL

pytestmark = pytest.mark.filterwarnings("ignore")  # a check that fails, as it must with a twin, leaves its handle
Act = Callable[[lsm.Database], object]


def ends_with(act: Act, wanted: dict[bytes, bytes]) -> Callable[[], None]:
    """Return the check that this is the content after an act, by scan, by look-up and after reopening."""

    def check() -> None:
        filesystem = SimulatedFileSystem()
        database = lsm.open("/data", SMALL, environment=SimulatedEnvironment(filesystem))
        act(database)
        for handle in (database, lsm.open("/data", SMALL, environment=SimulatedEnvironment(filesystem.after_kill()))):
            assert dict(handle.scan()) == wanted
            assert dict(reversed(list(handle.scan(reverse=True)))) == wanted
            assert {key: handle.get(key) for key in (b"a", b"m", b"z")} == {
                key: wanted.get(key) for key in (b"a", b"m", b"z")
            }
            abandon(handle)

    return check


def test_an_older_value_does_not_return_when_versions_lie_in_two_files() -> None:
    """Versions of one key lay in two files, and a compaction took only the newer (leveldb #184, #320)."""

    def act(database: lsm.Database) -> None:
        database.put(b"a", b"1")
        database.put(b"m", b"old")
        database.flush()
        database.put(b"m", b"new")
        database.put(b"z", b"1")
        database.flush()
        database.compact(b"n", b"zz")

    assert_only_twins_fail(ends_with(act, {b"a": b"1", b"m": b"new", b"z": b"1"}), older_left_behind)


def test_a_key_in_a_deleted_range_does_not_return() -> None:
    """The range deletion was compacted away, or below, while an older file still had the key.

    rocksdb #2752, #2989, #4432, #4476.
    """

    def act(database: lsm.Database) -> None:
        database.put(b"a", b"1")
        database.put(b"m", b"old")
        database.flush()
        database.delete_range(b"l", b"y")
        database.put(b"z", b"1")
        database.flush()
        database.compact(b"yy", b"zz")

    assert_only_twins_fail(ends_with(act, {b"a": b"1", b"z": b"1"}), older_left_behind)


def test_two_compactions_never_take_the_same_inputs() -> None:
    """Two compactions picked the same files, and deleted keys returned (rocksdb 6.11.0)."""
    assert_only_twins_fail(lambda: meet(Pair(compact, compact, ends_unchanged), range(60, 600, 16)), inputs_taken_twice)
