"""The handle: its verbs, the mapping, closing, pickling, and what it refuses."""

from __future__ import annotations

import dataclasses
import gc
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lsm
from tests.support.model import scanned
from tests.support.small import SMALL
from tests.support.worlds import World, content

KEYS = st.sampled_from([b"", b"a", b"a\x00", b"ab", b"\xff" * 7, b"\xff" * 8, b"\xff" * 8 + b"\x01", b"\xff" * 9])


@pytest.fixture
def database(world: World) -> lsm.Database:
    """Give an open database with one entry."""
    made = world.open()
    made.put(b"key", b"value")
    return made


def test_the_mapping(database: lsm.Database) -> None:
    """As a dictionary of bytes, in order of keys."""
    database[b"b"] = b"2"
    database[b"a"] = b"1"
    assert database[b"a"] == b"1"
    assert b"a" in database
    assert b"c" not in database
    assert bytearray(b"a") in database
    assert "a" not in database
    assert 1 not in database
    assert list(database) == [b"a", b"b", b"key"]
    del database[b"a"]
    for missing in (b"a", b"never"):
        with pytest.raises(KeyError, match=missing.decode()):
            database[missing]
        with pytest.raises(KeyError, match=missing.decode()):
            del database[missing]
    assert content(database) == {b"b": b"2", b"key": b"value"}


def test_get_and_defaults(database: lsm.Database) -> None:
    """A default stands for absent keys only."""
    database.put(b"empty", b"")

    assert database.get(b"empty", b"default") == b""
    assert database.get(b"none", b"default") == b"default"
    assert database.get(b"none", 7) == 7
    assert database.get(b"none") is None
    assert database.multi_get([b"none", b"key", b"empty", b"key"]) == [None, b"value", b"", b"value"]
    assert database.multi_get([]) == []


@settings(max_examples=60)
@given(st.lists(st.tuples(KEYS, st.none() | st.binary(max_size=3)), max_size=12), st.none() | KEYS, st.none() | KEYS)
def test_keys_of_all_kinds(changes: list[tuple[bytes, bytes | None]], start: bytes | None, stop: bytes | None) -> None:
    """Keys around the engine's own are ordinary keys, in every verb, in memory and in tables."""
    world = World()
    database = world.open()
    state: dict[bytes, bytes] = {}
    database.run(lambda transaction: transaction.add(b"count", 1))
    for key, value in changes:
        if value is None:
            database.delete(key)
            state.pop(key, None)
        else:
            database.put(key, value)
            state[key] = value
    for _ in range(2):
        assert content(database) == state
        assert list(database.scan(start, stop, reverse=True)) == scanned(state, start, stop, reverse=True)
        for prefix in (b"", b"\xff", b"\xff" * 8, b"\xff" * 9):
            assert list(database.scan(prefix=prefix)) == scanned(state, prefix=prefix)
        assert all(database.get(key) == state.get(key) for key, _ in changes)
        database.compact()
    database.delete_range(start, stop)
    kept = {key: value for key, value in state.items() if not ((start or b"") <= key and (stop is None or key < stop))}
    assert content(database) == kept
    assert database.counter(b"count") == 1
    world.close()


def test_the_largest_keys_and_a_large_value(database: lsm.Database, world: World) -> None:
    """They go through log, table and reopening."""
    longest = b"k" * 65536
    database.put(longest, b"1")
    database.put(b"\xff" * 65536, b"2")
    database.put(b"large", bytes(3_000_000))
    database.compact()
    database.close()
    database = world.open()

    assert database.get(longest) == b"1"
    assert database.get(b"\xff" * 65536) == b"2"
    assert database.get(b"large") == bytes(3_000_000)
    assert database.verify().ok


@pytest.mark.parametrize(
    "call",
    [
        lambda database: database.put("text", b""),
        lambda database: database.put(b"", "text"),
        lambda database: database.put(b"", None),
        lambda database: database.put(None, b"", sync=True),
        lambda database: database.put(bytes(65537), b""),
        lambda database: database.get("text"),
        lambda database: database.get(bytes(65537)),
        lambda database: database.multi_get([b"a", 1]),
        lambda database: database.delete(1),
        lambda database: database.delete_range(1, 2),
        lambda database: database.scan("a"),
        lambda database: database.scan(prefix=1),
        lambda database: database.estimate(1),
        lambda database: database.counter("text"),
        lambda database: database.log(1),
        lambda database: database.allocate("text"),
        lambda database: database.allocate(b"ids", 0),
        lambda database: database.allocate(b"ids", 1 << 40),
        lambda database: database.allocate(b"ids", 1.5),
        lambda database: database.reserve(b"ids", -1),
        lambda database: database.reserve(b"ids", 1 << 63),
        lambda database: database.compact(1),
    ],
)
def test_wrong_arguments_change_nothing(database: lsm.Database, call: Callable[[object], object]) -> None:
    """They are typed errors, which are `ValueError`s as well."""
    before = database.stats().last_sequence
    with pytest.raises(lsm.InvalidArgumentError) as caught:
        call(database)
    assert isinstance(caught.value, ValueError)
    assert database.stats().last_sequence == before
    assert content(database) == {b"key": b"value"}


