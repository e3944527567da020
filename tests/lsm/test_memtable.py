"""Memtables against a list of all changes, replayed up to the sequence that is looked at."""

import sys
import threading
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsm.memtable import Entry, Memtable
from lsm.range_tombstones import covers
from lsm.runs import MISSING, Missing, Run, Value

KEYS = [bytes([letter]) + tail for letter in b"abcdef" for tail in (b"", b"\0", b"z")]
SMALL = st.sampled_from(KEYS)
VALUES = st.one_of(st.none(), st.binary(max_size=2))
PAIRS = st.tuples(SMALL, VALUES)
PUT = st.tuples(st.just("put"), st.lists(PAIRS, min_size=1, max_size=1), st.none())
BATCH = st.tuples(st.just("batch"), st.lists(PAIRS, max_size=6), st.none())
DELETION = st.tuples(st.just("delete_range"), st.lists(PAIRS, min_size=1, max_size=1), st.one_of(st.none(), SMALL))
LOOK = st.tuples(st.just("look"), st.lists(PAIRS, max_size=0), st.none())
HISTORIES = st.lists(st.one_of(PUT, BATCH, DELETION, LOOK), max_size=40)
Action = tuple[str, list[tuple[bytes, Value]], bytes | None]
"""What is done, with which pairs, or from the key of the one pair to which stop."""
Change = tuple[bytes, bytes | None, Value]
"""Start and stop of what was changed, and the new value; a put has the stop that leaves its key alone."""


def new_memtable() -> Memtable:
    """Return an empty memtable."""
    return Memtable(1, threading.Lock())


def build(history: list[Action]) -> tuple[Memtable, list[Change]]:
    """Apply a history to a memtable; also return its changes as a list, of which change i has sequence i + 1."""
    memtable = new_memtable()
    changes: list[Change] = []
    for action, pairs, stop in history:
        sequence = len(changes) + 1
        if action == "delete_range":
            start = pairs[0][0]
            if stop is None or start < stop:
                changes.append((start, stop, None))
                memtable.delete_range(start, stop, sequence)
            continue
        changes += [(key, key + b"\0", value) for key, value in pairs]
        if action == "put":
            memtable.put(*pairs[0], sequence)
        elif action == "batch":
            memtable.apply([key for key, _ in pairs], [value for _, value in pairs], sequence)
        else:
            list(memtable.runs(None, None, sequence))
    return memtable, changes


def contains(change: Change, key: bytes) -> bool:
    """Tell whether the change is about the key."""
    start, stop, _ = change
    return start <= key and (stop is None or key < stop)


def model_get(changes: list[Change], key: bytes, sequence: int) -> bytes | Missing | None:
    """Return what the last change up to the sequence said about the key."""
    said = [value for start, stop, value in changes[:sequence] if contains((start, stop, value), key)]
    return said[-1] if said else MISSING


def written(changes: list[Change], key: bytes, sequence: int) -> bool:
    """Tell whether the key itself was put or deleted, so that a scan must show it."""
    return any(start == key and stop == key + b"\0" for start, stop, _ in changes[:sequence])


def joined(runs: Iterator[Run]) -> dict[bytes, Value]:
    """Put runs together."""
    return {key: value for keys, values in runs for key, value in zip(keys, values, strict=True)}


@given(HISTORIES, st.integers(0, 120))
def test_get_sees_exactly_the_changes_up_to_its_sequence(history: list[Action], sequence: int) -> None:
    """Versions, tombstones and range deletions resolve by sequence, for the past as for the present."""
    memtable, changes = build(history)

    memtable.check()
    assert memtable.entry_count == len(changes)
    for at in (sequence, len(changes)):
        assert [memtable.get(key, at) for key in KEYS] == [model_get(changes, key, at) for key in KEYS]


