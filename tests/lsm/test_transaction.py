"""Transactions: serializable by validation, own writes on top, and everything else that they can do."""

from __future__ import annotations

import dataclasses
import random
import threading
from collections.abc import Callable

import pytest

import lsm
from tests.support.model import scanned
from tests.support.small import SMALL
from tests.support.worlds import World, content

Act = Callable[[lsm.Transaction], object]


@pytest.fixture
def database(world: World) -> lsm.Database:
    """Give a database with a few keys, half of them in tables."""
    made = world.open()
    for number in range(10):
        made.put(b"k%d" % number, b"%d" % number)
        if number == 4:
            made.flush()
    return made


def conflicts(database: lsm.Database, read: Act, change: Callable[[], object]) -> bool:
    """Tell whether a transaction that reads and writes elsewhere is refused after a change by somebody else."""
    database.delete(b"mine")
    transaction = database.transaction()
    read(transaction)
    transaction.put(b"mine", b"1")
    change()
    try:
        transaction.commit()
    except lsm.ConflictError:
        assert database.get(b"mine") is None
        return True
    return False


# Conflicts.


def test_a_lost_update_is_refused(database: lsm.Database) -> None:
    """Of two that read and write one key, the second to commit is refused, and names it."""
    first, second = database.transaction(), database.transaction()
    for transaction in (first, second):
        value = transaction.get(b"k1")
        assert value is not None
        transaction.put(b"k1", value + b"+")
    first.commit()
    with pytest.raises(lsm.ConflictError, match="k1") as caught:
        second.commit()

    assert (caught.value.keys, caught.value.retryable) == ((b"k1",), True)
    assert database.get(b"k1") == b"1+"


def test_write_skew_is_refused(database: lsm.Database) -> None:
    """Two that read both keys and each write another one cannot both have come first."""
    first, second = database.transaction(), database.transaction()
    for transaction in (first, second):
        transaction.multi_get([b"k1", b"k2"])
    first.put(b"k1", b"0")
    second.put(b"k2", b"0")
    first.commit()
    with pytest.raises(lsm.ConflictError):
        second.commit()


def test_blind_writes_never_conflict(database: lsm.Database) -> None:
    """Who has read nothing may come at any time; the last one wins."""
    first, second = database.transaction(), database.transaction()
    first.put(b"k1", b"first")
    second.put(b"k1", b"second")
    second.commit()
    first.commit()

    assert database.get(b"k1") == b"first"


READS: dict[str, Act] = {
    "get": lambda transaction: transaction.get(b"k3"),
    "get of nothing": lambda transaction: transaction.get(b"k35"),
    "multi_get": lambda transaction: transaction.multi_get([b"k3", b"k35"]),
    "exists": lambda transaction: transaction.exists([b"k3", b"k35"]),
    "scan": lambda transaction: list(transaction.scan(b"k3", b"k4")),
    "scan back": lambda transaction: list(transaction.scan(b"k3", b"k4", reverse=True)),
    "scan of nothing": lambda transaction: list(transaction.scan(b"k35", b"k36")),
    "prefix": lambda transaction: list(transaction.scan(prefix=b"k3")),
    "chunks": lambda transaction: list(transaction.scan_chunks(b"k3", b"k4", values=False)),
}


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("flush", [False, True], ids=["in memory", "flushed"])
@pytest.mark.parametrize(
    ("name", "hit"),
    [
        ("overwrite", {"get", "multi_get", "scan", "scan back", "prefix", "chunks"}),
        ("delete", {"get", "multi_get", "exists", "scan", "scan back", "prefix", "chunks"}),
        (
            "insert",
            {"get of nothing", "multi_get", "exists", "scan", "scan back", "scan of nothing", "prefix", "chunks"},
        ),
        ("range", set(READS)),
        ("elsewhere", set()),
    ],
)
def test_what_was_read_must_still_hold(
    database: lsm.Database, read: str, name: str, hit: set[str], flush: bool
) -> None:
    """Values, absences, presences and ranges; also when the change was flushed and compacted since."""
    elsewhere = lsm.WriteBatch()
    elsewhere.put(b"k2", b"new")
    elsewhere.delete(b"k5")
    elsewhere.delete_range(b"k7", None)
    changes: dict[str, Callable[[], object]] = {
        "overwrite": lambda: database.put(b"k3", b"new"),
        "delete": lambda: database.delete(b"k3"),
        "insert": lambda: database.put(b"k35", b"new"),
        "range": lambda: database.delete_range(b"k3", b"k4"),
        "elsewhere": lambda: database.write(elsewhere),
    }

    def change() -> None:
        changes[name]()
        if flush:
            database.compact()

    assert conflicts(database, READS[read], change) == (read in hit)


