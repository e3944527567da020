"""The life of transactions: how they end, what they refuse, and running them again."""

from __future__ import annotations

import dataclasses
import random
import threading
from collections.abc import Callable

import pytest

import lsm
from tests.support.small import SMALL
from tests.support.transactions import ten_keys
from tests.support.worlds import World, content


@pytest.fixture
def database(world: World) -> lsm.Database:
    """Give a database with the keys k0 to k9."""
    return ten_keys(world)


def test_a_block_commits_or_rolls_back(database: lsm.Database) -> None:
    """By whether an exception leaves it; an explicit end inside is respected."""
    with database.transaction() as transaction:
        transaction.put(b"a", b"1")
    with pytest.raises(RuntimeError), database.transaction() as transaction:
        transaction.put(b"b", b"1")
        raise RuntimeError
    with database.transaction() as transaction:
        transaction.put(b"c", b"1")
        transaction.rollback()
    with database.transaction() as transaction:
        transaction.put(b"d", b"1")
        transaction.commit()

    assert database.multi_get([b"a", b"b", b"c", b"d"]) == [b"1", None, None, b"1"]


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_an_ended_transaction_cannot_be_used(database: lsm.Database, end: str) -> None:
    """Neither for reads nor for writes; rolling back again is allowed."""
    transaction = database.transaction()
    transaction.put(b"a", b"1")
    getattr(transaction, end)()
    uses: list[Callable[[], object]] = [
        lambda: transaction.get(b"a"),
        lambda: transaction.multi_get([b"a"]),
        lambda: transaction.exists([b"a"]),
        lambda: transaction.insert([(b"a", b"1")]),
        transaction.scan,
        transaction.scan_chunks,
        lambda: transaction.put(b"a", b"1"),
        lambda: transaction.delete(b"a"),
        lambda: transaction.delete_range(b"a", b"b"),
        lambda: transaction.add(b"c", 1),
        lambda: transaction.counter(b"c"),
        lambda: transaction.counters(b"a", b"c"),
        lambda: transaction.delete_counters(b"a", b"c"),
        lambda: transaction.append(b"l", b"1"),
        lambda: transaction.trim(b"l", b"p"),
        transaction.bump_epoch,
        transaction.mark,
        lambda: transaction.rollback_to(0),
        lambda: transaction.unvalidated,
        lambda: transaction.epoch,
        transaction.__enter__,
        transaction.commit,
    ]
    for use in uses:
        with pytest.raises(lsm.TransactionError, match="the transaction was"):
            use()
    transaction.rollback()


def test_a_transaction_of_a_closed_database(database: lsm.Database) -> None:
    """It cannot be committed; rolling back is allowed."""
    transaction = database.transaction()
    transaction.put(b"a", b"1")
    database.close()
    for use in (lambda: transaction.get(b"a"), lambda: transaction.put(b"b", b"1"), transaction.commit):
        with pytest.raises(lsm.ClosedError):
            use()
    transaction.rollback()


@pytest.mark.parametrize(
    "grow",
    [
        lambda transaction, number: transaction.put(b"%d" % number, bytes(100)),
        lambda transaction, number: transaction.get(b"%d" % number),
        lambda transaction, number: transaction.exists([b"%d" % number]),
        lambda transaction, number: transaction.append(b"log %d" % number, bytes(100)),
        lambda transaction, number: transaction.add(b"%d" % number, 1),
        lambda transaction, number: list(transaction.scan(b"%05d" % (2 * number), b"%05d" % (2 * number + 1))),
    ],
    ids=["put", "get", "exists", "append", "add", "scan"],
)
def test_a_transaction_that_is_too_large(world: World, grow: Callable[[lsm.Transaction, int], object]) -> None:
    """Of writes or of reads: it ends with a typed error, and nothing is written."""
    database = world.open(dataclasses.replace(SMALL, transaction_bytes=10_000))
    transaction = database.transaction()
    transaction.put(b"first", b"1")
    with pytest.raises(lsm.TransactionTooLargeError, match="10000 bytes"):
        for number in range(1000):
            grow(transaction, number)
    with pytest.raises(lsm.TransactionError, match="too large"):
        transaction.commit()

    assert content(database) == {}


