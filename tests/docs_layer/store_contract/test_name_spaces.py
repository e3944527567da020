"""Counters, logs, sequences, the epoch, estimates: everything beside the keys."""

from __future__ import annotations

import threading
import time

import pytest

from docs_layer.store import Store
from tests.docs_layer.store_contract.steps import committed, entries, overlapping, seed


def test_adds_add_up(store: Store) -> None:
    """Two overlapping adders both count; keys of the same name are something else."""
    assert overlapping(store, lambda tx: tx.add(b"n", 2), lambda tx: tx.add(b"n", 3)) == [True, True]
    with store.snapshot() as snapshot:
        assert snapshot.counter(b"n") == 5
        assert snapshot.counter(b"none") == 0
        assert snapshot.get(b"n") is None
        assert entries(snapshot) == []


def test_a_transaction_sees_its_own_additions(store: Store) -> None:
    """Stored value plus own changes, in their order."""
    with committed(store) as transaction:
        transaction.add(b"a", 1)
        transaction.add(b"b", 1)
    transaction = store.transaction()
    transaction.add(b"a", 10)
    transaction.add(b"c", -3)
    transaction.delete_counters(b"b", b"c")
    assert [transaction.counter(name) for name in (b"a", b"b", b"c")] == [11, 0, -3]
    assert list(transaction.counters(b"", b"z")) == [(b"a", 11), (b"c", -3)]
    transaction.commit()
    with store.snapshot() as snapshot:
        assert list(snapshot.counters(b"", b"z")) == [(b"a", 11), (b"c", -3)]
        assert list(snapshot.counters(b"b", b"c\0")) == [(b"c", -3)]


def test_deleted_counters_begin_again(store: Store) -> None:
    """An addition after the deletion counts from 0, before it not at all."""
    with committed(store) as transaction:
        transaction.add(b"n", 5)
    with committed(store) as transaction:
        transaction.add(b"n", 1)
        transaction.delete_counters(b"n", b"n\0")
        transaction.add(b"n", 2)
    with store.snapshot() as snapshot:
        assert snapshot.counter(b"n") == 2


@pytest.mark.parametrize("limit", [2**63 - 1, -(2**63)])
def test_counters_have_64_bits(store: Store, limit: int) -> None:
    """The ends are reached and not passed; a commit that would pass them writes nothing."""
    with committed(store) as transaction:
        transaction.add(b"n", limit)
    transaction = store.transaction()
    transaction.add(b"n", 1 if limit > 0 else -1)
    transaction.put(b"k", b"")
    with pytest.raises(ValueError, match="64 bits"):
        transaction.commit()
    with store.snapshot() as snapshot:
        assert snapshot.counter(b"n") == limit
        assert snapshot.get(b"k") is None


def test_logs_keep_commits_together_and_in_order(store: Store) -> None:
    """Overlapping appenders: what is read first stays before what is read later."""
    first, second = store.transaction(), store.transaction()
    first.append(b"feed", b"a1")
    second.append(b"feed", b"b1")
    second.append(b"feed", b"b2")
    second.commit()
    with store.snapshot() as snapshot:
        seen = list(snapshot.log(b"feed"))
    first.append(b"feed", b"a2")
    first.commit()
    with store.snapshot() as snapshot:
        rest = list(snapshot.log(b"feed", seen[-1][0]))
        assert [value for _, value in seen + rest] == [b"b1", b"b2", b"a1", b"a2"]
        assert list(snapshot.log(b"feed")) == seen + rest
        assert [value for _, value in snapshot.log(b"feed", limit=3)] == [b"b1", b"b2", b"a1"]
        assert list(snapshot.log(b"feed", rest[-1][0])) == []
    positions = [position for position, _ in seen + rest]
    assert positions == sorted(set(positions))


def test_logs_whose_names_begin_alike_do_not_mix(store: Store) -> None:
    """Names with NUL bytes, and names that continue others."""
    names = [b"", b"\0", b"a", b"a\0", b"a\0\0", b"a\0\1", b"a\1", b"ab"]
    with committed(store) as transaction:
        for name in names:
            transaction.append(name, b"<" + name + b">")
    with store.snapshot() as snapshot:
        for name in names:
            assert [value for _, value in snapshot.log(name)] == [b"<" + name + b">"]


