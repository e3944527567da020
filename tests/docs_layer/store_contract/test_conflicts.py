"""Which overlapping transactions conflict: what must, everywhere; what need not, where conflicts are exact."""

from __future__ import annotations

import pytest

from docs_layer.errors import ConflictError
from docs_layer.store import Store, Transaction
from tests.docs_layer.store_contract.steps import Step, committed, entries, in_order, joined, keys, overlapping, seed

EVERY_KEY = [b"r%d" % number for number in range(6)]


def read_first_chunk(transaction: Transaction) -> None:
    """Read the beginning of a scan and leave the rest."""
    next(transaction.scan(b"r", b"s", limit=2))


MUST_CONFLICT: dict[str, tuple[Step, Step]] = {
    "lost update": (
        in_order(lambda tx: tx.get(b"x"), lambda tx: tx.put(b"x", b"1")),
        in_order(lambda tx: tx.get(b"x"), lambda tx: tx.put(b"x", b"2")),
    ),
    "write skew": (
        in_order(lambda tx: tx.get(b"x"), lambda tx: tx.put(b"y", b"1")),
        in_order(lambda tx: tx.get(b"y"), lambda tx: tx.put(b"x", b"2")),
    ),
    "write skew through multi_get": (
        in_order(lambda tx: tx.multi_get([b"x", b"p"]), lambda tx: tx.put(b"y", b"1")),
        in_order(lambda tx: tx.multi_get([b"p", b"y"]), lambda tx: tx.put(b"x", b"2")),
    ),
    "a read of what the first one put": (
        lambda tx: tx.put(b"x", b"1"),
        in_order(lambda tx: tx.get(b"x"), lambda tx: tx.put(b"q", b"")),
    ),
    "a read of what the first one deleted": (
        lambda tx: tx.delete(b"x"),
        in_order(lambda tx: tx.get(b"x"), lambda tx: tx.put(b"q", b"")),
    ),
    "a read of what a range delete removed": (
        lambda tx: tx.delete_range(b"w", b"z"),
        in_order(lambda tx: tx.get(b"x"), lambda tx: tx.put(b"q", b"")),
    ),
    "a read of an absent key": (
        lambda tx: tx.put(b"new", b""),
        in_order(lambda tx: tx.get(b"new"), lambda tx: tx.put(b"q", b"")),
    ),
    "phantoms": (
        in_order(lambda tx: keys(tx, b"r", b"s"), lambda tx: tx.put(b"q1", b"")),
        in_order(lambda tx: keys(tx, b"q", b"r"), lambda tx: tx.put(b"r7", b"")),
    ),
    "a key behind the last one of an exhausted scan": (
        lambda tx: tx.put(b"r9", b""),
        in_order(lambda tx: keys(tx, b"r", b"s"), lambda tx: tx.put(b"q", b"")),
    ),
    "a key below the last one of an exhausted reverse scan": (
        lambda tx: tx.put(b"r", b""),
        in_order(lambda tx: joined(tx.scan(b"r", b"s", reverse=True)), lambda tx: tx.put(b"q", b"")),
    ),
    "a key inside what a limited scan handed out": (
        lambda tx: tx.put(b"r0x", b""),
        in_order(lambda tx: keys(tx, b"r", b"s", limit=2), lambda tx: tx.put(b"q", b"")),
    ),
    "a range delete in what was scanned": (
        lambda tx: tx.delete_range(b"r3", b"r4"),
        in_order(lambda tx: entries(tx, b"r", b"s"), lambda tx: tx.put(b"q", b"")),
    ),
    "a child is inserted while its parent is deleted": (
        in_order(lambda tx: tx.exists([b"p"]), lambda tx: tx.put(b"c1", b"p")),
        in_order(lambda tx: keys(tx, b"c", b"d"), lambda tx: tx.delete(b"p")),
    ),
    "a parent is deleted while its child is inserted": (
        in_order(lambda tx: keys(tx, b"c", b"d"), lambda tx: tx.delete(b"p")),
        in_order(lambda tx: tx.exists([b"p"]), lambda tx: tx.put(b"c1", b"p")),
    ),
    "presence of an absent key": (
        lambda tx: tx.put(b"new", b""),
        in_order(lambda tx: tx.exists([b"new"]), lambda tx: tx.put(b"q", b"")),
    ),
    "both insert the same key": (
        lambda tx: tx.insert([(b"new", b"1")]),
        lambda tx: tx.insert([(b"new", b"2")]),
    ),
    "a present key that was not inserted is deleted": (
        lambda tx: tx.delete(b"x"),
        in_order(lambda tx: tx.insert([(b"x", b"2")]), lambda tx: tx.put(b"q", b"")),
    ),
    "a counter is read while another adds": (
        lambda tx: tx.add(b"n", 1),
        in_order(lambda tx: tx.counter(b"n"), lambda tx: tx.put(b"q", b"")),
    ),
    "counters are listed while another adds": (
        lambda tx: tx.add(b"n", 1),
        in_order(lambda tx: list(tx.counters(b"m", b"o")), lambda tx: tx.put(b"q", b"")),
    ),
    "an epoch against a writer": (lambda tx: tx.bump_epoch(), lambda tx: tx.put(b"q", b"")),
    "an epoch against an adder": (lambda tx: tx.bump_epoch(), lambda tx: tx.add(b"n", 1)),
    "two epochs": (lambda tx: tx.bump_epoch(), lambda tx: tx.bump_epoch()),
}

