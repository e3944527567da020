"""What snapshots and transactions see: own writes, nothing of others, and scans as of their call."""

from __future__ import annotations

import pytest

from docs_layer.errors import ClosedError
from docs_layer.store import Store
from tests.docs_layer.store_contract.steps import committed, entries, joined, keys, seed

MANY = [b"k%05d" % number for number in range(3_000)]


def test_a_transaction_sees_its_own_writes(store: Store) -> None:
    """Puts, deletes and later puts of the same key; after the commit everybody sees them."""
    seed(store, b"old")
    transaction = store.transaction()
    transaction.put(b"a", b"1")
    transaction.put(b"b", b"2")
    transaction.delete(b"a")
    transaction.delete(b"old")
    transaction.put(b"c", b"3")
    transaction.put(b"c", b"4")
    assert [transaction.get(key) for key in (b"a", b"b", b"c", b"old")] == [None, b"2", b"4", None]
    assert transaction.multi_get([b"b", b"none", b"b"]) == [b"2", None, b"2"]
    assert entries(transaction) == [(b"b", b"2"), (b"c", b"4")]
    transaction.commit()
    with store.snapshot() as snapshot:
        assert entries(snapshot) == [(b"b", b"2"), (b"c", b"4")]


def test_nothing_is_seen_before_the_commit_and_nothing_after_a_rollback(store: Store) -> None:
    """Writes stay private until the commit."""
    transaction = store.transaction()
    transaction.put(b"a", b"1")
    with store.snapshot() as snapshot:
        assert snapshot.get(b"a") is None
    transaction.rollback()
    transaction.rollback()
    with store.snapshot() as snapshot:
        assert snapshot.get(b"a") is None


def test_a_snapshot_never_moves(store: Store) -> None:
    """Later puts, deletes, range deletes, additions and epochs do not show."""
    seed(store, b"a", b"b")
    with committed(store) as transaction:
        transaction.add(b"n", 1)
    with store.snapshot() as snapshot:
        scan = snapshot.scan(b"", b"z")
        for _ in range(3):
            with committed(store) as transaction:
                transaction.put(b"a", b"new")
                transaction.put(b"c", b"")
                transaction.delete(b"b")
                transaction.add(b"n", 1)
                transaction.bump_epoch()
        with committed(store) as transaction:
            transaction.delete_range(b"", b"z")
            transaction.delete_counters(b"", b"z")
        assert entries(snapshot) == joined(scan) == [(b"a", b""), (b"b", b"")]
        assert snapshot.get(b"a") == b""
        assert snapshot.counter(b"n") == 1
        assert snapshot.epoch == 0
    with store.snapshot() as snapshot:
        assert entries(snapshot) == []
        assert snapshot.counter(b"n") == 0
        assert snapshot.epoch == 3


def test_a_transaction_reads_one_snapshot(store: Store) -> None:
    """What others commit meanwhile does not show in an open transaction."""
    seed(store, b"a")
    transaction = store.transaction()
    assert transaction.get(b"a") == b""
    with committed(store) as other:
        other.put(b"a", b"new")
        other.put(b"b", b"new")
    assert transaction.get(b"a") == b""
    assert keys(transaction) == [b"a"]
    transaction.rollback()


@pytest.mark.parametrize("reverse", [False, True])
def test_a_scan_sees_own_writes_as_of_its_call(store: Store, reverse: bool) -> None:
    """Keys that are put, deleted or range-deleted while the scan goes on do not change it."""
    seed(store, *MANY[::2])
    transaction = store.transaction()
    for key in MANY[1::2]:
        transaction.put(key, b"own")
    found = []
    for chunk in transaction.scan(b"k", b"l", reverse=reverse):
        found += chunk.keys
        for key in chunk.keys:
            transaction.put(key + b"x", b"")
        transaction.delete(MANY[-1])
        transaction.delete(MANY[0])
        transaction.delete_range(MANY[1000], MANY[2000])
    assert found == (MANY[::-1] if reverse else MANY)
    transaction.rollback()


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("limit", [None, 0, 1, 31, 32, 33, 1000, 2999, 3000, 3001])
def test_scans_stop_at_their_limit(store: Store, own: bool, reverse: bool, limit: int | None) -> None:
    """The limit counts entries, not chunks, in both directions, over committed and own entries."""
    seed(store, *(MANY[::2] if own else MANY))
    transaction = store.transaction()
    for key in MANY[1::2] if own else []:
        transaction.put(key, b"")
    expected = (MANY[::-1] if reverse else MANY)[:limit]
    assert [key for key, _ in joined(transaction.scan(b"k", b"l", reverse=reverse, limit=limit))] == expected
    transaction.commit()
    with store.snapshot() as snapshot:
        assert [key for key, _ in joined(snapshot.scan(b"k", b"l", reverse=reverse, limit=limit))] == expected


