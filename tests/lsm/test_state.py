"""States against dicts: every view that was ever taken reads the same after any number of writes, flushes and merges.

The histories act on real memtables and on real tables on a simulated disk. `push` stands for a compaction: all of a
level and of the next one become a few tables of the latter.
"""

from itertools import chain
from threading import Lock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsm.memtable import Memtable
from lsm.merging import merge
from lsm.range_tombstones import clip, flatten
from lsm.runs import Run
from lsm.state import State
from lsm.tables import TableSet, no_tables, open_tables
from lsm.version import TableMetadata, Version
from tests.lsm.table_files import new_cache, new_directory, write_table

KEYS = [b"a", b"b", b"c", b"c\0", b"d", b"e", b"e\0", b"f"]
CUTS = [b"c\0", b"e\0"]
"""Where `push` cuts its output; each ends in a zero byte, so that the bounds of the tables are exact."""
LEVELS = 4
SMALL = st.sampled_from(KEYS)
BOUNDS = st.one_of(st.none(), SMALL)
ACTIONS = st.one_of(
    st.tuples(st.just("put"), SMALL, st.binary(max_size=2)),
    st.tuples(st.sampled_from(["put", "delete"]), SMALL, st.none()),
    st.tuples(st.just("delete_range"), SMALL, BOUNDS),
    st.tuples(st.sampled_from(["rotate", "rotate", "flush", "push"]), st.none(), st.none()),
)
Action = tuple[str, bytes | None, bytes | None]


class History:
    """A state under change, with a dict that says what it should hold and copies of both at earlier moments."""

    def __init__(self) -> None:
        self.directory = new_directory()
        self.cache = new_cache()
        self.number = 0
        self.sequence = 0
        self.state = State(self.new_memtable(), (), no_tables(LEVELS))
        self.model: dict[bytes, bytes] = {}
        self.views: list[tuple[State, int, dict[bytes, bytes]]] = []

    def new_memtable(self) -> Memtable:
        """Return an empty memtable."""
        return Memtable(1, Lock())

    def new_number(self) -> int:
        """Return a number for a table."""
        self.number += 1
        return self.number

    def act(self, name: str, first: bytes | None, second: bytes | None) -> None:
        """Do one action to the state and to the dict."""
        if name in {"put", "delete"} and first is not None:
            self.sequence += 1
            self.state.active.put(first, second, self.sequence)
            self.model.pop(first, None)
            if second is not None:
                self.model[first] = second
        elif name == "delete_range" and first is not None and (second is None or first < second):
            self.sequence += 1
            self.state.active.delete_range(first, second, self.sequence)
            for key in [key for key in self.model if first <= key and (second is None or key < second)]:
                del self.model[key]
        elif name == "rotate":
            self.state = self.state.rotated(self.new_memtable())
        elif name == "flush" and self.state.sealed:
            self.flush()
        elif name == "push":
            self.push()
        self.views.append((self.state, self.sequence, dict(self.model)))

    def flush(self) -> None:
        """Make the oldest sealed memtable the newest table."""
        memtable = self.state.sealed[-1]
        ranges = memtable.range_tombstones(memtable.last_sequence)
        levels = self.state.version.levels
        if memtable.last_sequence:
            runs = memtable.runs(None, None, memtable.last_sequence)
            table = write_table(self.directory, self.new_number(), runs, ranges)
            levels = ((table, *levels[0]), *levels[1:])
        tables = open_tables(self.directory, Version(levels), self.cache, self.state.tables)
        self.state = self.state.flushed([memtable], tables)

    def push(self) -> None:
        """Merge the first level that has tables into the next one, cut at two keys."""
        levels = self.state.version.levels
        level = next((number for number, tables in enumerate(levels[:-1]) if tables), None)
        if level is None:
            return
        inputs = Version(tuple(tables if place - level in {0, 1} else () for place, tables in enumerate(levels)))
        merged = open_tables(self.directory, inputs, self.cache, self.state.tables)
        outputs = self.write_parts(merged, level + 1)
        after = (*levels[:level], (), tuple(outputs), *levels[level + 2 :])
        self.state = self.state.with_tables(open_tables(self.directory, Version(after), self.cache, self.state.tables))

    def write_parts(self, merged: TableSet, level: int) -> list[TableMetadata]:
        """Write what tables hold, tombstones of both kinds included, as up to three tables."""
        outputs = []
        ranges = flatten(chain.from_iterable(source.range_tombstones for source in merged.sources(None, None)))
        for start, stop in zip([None, *CUTS], [*CUTS, None], strict=True):
            runs: list[Run] = list(merge(merged.sources(start, stop), keep_tombstones=True))
            part = clip(ranges, start, stop)
            if runs or part:
                outputs.append(write_table(self.directory, self.new_number(), runs, part, level=level))
        return outputs


