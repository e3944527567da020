"""Several threads on one store: sums hold, nothing is lost, nobody writes past a schema change, feeds have no holes."""

from __future__ import annotations

import functools
import random
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from docs_layer.errors import ConflictError
from docs_layer.store import Store, Transaction
from tests.docs_layer.store_contract.steps import committed, entries, keys

THREADS = 4
ROUNDS = 60


@pytest.fixture(autouse=True)
def _busy_switching() -> Iterator[None]:
    """Let threads take turns a thousand times more often than usual."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(interval / 1000)
    yield
    sys.setswitchinterval(interval)


def in_threads(
    work: Callable[[int], None], *others: Callable[[], None], meanwhile: Callable[[], None] | None = None
) -> None:
    """Run the work in several threads, the others beside it, and `meanwhile` again and again until all are done.

    Raises what any of them raised.
    """
    failures: list[BaseException] = []
    done = threading.Event()

    def guarded(function: Callable[[], None]) -> None:
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            failures.append(error)

    def repeat() -> None:
        while meanwhile is not None and not done.is_set():
            meanwhile()

    jobs = [*others, *(functools.partial(work, number) for number in range(THREADS))]
    threads = [threading.Thread(target=guarded, args=(job,)) for job in jobs]
    watcher = threading.Thread(target=guarded, args=(repeat,))
    for thread in (watcher, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    watcher.join()
    if failures:
        raise failures[0]


def until_committed(store: Store, step: Callable[[Transaction], None]) -> int:
    """Run a step in transactions until one commits; give the number of conflicts."""
    conflicts = 0
    while True:
        transaction = store.transaction()
        try:
            step(transaction)
            transaction.commit()
        except ConflictError:
            transaction.rollback()
            conflicts += 1
        else:
            return conflicts


def test_transfers_keep_the_sum(store: Store) -> None:
    """Money moves between few accounts; every snapshot shows the same sum, and so does the end."""
    accounts = [b"account%d" % number for number in range(5)]
    with committed(store) as transaction:
        for account in accounts:
            transaction.put(account, b"100")

    def move(number: int) -> None:
        chance = random.Random(number)
        for _ in range(ROUNDS):
            source, target = chance.sample(accounts, 2)

            def step(transaction: Transaction, source: bytes = source, target: bytes = target) -> None:
                left, right = transaction.multi_get([source, target])
                assert left is not None
                assert right is not None
                transaction.put(source, b"%d" % (int(left) - 1))
                transaction.put(target, b"%d" % (int(right) + 1))

            until_committed(store, step)

    def look() -> None:
        with store.snapshot() as snapshot:
            assert sum(int(value) for _, value in entries(snapshot)) == 500

    in_threads(move, meanwhile=look)
    look()


def test_one_of_many_inserters_wins(store: Store) -> None:
    """All threads insert the same keys; each key ends up with the value of the one that was told it was absent."""
    won: dict[bytes, int] = {}

    def insert(number: int) -> None:
        for place in range(ROUNDS):
            key = b"k%d" % place
            present: list[bytes] = []

            def step(transaction: Transaction, key: bytes = key, present: list[bytes] = present) -> None:
                present[:] = transaction.insert([(key, b"%d" % number)])

            until_committed(store, step)
            if not present:
                assert won.setdefault(key, number) == number

    in_threads(insert)
    with store.snapshot() as snapshot:
        assert {key: int(value) for key, value in entries(snapshot)} == won
    assert len(won) == ROUNDS


def test_additions_of_all_threads_count(store: Store) -> None:
    """No addition is lost and none conflicts with another, where conflicts are exact."""
    conflicts: list[int] = []

    def add(delta: int, transaction: Transaction) -> None:
        transaction.add(b"n", delta)

    def count(number: int) -> None:
        conflicts.extend(until_committed(store, functools.partial(add, place)) for place in range(ROUNDS))

    in_threads(count)
    with store.snapshot() as snapshot:
        assert snapshot.counter(b"n") == THREADS * sum(range(ROUNDS))
    assert sum(conflicts) == 0 or not store.limits.exact_conflicts


def test_nobody_writes_past_a_schema_change(store: Store) -> None:
    """Rows carry the epoch of their writer; a row that was committed after a change knows it.

    No row of an older epoch may appear after the change: that is what an index build rests on.
    """
    changes = 8

    def write(number: int) -> None:
        for place in range(ROUNDS):

            def step(transaction: Transaction, place: int = place) -> None:
                transaction.put(b"row%d-%d" % (number, place), b"%d" % transaction.epoch)

            until_committed(store, step)

    def change() -> None:
        for _ in range(changes):
            until_committed(store, lambda transaction: transaction.bump_epoch())
            with store.snapshot() as snapshot:
                epoch = snapshot.epoch
                before = {key for key, value in entries(snapshot) if int(value) < epoch}
            with store.snapshot() as later:
                assert {key for key, value in entries(later) if int(value) < epoch} == before

    in_threads(write, change)
    with store.snapshot() as snapshot:
        assert snapshot.epoch == changes
        assert len(keys(snapshot)) == THREADS * ROUNDS


def test_a_feed_has_no_holes(store: Store) -> None:
    """A follower that goes on from its last position sees every entry once, each thread's in order."""
    total = THREADS * ROUNDS
    seen: list[bytes] = []

    def append(number: int) -> None:
        for place in range(ROUNDS):
            with committed(store) as transaction:
                transaction.append(b"feed", b"%d:%d" % (number, place))

    def follow() -> None:
        position: bytes | None = None
        while len(seen) < total:
            assert store.wait(b"feed", position, 60)
            with store.snapshot() as snapshot:
                news = list(snapshot.log(b"feed", position))
            position = news[-1][0]
            seen.extend(value for _, value in news)

    in_threads(append, follow)
    for number in range(THREADS):
        own = [value for value in seen if value.startswith(b"%d:" % number)]
        assert own == [b"%d:%d" % (number, place) for place in range(ROUNDS)]
    assert len(seen) == total


def test_scans_stay_whole_while_others_write(store: Store) -> None:
    """Each commit sets all keys of a block to one value; every scan, up or down, sees one value only."""
    block = [b"b%04d" % number for number in range(300)]
    with committed(store) as transaction:
        for key in block:
            transaction.put(key, b"start")

    def write(number: int) -> None:
        for place in range(6):
            with committed(store) as transaction:
                transaction.delete_range(b"b", b"c")
                for key in block:
                    transaction.put(key, b"%d:%d" % (number, place))

    def read() -> None:
        for reverse in (False, True):
            with store.snapshot() as snapshot:
                chunks = list(snapshot.scan(b"b", b"c", reverse=reverse))
            assert sum(len(chunk.keys) for chunk in chunks) == len(block)
            assert len({value for chunk in chunks for value in chunk.values}) == 1

    in_threads(write, meanwhile=read)
