"""What transactions read: validated at commit, with own writes on top."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import lsm
from tests.support.model import scanned
from tests.support.transactions import Act, conflicts, ten_keys
from tests.support.worlds import World, content


@pytest.fixture
def database(world: World) -> lsm.Database:
    """Give a database with the keys k0 to k9."""
    return ten_keys(world)


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


def test_keys_alone_are_scanned(database: lsm.Database) -> None:
    """With own writes among them, in both directions."""
    with database.transaction() as transaction:
        transaction.put(b"k11", b"own")
        transaction.delete(b"k2")

        assert list(transaction.scan_keys(b"k1", b"k4")) == [b"k1", b"k11", b"k3"]
        assert list(transaction.scan_keys(reverse=True, limit=2)) == [b"k9", b"k8"]


def test_a_conflict_over_what_the_engine_keeps_is_named(database: lsm.Database) -> None:
    """A counter by its name, the epoch as such; `keys` has only keys that users can read."""
    reader, other = database.transaction(), database.transaction()
    reader.counter(b"hits")
    reader.put(b"k1", b"new")
    with database.transaction() as writer:
        writer.add(b"hits", 1)
    with pytest.raises(lsm.ConflictError, match="counter b'hits'") as caught:
        reader.commit()
    assert caught.value.keys == ()

    other.put(b"k1", b"new")
    with database.transaction() as writer:
        writer.bump_epoch()
    with pytest.raises(lsm.ConflictError, match="the schema epoch"):
        other.commit()