@given(
    HISTORIES,
    st.integers(0, 120),
    st.one_of(st.none(), SMALL),
    st.one_of(st.none(), SMALL),
    st.booleans(),
    st.integers(1, 5),
)
def test_runs_show_a_range_at_a_sequence(
    history: list[Action],
    sequence: int,
    start: bytes | None,
    stop: bytes | None,
    reverse: bool,
    chunk: int,
) -> None:
    """Each key that was written comes once, in order, with the value it had; hidden ones as tombstones."""
    memtable, changes = build(history)
    runs = list(memtable.runs(start, stop, sequence, reverse, chunk))
    expected = [
        (key, model_get(changes, key, sequence))
        for key in sorted(KEYS, reverse=reverse)
        if written(changes, key, sequence) and (start is None or start <= key) and (stop is None or key < stop)
    ]

    assert [pair for keys, values in runs for pair in zip(keys, values, strict=True)] == expected
    assert all(keys for keys, _ in runs)


@given(HISTORIES, st.integers(0, 120))
def test_content_and_range_tombstones_say_everything(history: list[Action], sequence: int) -> None:
    """A flush takes the runs and the range tombstones; together they answer as the memtable itself does."""
    memtable, changes = build(history)
    content = joined(memtable.runs(None, None, sequence))
    ranges = memtable.range_tombstones(sequence)

    for key in KEYS:
        answer = content[key] if key in content else None if covers(ranges, key) else MISSING
        assert answer == model_get(changes, key, sequence)


@given(HISTORIES, st.integers(0, 120), SMALL, st.one_of(st.none(), SMALL))
def test_changes_since_a_sequence_are_found(
    history: list[Action], since: int, start: bytes, stop: bytes | None
) -> None:
    """Validation learns of every later change of a key or in a range, and of no other."""
    memtable, changes = build(history)
    later = changes[since:]

    for key in KEYS:
        assert (memtable.newest_sequence(key) > since) == any(contains(change, key) for change in later)
    if stop is not None and stop <= start:
        return
    found = memtable.changed_in(start, stop, since)
    if found is None:
        assert not any(contains(change, key) and contains((start, stop, None), key) for change in later for key in KEYS)
    else:
        assert contains((start, stop, None), found)
        assert any(contains(change, found) for change in later)


@given(HISTORIES, st.lists(PAIRS, max_size=12), st.integers(0, 12), st.booleans())
def test_versions_taken_back_were_never_written(
    history: list[Action], pairs: list[tuple[bytes, Value]], count: int, scanned: bool
) -> None:
    """What is left is right in every way, whether the order knew the keys or not, and takes further writes."""
    memtable, changes = build(history)
    before = len(changes)
    memtable.apply([key for key, _ in pairs], [value for _, value in pairs], before + 1)
    if scanned:
        list(memtable.runs(None, None, before + len(pairs)))
    kept = pairs[: max(len(pairs) - count, 0)]
    memtable.take_back(len(pairs) - len(kept))
    memtable.check()
    again, _ = build(history)
    again.apply([key for key, _ in kept], [value for _, value in kept], before + 1)
    assert memtable.entries == again.entries
    assert memtable.size_bytes == again.size_bytes
    last = before + len(pairs)
    assert joined(memtable.runs(None, None, last)) == joined(again.runs(None, None, last))
    memtable.put(b"new", b"", last + 1)
    memtable.check()


def test_writes_after_a_scan_join_the_order() -> None:
    """Few new keys are inserted and many are sorted in; both give the whole order."""
    memtable = new_memtable()
    keys = [b"%05d" % (place * 7919 % 10_000) for place in range(10_000)]
    done = 0
    for count in (3000, 1, 10, 5, 4000, 2984):
        memtable.apply(keys[done : done + count], [b"v"] * count, done + 1)
        done += count
        assert list(joined(memtable.runs(None, None, done))) == sorted(keys[:done])
        memtable.check()


