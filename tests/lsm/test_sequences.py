"""Id sequences: no integer twice, whatever happens between."""

import threading

import pytest

import lsm
from lsm.testing import Fault
from tests.support.worlds import World, content


def test_integers_are_given_out_once(world: World) -> None:
    """From 1 upward, in ranges, per name."""
    database = world.open()

    assert [database.allocate(b"a"), database.allocate(b"a", 10), database.allocate(b"a")] == [1, 2, 12]
    assert [database.allocate(b"b"), database.allocate(b"", 3), database.allocate(b"")] == [1, 1, 4]
    assert content(database) == {}


def test_reserving_lifts_and_never_lowers(world: World) -> None:
    """What was given out stays given out."""
    database = world.open()
    database.reserve(b"a", 100)
    assert database.allocate(b"a") == 101
    database.reserve(b"a", 50)
    assert database.allocate(b"a") == 102
    database.reserve(b"a", 0)
    assert database.allocate(b"a") == 103


def test_the_unused_end_can_be_given_back(world: World) -> None:
    """Only while it is the end; what others were given since stays theirs."""
    database = world.open()
    assert database.allocate(b"a", 10) == 1
    assert database.give_back(b"a", 4, 10)
    assert database.allocate(b"a", 10) == 4
    assert not database.give_back(b"a", 3, 10)
    assert database.give_back(b"a", 4, 13)
    assert database.allocate(b"a") == 4
    assert not database.give_back(b"never used", 1, 5)
    for first, last in ((0, 4), (5, 4), (1, 1 << 63)):
        with pytest.raises(lsm.InvalidArgumentError, match="given out"):
            database.give_back(b"a", first, last)


def test_the_last_integer(world: World) -> None:
    """Of 63 bits; behind it there is none, and asking changes nothing."""
    database = world.open()
    database.reserve(b"a", (1 << 63) - 3)
    with pytest.raises(lsm.InvalidArgumentError, match="no integers left"):
        database.allocate(b"a", 3)
    assert database.allocate(b"a", 2) == (1 << 63) - 2
    with pytest.raises(lsm.InvalidArgumentError):
        database.allocate(b"a")


def test_nothing_is_given_twice_across_reopening(world: World) -> None:
    """Through kills, flushes and closing."""
    database = world.open()
    given = [database.allocate(b"a")]
    database = world.killed().open()
    given.append(database.allocate(b"a"))
    database.flush()
    given.append(database.allocate(b"a"))
    assert given == [1, 2, 3]


def test_a_failed_allocation_gives_nothing(world: World) -> None:
    """And the next one takes its place."""
    database = world.open()
    world.filesystem.fail(Fault(operation="write", name="*.wal"))
    with pytest.raises(lsm.StorageError):
        database.allocate(b"a", 5)
    assert database.allocate(b"a") == 1


def test_threads_never_get_the_same(world: World) -> None:
    """Every integer goes to one of them."""
    database = world.open()
    given: list[int] = []
    threads = [
        threading.Thread(target=lambda: given.extend(database.allocate(b"a") for _ in range(50))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(given) == list(range(1, 201))


def test_a_transaction_does_not_hold_up_a_sequence(world: World) -> None:
    """Allocations inside are outside of it: they stay when it is rolled back, and conflict with nobody."""
    database = world.open()
    transaction = database.transaction()
    transaction.put(b"a", b"%d" % database.allocate(b"ids"))
    transaction.rollback()

    def work(transaction: lsm.Transaction) -> int:
        number = database.allocate(b"ids")
        transaction.put(b"a", b"%d" % number)
        return number

    assert database.run(work) == 2
    assert database.get(b"a") == b"2"