def test_a_scan_counts_as_far_as_it_was_read(database: lsm.Database) -> None:
    """One that took what it wanted does not care for what comes behind, in either direction."""
    queue = database
    with queue.write_batch() as batch:
        for number in range(5000):
            batch.put(b"q%05d" % number, b"v")

    def take(transaction: lsm.Transaction) -> None:
        assert len(list(transaction.scan(prefix=b"q", limit=3))) == 3

    def take_last(transaction: lsm.Transaction) -> None:
        assert len(list(transaction.scan(prefix=b"q", limit=3, reverse=True))) == 3

    def look_at_some(transaction: lsm.Transaction) -> None:
        scan = transaction.scan(prefix=b"q")
        for _ in range(10):
            next(scan)

    assert not conflicts(database, take, lambda: database.put(b"q00003", b"behind"))
    assert conflicts(database, take, lambda: database.put(b"q00002", b"taken"))
    assert conflicts(database, take, lambda: database.put(b"q00001a", b"between"))
    assert not conflicts(database, take_last, lambda: database.put(b"q04996", b"behind"))
    assert conflicts(database, take_last, lambda: database.put(b"q04999a", b"at the end"))
    assert not conflicts(database, look_at_some, lambda: database.put(b"q04999", b"far away"))
    assert conflicts(database, look_at_some, lambda: database.put(b"q00005", b"taken"))


def test_a_limit_that_was_not_reached_covers_the_end(database: lsm.Database) -> None:
    """Who asked for more than there is has seen that there is no more."""

    def read(transaction: lsm.Transaction) -> None:
        assert len(list(transaction.scan(prefix=b"k", limit=11))) == 10

    assert conflicts(database, read, lambda: database.put(b"kz", b"phantom"))


def test_own_writes_are_no_reads(database: lsm.Database) -> None:
    """Reading what the transaction itself wrote does not depend on others."""

    def act(transaction: lsm.Transaction) -> None:
        transaction.put(b"k3", b"mine")
        assert transaction.get(b"k3") == b"mine"
        assert transaction.exists([b"k3"]) == [True]
        assert transaction.multi_get([b"k3"]) == [b"mine"]

    assert not conflicts(database, act, lambda: database.put(b"k3", b"other"))


def test_unvalidated_reads_never_conflict(database: lsm.Database) -> None:
    """They show the same view, own writes included."""

    def act(transaction: lsm.Transaction) -> None:
        transaction.put(b"own", b"1")
        reads = transaction.unvalidated
        assert reads.get(b"k3") == b"3"
        assert reads.get(b"own") == b"1"
        assert len(list(reads.scan())) == 11
        assert reads.exists([b"k3"]) == [True]
        assert reads.counter(b"count") == 0

    assert not conflicts(database, act, lambda: database.delete_range(None, None))


def test_who_only_reads_never_conflicts(database: lsm.Database) -> None:
    """And all its reads are of one moment."""
    with database.transaction() as transaction:
        assert transaction.get(b"k1") == b"1"
        database.delete_range(None, None)
        assert len(list(transaction.scan())) == 10
        assert transaction.get(b"k9") == b"9"


def test_a_range_conflict_names_key_and_range(database: lsm.Database) -> None:
    """As users know them."""
    transaction = database.transaction()
    list(transaction.scan(b"k3", b"k5"))
    transaction.put(b"x", b"1")
    database.put(b"k44", b"phantom")
    with pytest.raises(lsm.ConflictError, match="k44") as caught:
        transaction.commit()

    assert caught.value.keys == (b"k44",)
    assert caught.value.ranges == ((b"k3", b"k5"),)


def test_special_keys_conflict_by_their_own_names(database: lsm.Database) -> None:
    """Keys of eight FF bytes look the same inside an error."""
    key = b"\xff" * 8 + b"x"
    with pytest.raises(lsm.ConflictError) as caught:
        transaction = database.transaction()
        transaction.get(key)
        transaction.put(b"x", b"1")
        database.put(key, b"1")
        transaction.commit()

    assert caught.value.keys == (key,)


# Own writes.


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("limit", [None, 0, 1, 4, 100])
def test_scans_show_own_writes(database: lsm.Database, reverse: bool, limit: int | None) -> None:
    """Puts, deletions and range deletions over the view, with every bound."""
    state = content(database)
    transaction = database.transaction()
    transaction.put(b"k35", b"own")
    transaction.put(b"k4", b"over")
    transaction.delete(b"k1")
    transaction.delete_range(b"k6", b"k8")
    transaction.put(b"k7", b"again")
    state.update({b"k35": b"own", b"k4": b"over", b"k7": b"again"})
    del state[b"k1"], state[b"k6"]
    for start, stop, prefix in (
        (None, None, None),
        (b"k2", b"k7", None),
        (b"k35", None, None),
        (None, b"k35", None),
        (None, None, b"k3"),
        (b"k9", b"k1", None),
    ):
        found = list(transaction.scan(start, stop, prefix=prefix, reverse=reverse, limit=limit))
        assert found == scanned(state, start, stop, prefix=prefix, reverse=reverse, limit=limit)
        chunks = transaction.scan_chunks(start, stop, prefix=prefix, reverse=reverse, limit=limit, values=False)
        assert [(key, values) for keys, values in chunks for key in keys] == [(key, []) for key, _ in found]
    transaction.commit()
    assert content(database) == state


def test_a_scan_shows_own_writes_of_its_beginning(database: lsm.Database) -> None:
    """Those made while it runs come with the next one."""
    transaction = database.transaction()
    scan = transaction.scan()
    first = next(scan)
    transaction.put(b"zz", b"late")
    transaction.delete(b"k5")

    assert len([first, *scan]) == 10
    assert len(list(transaction.scan())) == 10


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


# Marks.


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


# Counters, logs and the epoch.


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


# The life of a transaction.


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


# Running again.


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