NEED_NOT_CONFLICT: dict[str, tuple[Step, Step]] = {
    "blind puts of one key": (lambda tx: tx.put(b"x", b"1"), lambda tx: tx.put(b"x", b"2")),
    "different keys": (
        in_order(lambda tx: tx.get(b"x"), lambda tx: tx.put(b"x", b"1")),
        in_order(lambda tx: tx.get(b"y"), lambda tx: tx.put(b"y", b"1")),
    ),
    "presence of a key that is overwritten": (
        lambda tx: tx.put(b"p", b"new"),
        in_order(lambda tx: tx.exists([b"p"]), lambda tx: tx.put(b"c1", b"")),
    ),
    "insert beside a present key that is overwritten": (
        lambda tx: tx.put(b"p", b"new"),
        in_order(lambda tx: tx.insert([(b"p", b"")]), lambda tx: tx.put(b"c1", b"")),
    ),
    "a key behind what a limited scan handed out": (
        lambda tx: tx.put(b"r5", b"new"),
        in_order(lambda tx: keys(tx, b"r", b"s", limit=2), lambda tx: tx.put(b"q", b"")),
    ),
    "a key behind the first chunk": (
        lambda tx: tx.put(b"r5", b"new"),
        in_order(read_first_chunk, lambda tx: tx.put(b"q", b"")),
    ),
    "a key below what a limited reverse scan handed out": (
        lambda tx: tx.put(b"r0", b"new"),
        in_order(lambda tx: joined(tx.scan(b"r", b"s", reverse=True, limit=2)), lambda tx: tx.put(b"q", b"")),
    ),
    "a scan that nobody began to read": (
        lambda tx: tx.put(b"r0", b"new"),
        in_order(lambda tx: tx.scan(b"r", b"s"), lambda tx: tx.put(b"q", b"")),
    ),
    "an unvalidated read": (
        lambda tx: tx.put(b"x", b"1"),
        in_order(
            lambda tx: tx.unvalidated.get(b"x"),
            lambda tx: tx.unvalidated.multi_get([b"x"]),
            lambda tx: tx.put(b"q", b""),
        ),
    ),
    "an unvalidated scan": (
        lambda tx: tx.put(b"r0", b"1"),
        in_order(
            lambda tx: keys(tx.unvalidated, b"r", b"s"),
            lambda tx: tx.unvalidated.counter(b"n"),
            lambda tx: tx.put(b"q", b""),
        ),
    ),
    "a read of what the transaction itself wrote before": (
        lambda tx: tx.put(b"x", b"1"),
        in_order(lambda tx: tx.put(b"x", b"2"), lambda tx: tx.get(b"x"), lambda tx: tx.exists([b"x"])),
    ),
    "two adders": (lambda tx: tx.add(b"n", 2), lambda tx: tx.add(b"n", 3)),
    "two appenders": (lambda tx: tx.append(b"l", b"1"), lambda tx: tx.append(b"l", b"2")),
    "a reader that writes nothing": (
        in_order(lambda tx: tx.put(b"x", b"1"), lambda tx: tx.bump_epoch()),
        in_order(lambda tx: tx.get(b"x"), lambda tx: keys(tx, b"a", b"z")),
    ),
    "keys and counters of one name": (
        lambda tx: tx.put(b"n", b""),
        in_order(lambda tx: tx.counter(b"n"), lambda tx: list(tx.counters(b"", b"z")), lambda tx: tx.put(b"q", b"")),
    ),
    "a delete of an absent key": (
        lambda tx: tx.put(b"q", b""),
        lambda tx: tx.delete(b"absent"),
    ),
}