def test_the_first_chunk_is_small(store: Store) -> None:
    """Reading one entry does not read thousands."""
    seed(store, *MANY)
    with store.snapshot() as snapshot:
        assert len(next(snapshot.scan(b"", b"z")).keys) < len(MANY) // 4


def test_scans_of_keys_only_carry_no_values(store: Store) -> None:
    """The value lists are empty."""
    seed(store, *MANY[:100])
    with store.snapshot() as snapshot:
        chunks = list(snapshot.scan(b"", b"z", values=False))
    assert [key for chunk in chunks for key in chunk.keys] == MANY[:100]
    assert all(chunk.values == [] for chunk in chunks)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [
        (b"", b"\xff\xff", [b"\0", b"a", b"a\0", b"a\0\0", b"ab", b"b", b"\xff"]),
        (b"a", b"b", [b"a", b"a\0", b"a\0\0", b"ab"]),
        (b"a\0", b"a\1", [b"a\0", b"a\0\0"]),
        (b"a\0", b"a\0", []),
        (b"b", b"a", []),
        (b"\xff", b"\xff\0", [b"\xff"]),
    ],
)
def test_ranges_hold_the_start_and_not_the_stop(
    store: Store, start: bytes, stop: bytes, expected: list[bytes], reverse: bool
) -> None:
    """Bounds that are themselves keys, and keys with NUL and FF bytes."""
    seed(store, b"\0", b"a", b"a\0", b"a\0\0", b"ab", b"b", b"\xff")
    with store.snapshot() as snapshot:
        found = [key for key, _ in joined(snapshot.scan(start, stop, reverse=reverse))]
    assert found == (expected[::-1] if reverse else expected)


def test_delete_range_removes_stored_and_own_entries(store: Store) -> None:
    """Own puts before it go, own puts after it stay, keys outside stay."""
    seed(store, b"a", b"b", b"c", b"d")
    transaction = store.transaction()
    transaction.put(b"b1", b"before")
    transaction.delete_range(b"b", b"d")
    transaction.put(b"c", b"after")
    assert entries(transaction) == [(b"a", b""), (b"c", b"after"), (b"d", b"")]
    assert transaction.exists([b"b", b"b1", b"c", b"d"]) == [False, False, True, True]
    transaction.commit()
    with store.snapshot() as snapshot:
        assert entries(snapshot) == [(b"a", b""), (b"c", b"after"), (b"d", b"")]


def test_insert_puts_what_is_absent_and_returns_the_rest(store: Store) -> None:
    """Stored keys, own keys, keys that come twice, and keys that were deleted before."""
    with committed(store) as transaction:
        assert transaction.insert([(b"a", b"1"), (b"a", b"2"), (b"b", b"3")]) == [b"a"]
    transaction = store.transaction()
    transaction.put(b"own", b"")
    transaction.delete(b"b")
    assert transaction.insert([(b"a", b"9"), (b"own", b"9"), (b"b", b"4"), (b"c", b"5")]) == [b"a", b"own"]
    transaction.commit()
    with store.snapshot() as snapshot:
        assert entries(snapshot) == [(b"a", b"1"), (b"b", b"4"), (b"c", b"5"), (b"own", b"")]


def test_rollback_to_a_mark_undoes_later_writes_only(store: Store) -> None:
    """Everything that was written since the mark goes: entries, ranges, counters, appends, epochs."""
    seed(store, b"s1", b"s2")
    transaction = store.transaction()
    transaction.put(b"a", b"1")
    transaction.add(b"n", 1)
    transaction.append(b"l", b"1")
    mark = transaction.mark()
    transaction.put(b"a", b"2")
    transaction.put(b"b", b"")
    transaction.delete(b"s1")
    transaction.delete_range(b"s2", b"s3")
    transaction.add(b"n", 10)
    transaction.delete_counters(b"n", b"o")
    transaction.append(b"l", b"2")
    transaction.bump_epoch()
    transaction.rollback_to(mark)
    assert entries(transaction) == [(b"a", b"1"), (b"s1", b""), (b"s2", b"")]
    assert transaction.counter(b"n") == 1
    transaction.rollback_to(mark)
    transaction.put(b"c", b"")
    transaction.commit()
    with store.snapshot() as snapshot:
        assert keys(snapshot) == [b"a", b"c", b"s1", b"s2"]
        assert snapshot.get(b"a") == b"1"
        assert snapshot.counter(b"n") == 1
        assert [value for _, value in snapshot.log(b"l")] == [b"1"]
        assert snapshot.epoch == 0


