"""Snapshots and scans show one moment, whatever is written, flushed, compacted or closed meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import lsm
from tests.support.model import scanned
from tests.support.worlds import World, content


@pytest.fixture
def database(world: World) -> lsm.Database:
    """Give a database with entries in two levels, a sealed memtable and the active one."""
    made = world.open()
    for number in range(0, 400, 2):
        made.put(b"%04d" % number, b"old %d" % number)
    made.compact()
    for number in range(1, 100, 2):
        made.put(b"%04d" % number, b"old %d" % number)
    made.flush()
    made.delete_range(b"0050", b"0060")
    made.put(b"0055", b"back")
    return made


def upset(database: lsm.Database) -> None:
    """Change everything, and move it through all levels."""
    database.delete_range(b"0000", b"0200")
    for number in range(0, 500, 3):
        database.put(b"%04d" % number, b"new")
    database.flush()
    database.delete_range(b"0300", None)
    database.compact()
    database.put(b"0001", b"newest")
    database.flush()
    database.compact()


SCANS: list[dict[str, object]] = [
    {},
    {"reverse": True},
    {"limit": 7},
    {"limit": 7, "reverse": True},
    {"start": b"0049", "stop": b"0061"},
    {"start": b"0049", "stop": b"0061", "reverse": True},
    {"prefix": b"01", "limit": 3},
    {"prefix": b"00", "start": b"0090", "reverse": True},
    {"start": b"9"},
    {"stop": b"0"},
    {"start": b"0300", "stop": b"0100"},
]


def test_a_snapshot_does_not_move(database: lsm.Database) -> None:
    """Neither its point reads nor its scans, in any form."""
    state = content(database)
    snapshot = database.snapshot()
    upset(database)

    assert content(snapshot) == state != content(database)
    for key in (b"0000", b"0001", b"0052", b"0055", b"0398", b"0399", b"nothing"):
        assert snapshot.get(key) == state.get(key)
    assert snapshot.multi_get([b"0055", b"0052", b"0055"]) == [b"back", None, b"back"]
    for arguments in SCANS:
        expected = scanned(state, **arguments)  # type: ignore[arg-type]  # keywords by name
        assert list(snapshot.scan(**arguments)) == expected  # type: ignore[arg-type]
        assert list(snapshot.scan_keys(**arguments)) == [key for key, _ in expected]  # type: ignore[arg-type]
        chunks = list(snapshot.scan_chunks(**arguments))  # type: ignore[arg-type]
        assert [pair for chunk in chunks for pair in zip(*chunk, strict=True)] == expected
        keys_only = list(snapshot.scan_chunks(**arguments, values=False))  # type: ignore[arg-type]
        assert [key for keys, values in keys_only for key in keys if not values] == [key for key, _ in expected]


@pytest.mark.parametrize("reverse", [False, True])
def test_a_running_scan_does_not_move(database: lsm.Database, reverse: bool) -> None:
    """It shows the moment of its call, also when it goes on much later."""
    state = content(database)
    never_started = database.scan(reverse=reverse)
    started = database.scan(reverse=reverse)
    found = [next(started) for _ in range(5)]
    upset(database)
    found += started

    assert found == list(never_started) == scanned(state, reverse=reverse)


def test_snapshots_of_many_moments(database: lsm.Database) -> None:
    """Each shows its own, through every flush between them."""
    moments = []
    for number in range(8):
        database.put(b"0055", b"moment %d" % number)
        moments.append((number, database.snapshot()))
        if number % 2:
            database.compact()
    upset(database)
    for number, snapshot in moments:
        assert snapshot.get(b"0055") == b"moment %d" % number
        assert dict(snapshot.scan(prefix=b"0055")) == {b"0055": b"moment %d" % number}
    assert [snapshot.sequence for _, snapshot in moments] == sorted({snapshot.sequence for _, snapshot in moments})


def test_counters_logs_and_epoch_of_a_snapshot(database: lsm.Database) -> None:
    """They are part of the moment."""

    def grow(transaction: lsm.Transaction) -> None:
        transaction.add(b"count", 1)
        transaction.append(b"log", b"entry")
        transaction.bump_epoch()

    database.run(grow)
    snapshot = database.snapshot()
    database.run(grow)
    database.compact()

    assert (snapshot.counter(b"count"), database.counter(b"count")) == (1, 2)
    assert (len(list(snapshot.log(b"log"))), len(list(database.log(b"log")))) == (1, 2)
    assert (list(snapshot.counters(b"", b"z")), snapshot.epoch, database.epoch) == ([(b"count", 1)], 1, 2)


USES: dict[str, Callable[[lsm.Snapshot], object]] = {
    "get": lambda snapshot: snapshot.get(b"a"),
    "multi_get": lambda snapshot: snapshot.multi_get([b"a"]),
    "scan": lambda snapshot: list(snapshot.scan()),
    "scan_keys": lambda snapshot: list(snapshot.scan_keys()),
    "scan_chunks": lambda snapshot: list(snapshot.scan_chunks()),
    "estimate": lambda snapshot: snapshot.estimate(),
    "counter": lambda snapshot: snapshot.counter(b"a"),
    "counters": lambda snapshot: list(snapshot.counters(b"a", b"b")),
    "log": lambda snapshot: list(snapshot.log(b"a")),
    "epoch": lambda snapshot: snapshot.epoch,
}


@pytest.mark.parametrize("use", USES)
def test_a_closed_snapshot_cannot_be_used(database: lsm.Database, use: str) -> None:
    """Each use is a typed error; closing twice is allowed."""
    with database.snapshot() as snapshot:
        USES[use](snapshot)
    with pytest.raises(lsm.ClosedError, match="the snapshot was closed"):
        USES[use](snapshot)
    snapshot.close()


@pytest.mark.parametrize("use", USES)
def test_a_snapshot_of_a_closed_database_cannot_be_used(database: lsm.Database, use: str) -> None:
    """The error says that the database was closed."""
    snapshot = database.snapshot()
    database.close()
    with pytest.raises(lsm.ClosedError, match="the database was closed"):
        USES[use](snapshot)


def test_iterators_outlive_their_snapshot(database: lsm.Database) -> None:
    """They hold what they need."""
    state = content(database)
    snapshot = database.snapshot()
    scan = snapshot.scan()
    next(scan)
    snapshot.close()
    upset(database)

    assert len(list(scan)) == len(state) - 1


ITERATORS: dict[str, Callable[[lsm.Database], object]] = {
    "scan": lambda database: database.scan(),
    "scan_keys": lambda database: database.scan_keys(reverse=True),
    "scan_chunks": lambda database: database.scan_chunks(),
    "keys": iter,
    "snapshot": lambda database: database.snapshot().scan(),
    "transaction": lambda database: database.transaction().scan(),
    "transaction chunks": lambda database: database.transaction().scan_chunks(),
    "counters": lambda database: database.counters(b"", b"z"),
    "log": lambda database: database.log(b"log"),
}


@pytest.mark.parametrize("started", [False, True])
@pytest.mark.parametrize("kind", ITERATORS)
def test_an_iterator_of_a_closed_database_ends_with_an_error(database: lsm.Database, kind: str, started: bool) -> None:
    """Never as if there was no more; at the latest when what was already read is used up."""
    with database.transaction() as transaction:
        for number in range(600):
            transaction.add(b"%03d" % number, 1)
            transaction.append(b"log", b"entry")
            transaction.put(b"%04d" % number, b"v")
    database.flush()
    iterator = ITERATORS[kind](database)
    assert isinstance(iterator, type(iter([]))) or hasattr(iterator, "__next__")
    if started:
        next(iterator)
    database.close()
    with pytest.raises(lsm.ClosedError, match="the database was closed"):
        for _ in range(1000):
            next(iterator)


def test_logs_and_counters_are_of_the_moment_of_the_call(database: lsm.Database) -> None:
    """Not of that of the first step."""

    def grow(transaction: lsm.Transaction) -> None:
        transaction.add(b"count", 1)
        transaction.append(b"log", b"entry")

    database.run(grow)
    log, counters = database.log(b"log"), database.counters(b"", b"z")
    database.run(grow)

    assert (len(list(log)), list(counters)) == (1, [(b"count", 1)])


def test_a_closed_iterator_cannot_be_used(database: lsm.Database) -> None:
    """Closing twice is allowed, and so is a block."""
    scan = database.scan()
    next(scan)
    scan.close()
    scan.close()
    for use in (lambda: next(scan), lambda: list(scan)):
        with pytest.raises(lsm.ClosedError, match="the iterator was closed"):
            use()
    with database.scan_keys() as keys:
        assert next(keys) == b"0000"
    with pytest.raises(lsm.ClosedError):
        next(keys)


def test_an_exhausted_iterator_stays_so(database: lsm.Database) -> None:
    """As every iterator of Python."""
    scan = database.scan(limit=2)
    assert len(list(scan)) == 2
    assert list(scan) == []
    assert next(scan, None) is None


def test_estimates_are_near(database: lsm.Database) -> None:
    """Of all, of a part, and of nothing."""
    entries, size_bytes = database.estimate()
    part, _ = database.estimate(b"0000", b"0100")

    assert 200 <= entries <= 300
    assert size_bytes > 1000
    assert 40 <= part <= 200
    assert database.estimate(b"x", b"y") == (0, 0)