def test_pairs_of_empty_and_inverted_ranges(database: lsm.Database) -> None:
    """They are empty, and no error."""
    assert list(database.scan(b"z", b"a")) == []
    assert list(database.scan(b"key", b"key")) == []
    assert list(database.scan(limit=0)) == []
    assert database.estimate(b"z", b"a")[0] == 0
    database.delete_range(b"z", b"a")
    assert content(database) == {b"key": b"value"}


USES: dict[str, Callable[[lsm.Database], object]] = {
    "get": lambda database: database.get(b"a"),
    "multi_get": lambda database: database.multi_get([b"a"]),
    "put": lambda database: database.put(b"a", b"1"),
    "put with sync": lambda database: database.put(b"a", b"1", sync=True),
    "delete": lambda database: database.delete(b"a"),
    "delete_range": lambda database: database.delete_range(b"a", b"b"),
    "scan": lambda database: database.scan(),
    "scan_keys": lambda database: database.scan_keys(),
    "scan_chunks": lambda database: database.scan_chunks(),
    "snapshot": lambda database: database.snapshot(),
    "transaction": lambda database: database.transaction(),
    "run": lambda database: database.run(lambda transaction: transaction.get(b"a")),
    "allocate": lambda database: database.allocate(b"ids"),
    "reserve": lambda database: database.reserve(b"ids", 5),
    "give_back": lambda database: database.give_back(b"ids", 1, 5),
    "counter": lambda database: database.counter(b"c"),
    "counters": lambda database: database.counters(b"a", b"b"),
    "log": lambda database: database.log(b"l"),
    "wait": lambda database: database.wait(b"l", None, 0),
    "epoch": lambda database: database.epoch,
    "estimate": lambda database: database.estimate(),
    "sync": lambda database: database.sync(),
    "flush": lambda database: database.flush(),
    "compact": lambda database: database.compact(),
    "checkpoint": lambda database: database.checkpoint("/other"),
    "verify": lambda database: database.verify(),
    "stats": lambda database: database.stats(),
    "with": lambda database: database.__enter__(),
    "in": lambda database: b"a" in database,
    "iter": iter,
    "item": lambda database: database[b"a"],
}


@pytest.mark.parametrize("use", USES)
def test_a_closed_database_cannot_be_used(database: lsm.Database, world: World, use: str) -> None:
    """Every verb is a typed error that names the directory; closing again is allowed."""
    database.close()
    before = world.names("/")
    with pytest.raises(lsm.ClosedError, match="/data: the database was closed"):
        USES[use](database)
    database.close()

    assert database.closed
    assert world.names("/") == before
    assert repr(database) == "<lsm.Database '/data' closed>"


def test_a_block_closes(world: World) -> None:
    """Also when an exception leaves it."""
    with pytest.raises(RuntimeError), world.open() as database:
        database.put(b"a", b"1")
        raise RuntimeError
    assert database.closed
    with world.open() as database:
        assert content(database) == {b"a": b"1"}


def test_a_handle_tells_about_itself(database: lsm.Database) -> None:
    """Path, options, recovery and state."""
    assert (database.path, database.options, database.closed) == ("/data", SMALL, False)
    assert database.recovery.created
    assert repr(database) == "<lsm.Database '/data' sequence 1>"


def test_a_pickled_handle_opens_the_directory_again(tmp_path: Path) -> None:
    """With its options, in whatever process; while the first one is open that is refused like any second handle."""
    database = lsm.open(str(tmp_path / "data"), SMALL)
    database.put(b"a", b"1")
    pickled = pickle.dumps(database)
    with pytest.raises(lsm.LockedError):
        pickle.loads(pickled)  # noqa: S301  # it is ours
    database.close()
    with pickle.loads(pickled) as again:  # noqa: S301  # it is ours
        assert again.get(b"a") == b"1"
        assert again.options == SMALL
    with lsm.open(str(tmp_path / "data"), SMALL, read_only=True) as reader:
        pickled = pickle.dumps(reader)
    with pickle.loads(pickled) as again:  # noqa: S301  # it is ours
        assert again.stats().read_only
        assert again[b"a"] == b"1"


