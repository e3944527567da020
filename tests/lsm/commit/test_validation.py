"""Validation: what counts as changed since a moment, and what the error says."""

from __future__ import annotations

import threading

import pytest

from lsm.commit.validation import ReadSet, check_unchanged
from lsm.errors import ConflictError
from lsm.history import HistoryLink
from lsm.keys import EPOCH_KEY, encode_integer
from lsm.memtable import Memtable
from lsm.runs import MISSING, Value


class History:
    """Memtables since a snapshot at sequence 10, and a staging of members admitted before."""

    def __init__(self) -> None:
        self.base = HistoryLink(Memtable(1, threading.Lock()))
        self.base.memtable.put(b"old", b"v", 9)
        self.newest = self.base
        self.staging = Memtable(0, threading.Lock())

    def rotate(self) -> Memtable:
        """Begin a new memtable."""
        self.newest = self.newest.extended(Memtable(2, threading.Lock()))
        return self.newest.memtable

    def look_up(self, key: bytes) -> Value:
        """Return the newest value."""
        for table in (self.staging, *reversed(list(self.base.memtables()))):
            value = table.get(key, 1 << 60)
            if value is not MISSING:
                return value
        return None

    def check(self, reads: ReadSet) -> None:
        """Validate."""
        check_unchanged(reads, self.base, 10, self.staging, self.look_up)


@pytest.fixture
def history() -> History:
    """Give a history without any change."""
    return History()


@pytest.fixture
def reads() -> ReadSet:
    """Give what a transaction read: some keys, some presences, one range."""
    made = ReadSet()
    made.add_key(b"old")
    made.add_key(b"absent")
    made.add_presence([b"there"], [True])
    made.add_presence([b"not there"], [False])
    made.add_range(b"m", b"p")
    return made


PLACES = ["the same memtable", "a later one", "the same group"]


def written_in(history: History, place: str) -> Memtable:
    """Return the memtable that takes a change."""
    if place == "the same group":
        return history.staging
    if place == "a later one":
        history.rotate()
        return history.rotate()
    return history.base.memtable


def test_nothing_changed(history: History, reads: ReadSet) -> None:
    """Old versions, and changes of what was not read, are no conflict."""
    table = history.rotate()
    history.base.memtable.put(b"there", b"v", 11)
    table.put(b"elsewhere", b"v", 12)
    table.delete_range(b"p", b"t", 13)
    history.staging.put(b"another", b"v", 14)
    history.staging.put(b"l", None, 15)
    history.check(reads)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("value", [b"new", None])
@pytest.mark.parametrize("key", [b"old", b"absent"])
def test_a_key_that_was_read_and_written(
    history: History, reads: ReadSet, place: str, key: bytes, value: bytes | None
) -> None:
    """By a put or a deletion, in any memtable since then; the error names it."""
    written_in(history, place).put(key, value, 11)
    with pytest.raises(ConflictError, match=repr(key)) as caught:
        history.check(reads)
    assert caught.value.keys == (key,)
    assert caught.value.retryable


@pytest.mark.parametrize("place", PLACES)
def test_a_key_in_a_deleted_range(history: History, reads: ReadSet, place: str) -> None:
    """A range deletion writes every key that it covers, also absent ones."""
    written_in(history, place).delete_range(b"a", b"b", 11)
    with pytest.raises(ConflictError) as caught:
        history.check(reads)

    assert caught.value.keys == (b"absent",)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("key", [b"m", b"n", b"ozzz"])
def test_a_phantom(history: History, reads: ReadSet, place: str, key: bytes) -> None:
    """A key that came into a scanned range; the error has the key and the range."""
    written_in(history, place).put(key, b"v", 11)
    with pytest.raises(ConflictError, match="range") as caught:
        history.check(reads)
    assert caught.value.keys == (key,)
    assert caught.value.ranges == ((b"m", b"p"),)


@pytest.mark.parametrize(("start", "stop", "hit"), [(b"a", b"m", False), (b"a", b"n", True), (b"o", b"z", True)])
def test_a_deleted_range_and_a_scanned_one(history: History, start: bytes, stop: bytes, hit: bool) -> None:
    """They conflict exactly where they overlap."""
    reads = ReadSet()
    reads.add_range(b"m", b"p")
    history.rotate().delete_range(start, stop, 11)
    if hit:
        with pytest.raises(ConflictError):
            history.check(reads)
    else:
        history.check(reads)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("key", "value", "conflict"),
    [
        (b"there", b"other", False),
        (b"there", None, True),
        (b"not there", b"now", True),
        (b"not there", None, False),
    ],
)
def test_presence(history: History, place: str, key: bytes, value: bytes | None, conflict: bool) -> None:
    """Only a change of whether the key exists counts."""
    reads = ReadSet()
    reads.add_presence([key], [key == b"there"])
    history.base.memtable.put(b"there", b"v", 9)
    written_in(history, place).put(key, value, 11)
    if conflict:
        with pytest.raises(ConflictError):
            history.check(reads)
    else:
        history.check(reads)


def test_a_key_that_went_and_came_back(history: History) -> None:
    """Presence compares with what is there now; a value that was read has changed all the same."""
    reads = ReadSet()
    reads.add_presence([b"old"], [True])
    history.base.memtable.put(b"old", None, 11)
    history.rotate().put(b"old", b"v", 12)
    history.check(reads)

    reads.add_key(b"old")
    with pytest.raises(ConflictError):
        history.check(reads)


def test_the_epoch_counts_for_everybody(history: History) -> None:
    """Also for a transaction that read nothing."""
    history.check(ReadSet())
    history.rotate().put(EPOCH_KEY, encode_integer(1), 11)
    with pytest.raises(ConflictError):
        history.check(ReadSet())


def test_ranges_grow_while_a_scan_goes_on() -> None:
    """Pieces that touch are one range, in either direction; others stay apart."""
    reads = ReadSet()
    for start, stop in ((b"a", b"c"), (b"c", b"f"), (b"f", b"g")):
        reads.add_range(start, stop)
    for start, stop in ((b"x", b"z"), (b"t", b"x")):
        reads.add_range(start, stop)

    assert reads.ranges == [(b"a", b"g"), (b"t", b"z")]


def test_what_is_remembered_is_weighed() -> None:
    """Each key once."""
    reads = ReadSet()
    for _ in range(3):
        reads.add_key(b"k" * 10)
        reads.add_presence([b"p" * 10], [True])
    assert reads.size_bytes == 220
    reads.add_range(b"a", b"b")
    assert reads.size_bytes > 220