@pytest.mark.parametrize("case", MUST_CONFLICT)
def test_what_must_conflict_does(store: Store, case: str) -> None:
    """The first of two overlapping transactions commits, the second does not, and leaves nothing."""
    seed(store, b"x", b"y", b"p", *EVERY_KEY)
    with store.snapshot() as before:
        had_q = before.get(b"q")
    assert overlapping(store, *MUST_CONFLICT[case]) == [True, False]
    with store.snapshot() as snapshot:
        assert snapshot.get(b"q") == had_q
        assert snapshot.get(b"c1") in (None, b"p")


@pytest.mark.parametrize("case", NEED_NOT_CONFLICT)
def test_what_need_not_conflict_does_not_where_conflicts_are_exact(store: Store, case: str) -> None:
    """Both of two overlapping transactions commit."""
    seed(store, b"x", b"y", b"p", *EVERY_KEY)
    outcomes = overlapping(store, *NEED_NOT_CONFLICT[case])
    assert outcomes[0]
    assert outcomes[1] or not store.limits.exact_conflicts


def test_a_conflict_may_be_run_again(store: Store) -> None:
    """The error is retryable, nothing was written, and a fresh transaction succeeds."""
    seed(store, b"x")
    transaction = store.transaction()
    transaction.get(b"x")
    transaction.put(b"y", b"1")
    with committed(store) as other:
        other.put(b"x", b"new")
    with pytest.raises(ConflictError) as caught:
        transaction.commit()
    assert caught.value.retryable
    if store.limits.exact_conflicts:
        assert caught.value.keys == (b"x",)
    with store.snapshot() as snapshot:
        assert snapshot.get(b"y") is None
    with committed(store) as again:
        again.get(b"x")
        again.put(b"y", b"1")
    with store.snapshot() as snapshot:
        assert snapshot.get(b"y") == b"1"


def test_reads_before_a_rollback_to_a_mark_stay_validated(store: Store) -> None:
    """A decision may rest on a read whose writes were undone."""
    seed(store, b"x")

    def read_and_undo(transaction: Transaction) -> None:
        mark = transaction.mark()
        transaction.get(b"x")
        transaction.put(b"y", b"")
        transaction.rollback_to(mark)
        transaction.put(b"z", b"")

    assert overlapping(store, lambda tx: tx.put(b"x", b"1"), read_and_undo) == [True, False]


def test_changes_before_the_transaction_began_do_not_conflict(store: Store) -> None:
    """Only commits since the transaction's own snapshot count."""
    seed(store, b"x")
    with committed(store) as transaction:
        transaction.bump_epoch()
        transaction.put(b"x", b"1")
    with committed(store) as transaction:
        assert transaction.get(b"x") == b"1"
        assert transaction.epoch == 1
        transaction.put(b"x", b"2")


def test_a_key_that_was_deleted_and_put_again_counts_as_changed(store: Store) -> None:
    """The same value at the end does not hide that somebody wrote in between."""
    seed(store, b"x")
    transaction = store.transaction()
    assert transaction.get(b"x") == b""
    with committed(store) as other:
        other.delete(b"x")
    seed(store, b"x")
    transaction.put(b"y", b"")
    with pytest.raises(ConflictError):
        transaction.commit()


def test_a_key_that_was_deleted_and_put_again_is_still_present(store: Store) -> None:
    """Presence speaks of the commit, where conflicts are exact."""
    seed(store, b"x")
    transaction = store.transaction()
    assert transaction.exists([b"x", b"none"]) == [True, False]
    with committed(store) as other:
        other.delete(b"x")
    seed(store, b"x")
    transaction.put(b"y", b"")
    if store.limits.exact_conflicts:
        transaction.commit()
        with store.snapshot() as snapshot:
            assert snapshot.get(b"y") == b""