ERRORS: list[lsm.Error] = [
    lsm.InvalidArgumentError("wrong"),
    lsm.ClosedError("closed"),
    lsm.ForkedError("forked"),
    lsm.ReadOnlyError("read-only"),
    lsm.LockedError("/data", 77),
    lsm.NotADatabaseError("/data", "nothing there"),
    lsm.FormatError("/data/1", 9, 1),
    lsm.OptionsMismatchError("/data", "level_count", 4, 5),
    lsm.CorruptionError("/data/1", 12, "torn"),
    lsm.TransactionError("ended"),
    lsm.ConflictError("changed", [b"a"], [(b"b", None)]),
    lsm.TransactionTooLargeError("large"),
    lsm.BackgroundError("failed"),
    lsm.StorageError("/data/1", "read", 5, "broken"),
    lsm.MissingFileError("/data/1", "open", 2, "gone"),
    lsm.DiskFullError("/data/1", "write", 28, "full"),
    lsm.SyncFailedError("/data/1", "sync", 5, "broken"),
    lsm.CommitOutcomeUnknownError("/data/1", "write", None, "who knows"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_travel_between_processes(error: lsm.Error) -> None:
    """With their class, text and facts."""
    again = pickle.loads(pickle.dumps(error))  # noqa: S301  # it is ours

    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)
    assert getattr(again, "errno", None) == getattr(error, "errno", None)


def test_every_public_error_is_tried() -> None:
    """The list above is complete."""
    public = {name for name in lsm.__all__ if name.endswith("Error") and name != "Error"}

    assert {type(error).__name__ for error in ERRORS} == public


def test_a_forgotten_handle_warns_and_lets_go(tmp_path: Path) -> None:
    """Its directory can be opened again; what was written is there."""
    path = str(tmp_path / "data")
    handles = [lsm.open(path, SMALL)]
    handles[0].put(b"a", b"1")
    with pytest.warns(ResourceWarning, match="was not closed"):
        handles.clear()
    gc.collect()
    with lsm.open(path, SMALL) as again:
        assert again[b"a"] == b"1"


def test_a_handle_follows_its_directory(tmp_path: Path) -> None:
    """Moved away while it is open, the directory goes on receiving its writes, and another may take its place."""
    path = tmp_path / "data"
    with lsm.open(str(path), SMALL) as database:
        database.put(b"a", b"1")
        path.rename(tmp_path / "moved")
        with lsm.open(str(path), SMALL) as other:
            database.put(b"b", b"2")
            database.flush()
            other.put(b"c", b"3")
            database.compact()
            assert content(other) == {b"c": b"3"}
        assert content(database) == {b"a": b"1", b"b": b"2"}
    with lsm.open(str(tmp_path / "moved"), SMALL) as moved:
        assert content(moved) == {b"a": b"1", b"b": b"2"}


def test_paths_may_be_objects(tmp_path: Path) -> None:
    """Of `pathlib`, for every function that takes one."""
    with lsm.open(tmp_path / "data") as database:
        database.put(b"a", b"1")
        database.checkpoint(tmp_path / "copy")
    assert lsm.verify(tmp_path / "copy").ok
    assert any("MANIFEST" in line for line in lsm.dump(tmp_path / "copy"))


def test_statistics_are_plain_data(database: lsm.Database) -> None:
    """All fields by name; sums that fit the files."""
    database.flush()
    stats = database.stats()
    plain = stats.as_dict()

    assert plain["path"] == "/data"
    assert plain["kernel"] == lsm.kernel_name()
    assert stats.table_bytes == sum(level.size_bytes for level in stats.levels) > 0
    assert (stats.levels[0].tables, stats.levels[0].entries, stats.levels[0].tombstones) == (1, 1, 0)
    assert (stats.last_sequence, stats.memtable_entries, stats.flushes) == (1, 0, 1)
    assert stats.live_log >= stats.durable


def test_the_cache_is_counted_and_bounded(world: World) -> None:
    """Hits after misses, and never more bytes than allowed."""
    database = world.open(dataclasses.replace(SMALL, block_cache_bytes=50_000))
    with database.write_batch() as batch:
        for number in range(2000):
            batch.put(b"%04d" % number, b"v" * 30)
    database.compact()
    for number in range(0, 2000, 7):
        for _ in range(2):
            assert database.get(b"%04d" % number) == b"v" * 30
        stats = database.stats()
        assert stats.cache_bytes <= stats.cache_limit_bytes
    assert stats.cache_hits > 0
    assert stats.cache_misses > 0
