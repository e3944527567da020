"""What transactions write beside plain keys: inserts, counters, logs, the epoch; and marks to go back to."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lsm
from tests.support.transactions import conflicts, ten_keys
from tests.support.worlds import World, content


@pytest.fixture
def database(world: World) -> lsm.Database:
    """Give a database with the keys k0 to k9."""
    return ten_keys(world)


def test_insert_refuses_what_is_there(database: lsm.Database) -> None:
    """In the view, among own writes, and twice in one call; the rest is put."""
    transaction = database.transaction()
    transaction.put(b"own", b"1")
    transaction.delete(b"k1")
    refused = transaction.insert([(b"k0", b"x"), (b"own", b"x"), (b"k1", b"back"), (b"new", b"1"), (b"new", b"2")])
    assert refused == [b"k0", b"own", b"new"]
    transaction.commit()

    assert database.multi_get([b"k0", b"own", b"k1", b"new"]) == [b"0", b"1", b"back", b"1"]


def test_two_inserts_of_one_key(database: lsm.Database) -> None:
    """The second one is refused at its commit."""
    first, second = database.transaction(), database.transaction()
    assert first.insert([(b"new", b"1")]) == second.insert([(b"new", b"2")]) == []
    first.commit()
    with pytest.raises(lsm.ConflictError):
        second.commit()


def test_presence_of_what_is_overwritten(database: lsm.Database) -> None:
    """An insert that was refused because the key is there does not care for its value, but for its being there."""

    def read(transaction: lsm.Transaction) -> None:
        assert transaction.insert([(b"k3", b"x")]) == [b"k3"]

    assert not conflicts(database, read, lambda: database.put(b"k3", b"other"))
    assert conflicts(database, read, lambda: database.delete(b"k3"))


def test_marks_undo_writes_and_keep_reads(database: lsm.Database) -> None:
    """Any number of times, and nested."""
    transaction = database.transaction()
    transaction.put(b"a", b"1")
    transaction.add(b"count", 1)
    outer = transaction.mark()
    transaction.put(b"a", b"2")
    transaction.add(b"count", 10)
    inner = transaction.mark()
    transaction.delete_range(None, None)
    transaction.add(b"count", 100)
    assert transaction.get(b"a") is None
    transaction.rollback_to(inner)
    assert (transaction.get(b"a"), transaction.counter(b"count")) == (b"2", 11)
    transaction.get(b"k5")
    transaction.rollback_to(outer)
    assert (transaction.get(b"a"), transaction.counter(b"count")) == (b"1", 1)
    transaction.rollback_to(outer)
    database.put(b"k5", b"changed")
    with pytest.raises(lsm.ConflictError) as caught:
        transaction.commit()
    assert b"k5" in caught.value.keys


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9), st.integers(0, 3)), max_size=40))
def test_marks_undo_any_history(steps: list[tuple[int, int, int]]) -> None:
    """After each step the transaction shows what a copy of a dict shows; at the end that is what is committed."""
    with closing(World()) as world:
        database = world.open()
        database.put(b"0", b"old")
        transaction = database.transaction()
        now = {b"0": b"old"}
        marks = [(transaction.mark(), dict(now))]
        for action, number, depth in steps:
            key = str(number).encode()
            if action == 0:
                transaction.put(key, b"%d" % depth)
                now[key] = b"%d" % depth
            elif action == 1:
                transaction.delete(key)
                now.pop(key, None)
            elif action == 2:
                marks.append((transaction.mark(), dict(now)))
            elif action == 3:
                del marks[max(1, len(marks) - depth) :]
                mark, now = marks[-1][0], dict(marks[-1][1])
                transaction.rollback_to(mark)
            else:
                transaction.delete_range(key, None)
                now = {kept: value for kept, value in now.items() if kept < key}
            if depth:
                assert list(transaction.scan()) == sorted(now.items())
            assert transaction.get(key) == now.get(key)
        transaction.commit()
        assert list(database.scan()) == sorted(now.items())


def test_a_scan_goes_on_behind_a_mark(database: lsm.Database) -> None:
    """It began before the mark, so what is written and undone since is nothing to it."""
    transaction = database.transaction()
    transaction.put(b"k05", b"own")
    scan = transaction.scan()
    assert next(scan)[0] == b"k0"
    mark = transaction.mark()
    transaction.insert([(b"k%02d" % number, b"x") for number in range(100)])
    assert len(list(transaction.scan())) == 110
    transaction.rollback_to(mark)
    assert [key for key, _ in scan] == [b"k05", *(b"k%d" % number for number in range(1, 10))]
    assert len(list(transaction.scan())) == 11


def test_a_wrong_mark_is_refused(database: lsm.Database) -> None:
    """One from the future, or from another transaction."""
    transaction = database.transaction()
    transaction.put(b"a", b"1")
    for mark in (-1, 2, 99):
        with pytest.raises(lsm.TransactionError, match="mark"):
            transaction.rollback_to(mark)
    transaction.rollback_to(0)
    transaction.commit()

    assert database.get(b"a") is None


def test_counters_add_up_without_conflicts(database: lsm.Database) -> None:
    """Additions commute; what a transaction reads of a counter is validated."""
    transactions = [database.transaction() for _ in range(3)]
    for number, transaction in enumerate(transactions):
        transaction.add(b"count", number + 1)
        transaction.add(b"count", 10)
    for transaction in transactions:
        transaction.commit()
    assert database.counter(b"count") == 36

    def read(transaction: lsm.Transaction) -> None:
        assert transaction.counter(b"count") == 36

    assert conflicts(database, read, lambda: database.run(lambda transaction: transaction.add(b"count", 1)))
    assert not conflicts(database, lambda _: None, lambda: database.run(lambda other: other.add(b"count", 1)))


def test_counters_of_a_transaction(database: lsm.Database) -> None:
    """Own additions and removals are seen at once, by each and by range."""
    with database.transaction() as transaction:
        for name in (b"a", b"b", b"c"):
            transaction.add(name, 5)
    transaction = database.transaction()
    transaction.add(b"b", -7)
    transaction.add(b"bb", 1)
    assert list(transaction.counters(b"a", b"c")) == [(b"a", 5), (b"b", -2), (b"bb", 1)]
    transaction.delete_counters(b"a", b"b")
    assert (transaction.counter(b"a"), list(transaction.counters(b"a", b"z"))) == (
        0,
        [(b"b", -2), (b"bb", 1), (b"c", 5)],
    )
    transaction.add(b"a", 2)
    assert transaction.counter(b"a") == 2
    transaction.commit()

    assert list(database.counters(b"", b"z")) == [(b"a", 2), (b"b", -2), (b"bb", 1), (b"c", 5)]
    assert len(content(database)) == 10


def test_a_counter_has_64_bits(database: lsm.Database) -> None:
    """What leaves them is refused at commit, and nothing is written."""
    transaction = database.transaction()
    transaction.put(b"a", b"1")
    transaction.add(b"count", (1 << 63) - 1)
    transaction.add(b"count", 1)
    with pytest.raises(lsm.InvalidArgumentError, match="64 bits"):
        transaction.commit()
    assert (database.get(b"a"), database.counter(b"count")) == (None, 0)
    for wrong in (1.5, "1", True, None):
        with pytest.raises(lsm.Error):
            database.transaction().add(b"count", wrong)  # type: ignore[arg-type]  # what is to be refused


def test_logs_are_in_the_order_of_commits(database: lsm.Database) -> None:
    """Whatever the order of the appends; positions ascend and are read on from."""
    first, second = database.transaction(), database.transaction()
    first.append(b"log", b"first 1")
    second.append(b"log", b"second 1")
    second.append(b"log", b"second 2")
    first.append(b"other", b"elsewhere")
    second.commit()
    first.commit()
    entries = list(database.log(b"log"))

    assert [value for _, value in entries] == [b"second 1", b"second 2", b"first 1"]
    assert [position for position, _ in entries] == sorted({position for position, _ in entries})
    assert list(database.log(b"log", entries[0][0])) == entries[1:]
    assert list(database.log(b"log", entries[0][0], 1)) == entries[1:2]
    assert list(database.log(b"log", limit=2)) == entries[:2]
    with database.transaction() as transaction:
        transaction.trim(b"log", entries[1][0])
    assert list(database.log(b"log")) == entries[2:]
    assert [value for _, value in database.log(b"other")] == [b"elsewhere"]
    assert list(database.log(b"none")) == []


def test_waiting_for_a_log(database: lsm.Database) -> None:
    """Until somebody appends, or the time is over."""
    assert not database.wait(b"log", None, 0)

    def append(transaction: lsm.Transaction) -> None:
        transaction.append(b"log", b"1")

    waiter: list[bool] = []
    thread = threading.Thread(target=lambda: waiter.append(database.wait(b"log", None, 60)))
    thread.start()
    database.run(append)
    thread.join()
    assert waiter == [True]
    ((position, _),) = database.log(b"log")
    assert not database.wait(b"log", position, 0.01)


def test_the_epoch_conflicts_with_everybody_who_writes(database: lsm.Database) -> None:
    """A change of the schema is a read of all who overlap with it."""

    def bump() -> None:
        database.run(lambda transaction: transaction.bump_epoch())

    snapshot, old = database.snapshot(), database.transaction()
    assert conflicts(database, lambda _: None, bump)
    assert (database.epoch, snapshot.epoch, old.epoch) == (1, 0, 0)
    for _ in range(150):
        bump()
    late = database.snapshot()
    bump()
    assert (database.epoch, late.epoch, snapshot.epoch, database.transaction().epoch) == (152, 151, 0, 152)


def test_the_epoch_is_durable(world: World, database: lsm.Database) -> None:
    """Through flushes and reopening."""
    for _ in range(3):
        database.run(lambda transaction: transaction.bump_epoch())
    assert world.killed().open().epoch == 3
    database.flush()
    database.close()
    assert world.open().epoch == 3