def test_an_interrupted_refresh_of_the_order_is_made_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception while the order is brought up to date costs the next scan a sorting, and no entry."""
    memtable = new_memtable()
    memtable.apply([b"%03d" % place for place in range(0, 1000, 2)], [b"v"] * 500, 1)
    list(memtable.runs(None, None, 500))
    memtable.put(b"001", b"w", 501)
    order = memtable._order
    assert order is not None
    with monkeypatch.context() as patch:
        patch.setattr(type(order[0]), "update", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            list(memtable.runs(None, None, 501))

    assert len(joined(memtable.runs(None, None, 501))) == 501
    memtable.check()


def _interrupted(_order: object, _keys: object) -> None:
    raise KeyboardInterrupt


class _Overtaken(dict[bytes, Entry]):
    """A dict to which the writer adds a key just after somebody began to walk through it."""

    def __reversed__(self) -> Iterator[bytes]:
        """Begin to walk, and let the writer in once."""
        walk = super().__reversed__()
        if b"late" not in self:
            self[b"late"] = (3, b"3", None)
        return walk


def test_a_key_added_while_new_keys_are_collected_loses_none() -> None:
    """A writer that gets in between counting the new keys and copying them makes the copy start again."""
    memtable = new_memtable()
    memtable.apply([b"a", b"b"], [b"1", b"2"], 1)
    memtable.entries = _Overtaken(memtable.entries)
    memtable.last_sequence = 3

    assert list(joined(memtable.runs(None, None, 2))) == [b"a", b"b"]
    assert list(joined(memtable.runs(None, None, 3))) == [b"a", b"b", b"late"]


def test_estimate_counts_keys_and_their_bytes() -> None:
    """Keys in the range are counted; sizes are an average."""
    memtable = new_memtable()
    for place in range(100):
        memtable.put(b"%02d" % place, b"x" * 98, place + 1)

    assert memtable.estimate(b"20", b"30") == (10, 1000)
    assert memtable.estimate(None, None) == (100, 10_000)
    assert memtable.estimate(b"30", b"20") == (0, 0)
    assert new_memtable().estimate(None, None) == (0, 0)


@pytest.mark.parametrize("one_by_one", [True, False])
def test_the_account_of_memory_is_honest(one_by_one: bool) -> None:
    """What is charged lies within a quarter of what Python allocated, content and sorted order included."""
    count = 30_000
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        memtable = new_memtable()
        for place in range(0, count, 100):
            numbers = range(place, place + 100)
            keys = [b"%016d" % (number * 7919 % 1_000_003) for number in numbers]
            values = [b"%0100d" % number for number in numbers]
            if one_by_one:
                for number, key, value in zip(numbers, keys, values, strict=True):
                    memtable.put(key, value, number + 1)
            else:
                memtable.apply(keys, list(values), place + 1)
        keys, values = [], []
        next(memtable.runs(None, None, count))
        used = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()

    assert 0.8 < memtable.size_bytes / used < 1.25


@pytest.fixture
def _impatient_threads() -> Iterator[None]:
    """Switch threads as often as possible."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("_impatient_threads")
def test_readers_beside_a_writer_see_only_whole_published_commits() -> None:
    """Each commit sets every key to its number; a reader at a published sequence sees one number everywhere."""
    memtable = new_memtable()
    keys = [b"%04d" % (place * 37 % 300) for place in range(300)]
    published = [0]
    failures: list[str] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            sequence = published[0]
            commit = sequence // 301
            expected = None if commit == 0 else b"%d" % commit
            ordered = [pair for run in memtable.runs(None, None, sequence) for pair in zip(*run, strict=True)]
            if [key for key, _ in ordered] != (sorted(keys) if commit else []):
                failures.append(f"keys at {sequence}: {len(ordered)}")
            if any(value != expected for _, value in ordered):
                failures.append(f"values at {sequence}: {ordered[:3]}")
            if commit and any(memtable.get(key, sequence) != expected for key in keys[::50]):
                failures.append(f"get at {sequence}")

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for commit in range(1, 60):
        memtable.delete_range(b"", None, published[0] + 1)
        memtable.apply(keys, [b"%d" % commit] * 300, published[0] + 2)
        published[0] += 301
    stop.set()
    for reader in readers:
        reader.join()

    assert failures == []
    memtable.check()


@pytest.mark.usefixtures("_impatient_threads")
def test_new_keys_beside_readers_are_never_lost_from_the_order() -> None:
    """While one thread adds keys, others that scan see every key that was published when they began."""
    memtable = new_memtable()
    published = [0]
    failures: list[tuple[int, int]] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            sequence = published[0]
            found = sum(len(keys) for keys, _ in memtable.runs(None, None, sequence, chunk=1000))
            if found != sequence:
                failures.append((sequence, found))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for place in range(6000):
        memtable.put(b"%06d" % (place * 7919 % 1_000_003), b"v", place + 1)
        published[0] = place + 1
    stop.set()
    for reader in readers:
        reader.join()

    assert failures == []
