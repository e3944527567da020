"""What the embedded store adds to the contract: a directory that lasts, translated errors, work under flushes."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import lsm
from docs_layer.embedded_store import EmbeddedStore
from docs_layer.errors import ClosedError, CommitUnknownError, ConflictError, CorruptionError, TransactionTooLargeError
from tests.docs_layer.store_contract.steps import committed, entries, keys

SMALL = lsm.Options(
    memory_budget_bytes=4 << 20, memtable_bytes=64 << 10, table_bytes=64 << 10, level_base_bytes=256 << 10
)


def test_everything_lasts(tmp_path: Path) -> None:
    """Entries, counters, logs, epoch and sequences are there after reopening."""
    store = EmbeddedStore(tmp_path / "db")
    with committed(store) as transaction:
        transaction.put(b"k", b"v")
        transaction.add(b"n", 7)
        transaction.append(b"l", b"x")
        transaction.bump_epoch()
    first = store.allocate(b"id", 10)
    store.close()
    store = EmbeddedStore(tmp_path / "db")
    with store.snapshot() as snapshot:
        assert entries(snapshot) == [(b"k", b"v")]
        assert snapshot.counter(b"n") == 7
        assert [value for _, value in snapshot.log(b"l")] == [b"x"]
        assert snapshot.epoch == 1
    assert store.allocate(b"id") >= first + 10
    store.close()


def test_a_database_that_was_open_stays_open(tmp_path: Path) -> None:
    """The store closes only what it has opened itself; it refuses work all the same."""
    with lsm.open(tmp_path / "db") as database:
        store = EmbeddedStore(database)
        assert store.engine is database
        with committed(store) as transaction:
            transaction.put(b"k", b"v")
        store.close()
        with pytest.raises(ClosedError):
            store.snapshot()
        assert database.get(b"k") == b"v"


def test_views_end_with_the_engine(tmp_path: Path) -> None:
    """Closing the engine below a store ends its views with the store's own error."""
    database = lsm.open(tmp_path / "db")
    store = EmbeddedStore(database)
    snapshot, transaction = store.snapshot(), store.transaction()
    database.close()
    calls: list[Callable[[], object]] = [
        lambda: snapshot.get(b"k"),
        lambda: transaction.get(b"k"),
        lambda: transaction.put(b"k", b""),
        store.snapshot,
        store.transaction,
        lambda: store.allocate(b"id"),
        lambda: store.wait(b"l", None, 0),
    ]
    for call in calls:
        with pytest.raises(ClosedError):
            call()


def test_a_transaction_beyond_its_limit_is_refused(tmp_path: Path) -> None:
    """The error is ours, stays the same until the rollback (also for marks), and nothing was written."""
    store = EmbeddedStore(tmp_path / "db", lsm.Options(transaction_bytes=1 << 20))
    assert store.limits.transaction == 1 << 20
    transaction = store.transaction()
    mark = transaction.mark()
    transaction.put(b"k", b"")
    with pytest.raises(TransactionTooLargeError):
        transaction.put(b"large", b"x" * (1 << 20))
    calls: list[Callable[[], object]] = [
        lambda: transaction.rollback_to(mark),
        lambda: transaction.get(b"k"),
        transaction.commit,
    ]
    for call in calls:
        with pytest.raises(TransactionTooLargeError):
            call()
    transaction.rollback()
    with pytest.raises(ClosedError):
        transaction.get(b"k")
    with store.snapshot() as snapshot:
        assert keys(snapshot) == []
    store.close()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (lsm.CorruptionError("000001.sst", 42, "bad checksum"), CorruptionError),
        (lsm.SyncFailedError("000001.wal", "sync", 5, "input/output error"), CommitUnknownError),
        (lsm.CommitOutcomeUnknownError("000001.wal", "write", 5, "input/output error"), CommitUnknownError),
        (lsm.ConflictError("changed", [b"k"]), ConflictError),
        (lsm.DiskFullError("000001.wal", "write", 28, "no space left"), lsm.DiskFullError),
    ],
)
def test_errors_of_the_engine_become_errors_of_the_contract(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: lsm.Error, expected: type[Exception]
) -> None:
    """The engine's error is the cause; what the contract does not speak of passes unchanged."""
    store = EmbeddedStore(tmp_path / "db")

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(lsm.Transaction, "commit", fail)
    with pytest.raises(expected) as caught:
        store.transaction().commit()
    assert caught.value is error or caught.value.__cause__ is error
    if isinstance(caught.value, CorruptionError):
        assert (caught.value.place, caught.value.offset) == ("000001.sst", 42)
    if isinstance(caught.value, ConflictError):
        assert caught.value.keys == (b"k",)
    store.close()


@pytest.mark.slow
def test_transactions_hold_while_memtables_are_flushed_and_compacted(tmp_path: Path) -> None:
    """Threads keep an index in step with its rows over many flushes, a compaction and a reopening.

    Each row has exactly one entry, named by its value, at every moment.
    """
    store = EmbeddedStore(tmp_path / "db", SMALL)
    failures: list[BaseException] = []

    def change(number: int) -> None:
        chance = random.Random(number)
        try:
            for _ in range(250):
                _move_row(store, b"r%03d" % chance.randrange(50), b"%06d" % chance.randrange(10**6))
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=change, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        _check_index(store)
    for thread in threads:
        thread.join()
    assert failures == []
    assert store.engine.stats().flushes > 0
    store.engine.compact()
    _check_index(store)
    store.close()
    store = EmbeddedStore(tmp_path / "db", SMALL)
    _check_index(store)
    store.close()


def _move_row(store: EmbeddedStore, row: bytes, value: bytes) -> None:
    """Give a row a new value and move its index entry; again after a conflict."""
    while True:
        transaction = store.transaction()
        try:
            old = transaction.get(row)
            if old is not None:
                transaction.delete(b"x" + old[:6] + row)
            transaction.put(row, value + b"." * 1000)
            transaction.put(b"x" + value + row, b"")
            transaction.commit()
        except ConflictError:
            continue
        return


def _check_index(store: EmbeddedStore) -> None:
    with store.snapshot() as snapshot:
        rows = entries(snapshot, b"r", b"s")
        assert sorted(b"x" + value[:6] + row for row, value in rows) == keys(snapshot, b"x", b"y")