def test_an_unvalidated_reader_follows_a_rollback_to_a_mark(store: Store) -> None:
    """A reader that was taken before does not show what was undone, and shows what is written next."""
    transaction = store.transaction()
    reader = transaction.unvalidated
    mark = transaction.mark()
    transaction.put(b"a", b"")
    transaction.rollback_to(mark)
    transaction.put(b"b", b"")
    assert reader.multi_get([b"a", b"b"]) == [None, b""]
    assert keys(reader) == [b"b"]
    transaction.rollback()


def test_marks_nest(store: Store) -> None:
    """Going back to an outer mark undoes what an inner one kept."""
    transaction = store.transaction()
    outer = transaction.mark()
    transaction.put(b"a", b"")
    inner = transaction.mark()
    transaction.put(b"b", b"")
    transaction.rollback_to(inner)
    assert keys(transaction) == [b"a"]
    transaction.rollback_to(outer)
    assert keys(transaction) == []
    transaction.rollback()


def test_the_unvalidated_reader_sees_own_writes(store: Store) -> None:
    """It is the same view: entries, deletions, scans, counters, the epoch."""
    seed(store, b"a", b"b")
    transaction = store.transaction()
    transaction.put(b"c", b"1")
    transaction.delete(b"a")
    transaction.add(b"n", 2)
    reader = transaction.unvalidated
    assert reader.get(b"c") == b"1"
    assert reader.multi_get([b"a", b"b"]) == [None, b""]
    assert keys(reader) == [b"b", b"c"]
    assert (reader.counter(b"n"), list(reader.counters(b"", b"z")), reader.epoch) == (2, [(b"n", 2)], 0)
    transaction.rollback()


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_transaction_that_is_over_refuses_everything(store: Store, end: str) -> None:
    """Reads, writes and a second commit raise; a second rollback does not."""
    transaction = store.transaction()
    getattr(transaction, end)()
    for call in (
        lambda: transaction.get(b"a"),
        lambda: transaction.scan(b"", b"z"),
        lambda: transaction.exists([b"a"]),
        lambda: transaction.insert([(b"a", b"")]),
        lambda: transaction.put(b"a", b""),
        lambda: transaction.delete(b"a"),
        lambda: transaction.add(b"n", 1),
        transaction.commit,
    ):
        with pytest.raises(ClosedError):
            call()
    transaction.rollback()


def test_a_closed_snapshot_refuses_reads(store: Store) -> None:
    """Reads after `close` raise; closing again does not."""
    snapshot = store.snapshot()
    snapshot.close()
    with pytest.raises(ClosedError):
        snapshot.get(b"a")
    with pytest.raises(ClosedError):
        snapshot.scan(b"", b"z")
    snapshot.close()


def test_a_closed_store_refuses_everything(store: Store) -> None:
    """Views, transactions, ids; a second close does nothing."""
    store.close()
    store.close()
    for call in (store.snapshot, store.transaction, lambda: store.allocate(b"x"), lambda: store.estimate(b"", b"z")):
        with pytest.raises(ClosedError):
            call()


def test_what_is_no_mark_and_no_delta_is_refused(store: Store) -> None:
    """Marks lie between 0 and the present one, deltas are ints; the transaction stays usable."""
    transaction = store.transaction()
    transaction.put(b"a", b"")
    for mark in (-1, transaction.mark() + 1):
        with pytest.raises(ValueError, match="no mark"):
            transaction.rollback_to(mark)
    with pytest.raises(ValueError, match="integers"):
        transaction.add(b"n", 1.5)  # type: ignore[arg-type]  # the mistake under test
    transaction.commit()


def test_keys_and_values_beyond_the_limits_are_refused(store: Store) -> None:
    """A key that is too long raises at the call and leaves the transaction usable."""
    transaction = store.transaction()
    with pytest.raises(ValueError, match=str(store.limits.key)):
        transaction.put(b"k" * (store.limits.key + 1), b"")
    transaction.put(b"k" * store.limits.key, b"")
    transaction.commit()
    with store.snapshot() as snapshot:
        assert snapshot.get(b"k" * store.limits.key) == b""