def test_arguments_are_checked_before_anything_happens(database: lsm.Database) -> None:
    """A refused write leaves the transaction usable and unchanged."""
    transaction = database.transaction()
    wrong: list[Callable[[], object]] = [
        lambda: transaction.put("text", b"1"),  # type: ignore[arg-type]
        lambda: transaction.put(b"a", None),  # type: ignore[arg-type]
        lambda: transaction.put(bytes(65537), b"1"),
        lambda: transaction.append(b"log", "text"),  # type: ignore[arg-type]
        lambda: transaction.get(1),  # type: ignore[arg-type]
    ]
    for call in wrong:
        with pytest.raises(lsm.InvalidArgumentError):
            call()
    transaction.put(b"a", b"1")
    transaction.commit()

    assert database.get(b"a") == b"1"


def test_run_tries_again_after_a_conflict(database: lsm.Database) -> None:
    """With a new transaction, until it succeeds; the result is handed through."""
    tries: list[bytes | None] = []

    def work(transaction: lsm.Transaction) -> str:
        tries.append(transaction.get(b"k1"))
        if len(tries) < 3:
            database.put(b"k1", b"other %d" % len(tries))
        transaction.put(b"k1", b"mine")
        return "result"

    assert database.run(work) == "result"
    assert tries == [b"1", b"other 1", b"other 2"]
    assert database.get(b"k1") == b"mine"


def test_run_gives_up(database: lsm.Database) -> None:
    """After so many repetitions, with the last conflict."""
    tries = 0

    def work(transaction: lsm.Transaction) -> None:
        nonlocal tries
        tries += 1
        transaction.get(b"k1")
        database.put(b"k1", b"%d" % tries)
        transaction.put(b"mine", b"1")

    with pytest.raises(lsm.ConflictError):
        database.run(work, retries=2)
    assert tries == 3
    assert database.get(b"mine") is None


def test_run_passes_other_errors_on(database: lsm.Database) -> None:
    """At once, and rolled back."""
    tries = 0

    def work(transaction: lsm.Transaction) -> None:
        nonlocal tries
        tries += 1
        transaction.put(b"mine", b"1")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        database.run(work)
    assert (tries, database.get(b"mine")) == (1, None)


def test_transfers_keep_their_sum(world: World) -> None:
    """Threads that move money between accounts, while others look: no sum is ever wrong, whatever is flushed."""
    database = world.open(dataclasses.replace(SMALL, maintenance=True))
    accounts = [b"account %d" % number for number in range(6)]
    with database.write_batch() as batch:
        for account in accounts:
            batch.put(account, b"100")
    wrong: list[object] = []
    stop = threading.Event()

    def move(seed: int) -> None:
        generator = random.Random(seed)
        for _ in range(60):
            source, target = generator.sample(accounts, 2)

            def transfer(transaction: lsm.Transaction, source: bytes = source, target: bytes = target) -> None:
                left = int(transaction.get(source) or b"0") - 1
                right = int(transaction.get(target) or b"0") + 1
                transaction.put(source, b"%d" % left)
                transaction.put(target, b"%d" % right)
                transaction.add(b"moves", 1)

            database.run(transfer, retries=1000)

    def look() -> None:
        while not stop.is_set():
            with database.transaction() as transaction:
                total = sum(int(value) for _, value in transaction.scan())
            if total != 600:
                wrong.append(total)

    watcher = threading.Thread(target=look)
    movers = [threading.Thread(target=move, args=(seed,)) for seed in range(3)]
    for thread in (watcher, *movers):
        thread.start()
    for thread in movers:
        thread.join()
    stop.set()
    watcher.join()

    assert wrong == []
    assert sum(map(int, content(database).values())) == 600
    assert database.counter(b"moves") == 180
