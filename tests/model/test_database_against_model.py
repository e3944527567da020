"""Random operations on a database and on a dictionary give the same answers, on every level and across reopening.

The options are so small that a few dozen writes reach the last level. Reopening happens after a clean close, after a
kill (everything acknowledged is there) and after a power loss (everything synced is there, the rest is a prefix).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import lsm
from lsm.options import Compression
from lsm.testing import SimulatedEnvironment, SimulatedFileSystem
from tests.support.killed import abandon
from tests.support.model import Delete, DeleteRange, Put, Statement, after, scanned
from tests.support.small import SMALL

PATH = "/data"
KEYS = st.one_of(
    st.binary(max_size=3),
    st.sampled_from([b"k%02d" % number for number in range(30)]),
    st.sampled_from([b"\xff" * 7, b"\xff" * 8, b"\xff" * 8 + b"\x01c", b"\xff" * 9, b"\xff" * 8 + b"\x00"]),
)
VALUES = st.one_of(
    st.binary(max_size=6), st.sampled_from([b"v" * 100, b"w" * 700]), st.integers(0, 2000).map(lambda n: b"%d" % n * 9)
)
BOUNDS = st.none() | KEYS
STATEMENTS = st.one_of(
    st.builds(Put, KEYS, VALUES),
    st.builds(Put, KEYS, VALUES),
    st.builds(Delete, KEYS),
    st.builds(DeleteRange, KEYS, KEYS),
)


class Held(NamedTuple):
    """A snapshot of the database and the content that it must show for ever."""

    snapshot: lsm.Snapshot
    state: dict[bytes, bytes]


class DatabaseMachine(RuleBasedStateMachine):
    """The database, what it must hold, and the states it may fall back to when the power fails."""

    levels_reached: set[int]

    @initialize(
        compression=st.sampled_from(["none", "lz4", "zstd"]),
        memtable_bytes=st.sampled_from([1024, 4096, 20_000]),
        filter_bits=st.sampled_from([0, 10]),
        cache_bytes=st.sampled_from([0, 8192]),
    )
    def begin(self, compression: Compression, memtable_bytes: int, filter_bits: int, cache_bytes: int) -> None:
        """Open an empty database with some options that must make no difference."""
        self.options = dataclasses.replace(
            SMALL,
            compression=compression,
            memtable_bytes=memtable_bytes,
            filter_bits_per_key=filter_bits,
            block_cache_bytes=cache_bytes,
        )
        self.filesystem = SimulatedFileSystem()
        self.states: list[dict[bytes, bytes]] = [{}]
        """Content after the last durable commit, and after each later one."""
        self.held: list[Held] = []
        self.database = self._open()

    def _open(self) -> lsm.Database:
        return lsm.open(PATH, self.options, environment=SimulatedEnvironment(self.filesystem))

    @property
    def state(self) -> dict[bytes, bytes]:
        """What the database must show now."""
        return self.states[-1]

    def _committed(self, statements: list[Statement], sync: bool) -> None:
        """Enter a commit; one with sync makes all before it durable, also if it changes nothing itself."""
        state = after(self.state, statements)
        self.states = [state] if sync else [*self.states, state]

    # Writes.

    @rule(statement=STATEMENTS, sync=st.booleans())
    def write_one(self, statement: Statement, sync: bool) -> None:
        """Put, delete or delete a range on the handle."""
        if isinstance(statement, Put):
            self.database.put(statement.key, statement.value, sync=sync)
        elif isinstance(statement, Delete):
            self.database.delete(statement.key, sync=sync)
        elif isinstance(statement, DeleteRange):
            self.database.delete_range(statement.start, statement.stop, sync=sync)
        self._committed([statement], sync)

    @rule(statements=st.lists(STATEMENTS, max_size=12), sync=st.booleans())
    def write_batch(self, statements: list[Statement], sync: bool) -> None:
        """Write several statements as one."""
        batch = lsm.WriteBatch()
        for statement in statements:
            _add(batch, statement)
        self.database.write(batch, sync=sync)
        self._committed(statements, sync)

    @rule(first=st.integers(0, 25), count=st.integers(5, 30), value=VALUES)
    def write_many(self, first: int, count: int, value: bytes) -> None:
        """Fill memtables quickly, so that the lower levels are reached."""
        statements: list[Statement] = [Put(b"k%02d" % (first + n), value + b"%d" % n) for n in range(count)]
        for statement in statements:
            assert isinstance(statement, Put)
            self.database.put(statement.key, statement.value)
            self._committed([statement], sync=False)

    @rule(statements=st.lists(STATEMENTS, max_size=8), commit=st.booleans(), read=st.lists(KEYS, max_size=3))
    def transact(self, statements: list[Statement], commit: bool, read: list[bytes]) -> None:
        """Write in a transaction, which sees its own writes while nobody else does."""
        before = self.state
        seen = before
        transaction = self.database.transaction()
        for statement in statements:
            _add(transaction, statement)
            seen = after(seen, [statement])
            for key in read:
                assert transaction.get(key) == seen.get(key)
                assert self.database.get(key) == before.get(key)
        assert list(transaction.scan()) == scanned(seen)
        if commit:
            transaction.commit()
            self._committed(statements, sync=False)
        else:
            transaction.rollback()

    @rule(key=KEYS, value=VALUES)
    def conflict(self, key: bytes, value: bytes) -> None:
        """A transaction whose read was overtaken writes nothing."""
        transaction = self.database.transaction()
        transaction.get(key)
        self.database.put(key, value)
        self._committed([Put(key, value)], sync=False)
        transaction.put(b"lost", b"update")
        with pytest.raises(lsm.ConflictError):
            transaction.commit()

    # Reads.

    @rule(key=KEYS)
    def get(self, key: bytes) -> None:
        """Read one key."""
        assert self.database.get(key) == self.state.get(key)

    @rule(keys=st.lists(KEYS, max_size=8))
    def multi_get(self, keys: list[bytes]) -> None:
        """Read several keys."""
        assert self.database.multi_get(keys) == [self.state.get(key) for key in keys]

    @rule(
        start=BOUNDS,
        stop=BOUNDS,
        prefix=st.none() | st.binary(max_size=2),
        reverse=st.booleans(),
        limit=st.none() | st.integers(0, 12),
    )
    def scan(
        self, start: bytes | None, stop: bytes | None, prefix: bytes | None, reverse: bool, limit: int | None
    ) -> None:
        """Read a range in either direction."""
        found = list(self.database.scan(start, stop, prefix=prefix, reverse=reverse, limit=limit))
        assert found == scanned(self.state, start, stop, prefix=prefix, reverse=reverse, limit=limit)
        keys = list(self.database.scan_keys(start, stop, prefix=prefix, reverse=reverse, limit=limit))
        assert keys == [key for key, _ in found]

    @rule()
    def hold_a_snapshot(self) -> None:
        """Keep the present content."""
        if len(self.held) < 4:
            self.held.append(Held(self.database.snapshot(), self.state))

    @precondition(lambda self: self.held)
    @rule(place=st.integers(0, 3), key=KEYS, start=BOUNDS, reverse=st.booleans(), close=st.booleans())
    def read_a_snapshot(self, place: int, key: bytes, start: bytes | None, reverse: bool, close: bool) -> None:
        """An old snapshot still shows what it showed, whatever was written, flushed and compacted since."""
        snapshot, state = self.held[place % len(self.held)]
        assert snapshot.get(key) == state.get(key)
        assert list(snapshot.scan(start, reverse=reverse)) == scanned(state, start, reverse=reverse)
        if close:
            snapshot.close()
            del self.held[place % len(self.held)]

    # Maintenance and reopening.

    @rule()
    def flush(self) -> None:
        """Write the memtables into tables, which makes everything durable."""
        self.database.flush()
        self.states = [self.state]
        self.look_at_levels()

    @rule(start=BOUNDS, stop=BOUNDS)
    def compact(self, start: bytes | None, stop: bytes | None) -> None:
        """Compact a range."""
        self.database.compact(start, stop)
        self.look_at_levels()

    def look_at_levels(self) -> None:
        """Remember which levels have held tables."""
        levels = enumerate(self.database.stats().levels)
        self.levels_reached.update(level for level, there in levels if there.tables)

    @rule()
    def compact_all(self) -> None:
        """Compact everything into the last level."""
        self.database.compact()
        self.look_at_levels()

    @rule()
    def close_and_reopen(self) -> None:
        """Close, which makes everything durable, and open."""
        self._let_go()
        self.database.close()
        self.database = self._open()
        assert list(self.database.scan()) == scanned(self.state)
        self.states = [self.state]

    @rule()
    def kill_and_reopen(self) -> None:
        """The process dies, the machine goes on: every acknowledged write is there, and is durable now."""
        self._let_go()
        abandon(self.database)
        self.filesystem = self.filesystem.after_kill()
        self.database = self._open()
        assert list(self.database.scan()) == scanned(self.state)
        self.states = [self.state]

    @rule()
    def lose_power_and_reopen(self) -> None:
        """The power fails: the content is that after the last durable commit, or after a later one."""
        self._let_go()
        abandon(self.database)
        self.filesystem = self.filesystem.after_power_loss()
        self.database = self._open()
        content = dict(self.database.scan())
        assert content in self.states
        self.states = [content]

    def _let_go(self) -> None:
        for snapshot, _ in self.held:
            snapshot.close()
        self.held.clear()

    @invariant()
    def content_is_right(self) -> None:
        """All keys in order, after every step."""
        if hasattr(self, "database"):
            assert list(self.database.scan()) == scanned(self.state)

    def teardown(self) -> None:
        """Verify every byte, and close."""
        if hasattr(self, "database"):
            assert list(self.database.verify().damage) == []
            self._let_go()
            self.database.close()


def _add(target: lsm.WriteBatch | lsm.Transaction, statement: Statement) -> None:
    if isinstance(statement, Put):
        target.put(statement.key, statement.value)
    elif isinstance(statement, Delete):
        target.delete(statement.key)
    elif isinstance(statement, DeleteRange):
        target.delete_range(statement.start, statement.stop)


@pytest.mark.model
def test_a_database_behaves_like_a_dictionary(record_property: Callable[[str, object], None]) -> None:
    """No history of writes, reads, snapshots, maintenance and crashes tells the two apart, on any level."""
    levels: set[int] = set()
    histories = 0

    class Machine(DatabaseMachine):
        """The machine, with a memory that all its runs share."""

        levels_reached = levels

        def teardown(self) -> None:
            """Count the histories."""
            nonlocal histories
            histories += 1
            super().teardown()

    steps = settings(max_examples=max(settings().max_examples, 150), stateful_step_count=50)
    run_state_machine_as_test(Machine, settings=steps)

    record_property("histories of 50 steps", histories)
    assert levels == set(range(SMALL.level_count))