def scanned(
    state: State, sequence: int, start: bytes | None, stop: bytes | None, *, reverse: bool, limit_hint: int | None
) -> list[tuple[bytes, bytes]]:
    """Return the entries of a scan."""
    chunks = list(state.scan(start, stop, sequence, reverse=reverse, limit_hint=limit_hint))
    assert all(keys for keys, _ in chunks)
    return [pair for keys, values in chunks for pair in zip(keys, values, strict=True)]


@given(st.lists(ACTIONS, min_size=20, max_size=60), BOUNDS, BOUNDS, st.one_of(st.none(), st.integers(1, 4)))
def test_every_view_reads_the_same_for_ever(
    actions: list[Action], start: bytes | None, stop: bytes | None, limit_hint: int | None
) -> None:
    """Whatever is written, flushed and merged later, a view gives the dict of its moment by every kind of read."""
    history = History()
    for action in actions:
        history.act(*action)

    for state, sequence, model in history.views:
        expected = [model.get(key) for key in KEYS]
        inside = [
            (key, value)
            for key, value in sorted(model.items())
            if (start is None or start <= key) and (stop is None or key < stop)
        ]
        assert [state.get(key, sequence) for key in KEYS] == expected
        assert state.multi_get(KEYS, sequence) == expected
        for reverse in (False, True):
            found = scanned(state, sequence, start, stop, reverse=reverse, limit_hint=limit_hint)
            assert found == (inside[::-1] if reverse else inside)


def filled() -> State:
    """Return a state with one key in each place that a state has."""
    history = History()
    for number, action in enumerate(["push", "flush", "rotate", "view"]):
        history.act("put", b"%d" % number, b"v")
        history.act("put", b"shared", b"%d" % number)
        for step in {"push": ["rotate", "flush", "push"], "flush": ["rotate", "flush"]}.get(action, [action]):
            history.act(step, None, None)
    return history.state


def test_places_of_a_state_are_asked_from_the_newest() -> None:
    """A key in table levels, sealed and active memtables at once has the value of the latter; others are found too."""
    state = filled()

    assert [len(tables) for tables in state.version.levels] == [1, 2, 0, 0]
    assert len(state.sealed) == 1
    assert state.get(b"shared", 8) == b"3"
    assert state.multi_get([b"0", b"1", b"2", b"3", b"4"], 8) == [b"v", b"v", b"v", b"v", None]


def test_keys_alone_come_without_values() -> None:
    """A scan that wants no values hands over none."""
    chunks = list(filled().scan(None, None, 8, values=False))

    assert [key for keys, _ in chunks for key in keys] == [b"0", b"1", b"2", b"3", b"shared"]
    assert all(values == [] for _, values in chunks)


def test_estimate_counts_all_places() -> None:
    """Each place counts what it has; nothing is outside."""
    entries, size_bytes = filled().estimate(None, None)

    assert entries == 8
    assert size_bytes > 0
    assert filled().estimate(b"x", b"z") == (0, 0)


def test_rotation_links_the_memtables() -> None:
    """Whoever holds an older memtable finds every newer one."""
    memtables = [Memtable(number, Lock()) for number in range(3)]
    state = State(memtables[0], (), no_tables(LEVELS)).rotated(memtables[1]).rotated(memtables[2])

    assert state.active is memtables[2]
    assert state.sealed == (memtables[1], memtables[0])


def test_only_the_oldest_sealed_memtables_are_flushed() -> None:
    """A flush out of order would put newer data below older."""
    memtables = [Memtable(number, Lock()) for number in range(3)]
    state = State(memtables[0], (), no_tables(LEVELS)).rotated(memtables[1]).rotated(memtables[2])

    assert state.flushed(memtables[:1], no_tables(LEVELS)).sealed == (memtables[1],)
    assert state.flushed(memtables[:2], no_tables(LEVELS)).sealed == ()
    with pytest.raises(ValueError, match="oldest"):
        state.flushed(memtables[1:2], no_tables(LEVELS))


def test_a_thrown_away_memtable_is_replaced() -> None:
    """What was never committed goes with the memtable; sealed ones and tables stay."""
    state = filled()
    fresh = Memtable(9, Lock())
    replaced = state.with_active(fresh)

    assert replaced.active is fresh
    assert replaced.sealed is state.sealed
    assert replaced.tables is state.tables
    assert replaced.get(b"shared", 8) == b"2"