def test_trim_removes_up_to_a_position(store: Store) -> None:
    """Older entries go, later ones stay, other logs stay, old snapshots still see all."""
    for value in (b"1", b"2", b"3"):
        with committed(store) as transaction:
            transaction.append(b"l", value)
            transaction.append(b"other", value)
    with store.snapshot() as before:
        position = list(before.log(b"l"))[1][0]
        with committed(store) as transaction:
            transaction.trim(b"l", position)
            transaction.append(b"l", b"4")
        assert [value for _, value in before.log(b"l")] == [b"1", b"2", b"3"]
    with store.snapshot() as snapshot:
        assert [value for _, value in snapshot.log(b"l")] == [b"3", b"4"]
        assert [value for _, value in snapshot.log(b"l", position)] == [b"3", b"4"]
        assert [value for _, value in snapshot.log(b"other")] == [b"1", b"2", b"3"]


def test_the_epoch_counts_committed_schema_changes(store: Store) -> None:
    """A rolled-back bump does not count, two in one transaction count twice."""
    with store.snapshot() as snapshot:
        before = snapshot.epoch
    transaction = store.transaction()
    transaction.bump_epoch()
    transaction.rollback()
    with committed(store) as transaction:
        transaction.bump_epoch()
    with committed(store) as transaction:
        assert transaction.epoch == before + 1
        transaction.bump_epoch()
        transaction.bump_epoch()
    with store.snapshot() as snapshot:
        assert snapshot.epoch == before + 3


def test_nobody_is_given_the_same_number_twice(store: Store) -> None:
    """Four threads, blocks of three: all numbers differ and begin at 1."""
    numbers: list[int] = []

    def take() -> None:
        for _ in range(50):
            first = store.allocate(b"Book", 3)
            numbers.extend(range(first, first + 3))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(numbers)) == len(numbers) == 600
    assert min(numbers) == 1


def test_reserved_numbers_are_not_given_out(store: Store) -> None:
    """Only numbers above the reserved one follow; a lower reservation changes nothing; names are apart."""
    store.reserve(b"Book", 1_000_000)
    assert store.allocate(b"Book") == 1_000_001
    store.reserve(b"Book", 5)
    assert store.allocate(b"Book", 2) > 1_000_001
    assert store.allocate(b"Author") == 1


def test_numbers_that_are_given_back_come_again(store: Store) -> None:
    """The unused end of a range is given out anew, unless others were given later numbers, or reserved them."""
    assert store.allocate(b"Book", 10) == 1
    store.give_back(b"Book", 4, 10)
    assert store.allocate(b"Book", 2) == 4
    store.give_back(b"Book", 1, 3)
    assert store.allocate(b"Book") == 6
    store.reserve(b"Book", 20)
    store.give_back(b"Book", 6, 6)
    assert store.allocate(b"Book") == 21
    store.give_back(b"Author", 1, 5)
    assert store.allocate(b"Author") == 1


def test_numbers_are_taken_outside_of_transactions(store: Store) -> None:
    """A rollback gives nothing back, and an open transaction does not conflict."""
    transaction = store.transaction()
    transaction.put(b"k", b"")
    first = store.allocate(b"Book")
    transaction.commit()
    transaction = store.transaction()
    transaction.rollback()
    assert store.allocate(b"Book") > first


def test_an_estimate_is_a_guess_that_costs_nothing(store: Store) -> None:
    """An empty store is empty, a filled range is not less than nothing."""
    assert store.estimate(b"", b"z").entries == 0
    seed(store, *(b"k%04d" % number for number in range(1000)))
    estimate = store.estimate(b"k", b"l")
    assert estimate.entries > 0
    assert estimate.size_bytes > 0
    assert store.estimate(b"l", b"k").entries == 0


def test_waiting_ends_when_somebody_appends(store: Store) -> None:
    """An entry behind the position wakes the waiter; what is there already needs no waiting."""
    assert not store.wait(b"l", None, 0.01)
    with committed(store) as transaction:
        transaction.append(b"l", b"1")
    assert store.wait(b"l", None, 60)
    with store.snapshot() as snapshot:
        position = next(snapshot.log(b"l"))[0]
    assert not store.wait(b"l", position, 0.01)

    def append_later() -> None:
        time.sleep(0.05)
        with committed(store) as transaction:
            transaction.append(b"l", b"2")

    thread = threading.Thread(target=append_later)
    thread.start()
    assert store.wait(b"l", position, 60)
    thread.join()
