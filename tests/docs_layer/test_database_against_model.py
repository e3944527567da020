"""Random histories against a dictionary: verbs, errors, blocks that roll back, snapshots, reopening, other programs.

Two machines: one over the memory store, one over the engine in a directory with tiny options, which is also reopened.
"""

import contextlib
import os
import shutil
import tempfile
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

import lsm
from docs_layer import (
    Col,
    Database,
    ForeignKeyViolation,
    Key,
    MemoryStore,
    NotFoundError,
    Ref,
    Snapshot,
    Table,
    Transaction,
    UniqueViolation,
    auto,
    col,
    index,
    open_db,
    ref,
)
from docs_layer.embedded_store import EmbeddedStore
from docs_layer.store import Store


class Owner(Table):
    """A parent with a unique, nullable name."""

    id: Key[int] = auto()
    name: Col[str | None] = col(default=None, unique=True)


class Thing(Table):
    """A child with a compound index, and a unique pair."""

    code: Key[str]
    owner: Ref[Owner] = ref()
    size: Col[int | None] = col(default=None)
    __indexes__ = [index("owner", "-size"), index("-code", "size", unique=True), index("size")]


Rows = dict[Any, Any]
Verbs = Database | Transaction
NAMES = st.sampled_from([None, "a", "a\0", "b", "c"])
OWNERS = st.integers(1, 6)
CODES = st.sampled_from(["", "x", "x\0", "xy", "y", "z"])
SIZES = st.none() | st.integers(-2, 2)


class DatabaseMachine(RuleBasedStateMachine):
    """One history over the memory store."""

    def __init__(self) -> None:
        super().__init__()
        self.store = self.open_store()
        self.db = open_db(self.store, tables=[Owner, Thing])
        self.owners: Rows = {}
        self.things: Rows = {}
        self.snapshots: list[tuple[Snapshot, Rows, Rows]] = []

    def open_store(self) -> Store:
        """Give an empty store."""
        return MemoryStore()

    def teardown(self) -> None:
        """Close everything."""
        for snapshot, _, _ in self.snapshots:
            snapshot.close()
        self.db.close()

    def _insert_owner(self, verbs: Verbs, number: int | None, name: str | None) -> None:
        """Insert and compare with the model: a taken id or name is refused."""
        taken = number in self.owners or (name is not None and name in {row.name for row in self.owners.values()})
        row = Owner(name=name) if number is None else Owner(id=number, name=name)
        if taken:
            with pytest.raises(UniqueViolation):
                verbs.insert(row)
            return
        inserted = verbs.insert(row)
        assert inserted.id not in self.owners
        self.owners[inserted.id] = inserted

    def _put_thing(self, verbs: Verbs, thing: Thing, *, replace: bool) -> None:
        if not replace and thing.code in self.things:
            with pytest.raises(UniqueViolation):
                verbs.insert(thing)
        elif thing.owner not in self.owners:
            with pytest.raises(ForeignKeyViolation):
                verbs.upsert(thing)
        else:
            written = verbs.upsert(thing) if replace else verbs.insert(thing)
            self.things[thing.code] = written

    def _delete_owner(self, verbs: Verbs, number: int) -> None:
        referrers = sorted(thing.code for thing in self.things.values() if thing.owner == number)
        if number in self.owners and referrers:
            with pytest.raises(ForeignKeyViolation) as caught:
                verbs.delete(Owner, number)
            assert sorted(map(str, caught.value.referrers)) == referrers
        else:
            assert verbs.delete(Owner, number) is (self.owners.pop(number, None) is not None)

    @rule(number=st.none() | OWNERS, name=NAMES)
    def insert_owner(self, number: int | None, name: str | None) -> None:
        """Insert a parent, with or without an explicit id."""
        self._insert_owner(self.db, number, name)

    @rule(code=CODES, owner=OWNERS, size=SIZES, replace=st.booleans())
    def put_thing(self, code: str, owner: int, size: int | None, replace: bool) -> None:
        """Insert or upsert a child, whose parent may be missing."""
        self._put_thing(self.db, Thing(code=code, owner=owner, size=size), replace=replace)

    @rule(number=OWNERS, name=NAMES)
    def rename_owner(self, number: int, name: str | None) -> None:
        """Update a parent; it may be missing, the name may be taken."""
        others = {row.name for row in self.owners.values() if row.id != number}
        if number not in self.owners:
            with pytest.raises(NotFoundError):
                self.db.update(Owner, number, name=name)
        elif name is not None and name in others:
            with pytest.raises(UniqueViolation):
                self.db.update(Owner, number, name=name)
        else:
            self.owners[number] = self.db.update(Owner, number, Owner.name.to(name))

    @rule(code=CODES, owner=OWNERS)
    def move_thing(self, code: str, owner: int) -> None:
        """Update the reference of a child."""
        if code not in self.things:
            with pytest.raises(NotFoundError):
                self.db.update(Thing, code, owner=owner)
        elif owner not in self.owners:
            with pytest.raises(ForeignKeyViolation):
                self.db.update(Thing, code, owner=owner)
        else:
            self.things[code] = self.db.update(Thing, code, owner=owner)

    @rule(number=OWNERS)
    def delete_owner(self, number: int) -> None:
        """Delete a parent that may have children."""
        self._delete_owner(self.db, number)

    @rule(code=CODES)
    def delete_thing(self, code: str) -> None:
        """Delete a child."""
        assert self.db.delete(Thing, code) is (self.things.pop(code, None) is not None)

    @rule(
        owners=st.lists(st.tuples(st.none() | OWNERS, NAMES), max_size=3),
        things=st.lists(st.tuples(CODES, OWNERS, SIZES), max_size=3),
        deleted=st.lists(OWNERS, max_size=2),
        fails=st.booleans(),
    )
    def block(self, owners: list[Any], things: list[Any], deleted: list[int], fails: bool) -> None:
        """Do several calls in one block, some of which fail; the block commits or rolls back."""
        before = dict(self.owners), dict(self.things)
        with contextlib.suppress(_RolledBack), self.db.transaction() as transaction:
            for number, name in owners:
                self._insert_owner(transaction, number, name)
            for code, owner, size in things:
                self._put_thing(transaction, Thing(code=code, owner=owner, size=size), replace=True)
            for number in deleted:
                self._delete_owner(transaction, number)
            self._compare(transaction, self.owners, self.things)
            if fails:
                self.owners, self.things = before
                raise _RolledBack

    @rule()
    def take_snapshot(self) -> None:
        """Remember a moment."""
        self.snapshots.append((self.db.snapshot(), dict(self.owners), dict(self.things)))

    @precondition(lambda self: self.snapshots)
    @rule()
    def compare_snapshot(self) -> None:
        """Compare the oldest remembered moment, and let it go."""
        snapshot, owners, things = self.snapshots.pop(0)
        with snapshot:
            self._compare(snapshot, owners, things)

    @rule()
    def use_another_handle(self) -> None:
        """Go on with a new handle of the same store; the old one's leases are lost."""
        self.db = open_db(self.store, tables=[Owner, Thing])

    @rule(owner=OWNERS, low=st.integers(-2, 2), high=st.integers(-2, 2), code=CODES)
    def ask(self, owner: int, low: int, high: int, code: str) -> None:
        """Compare answers through several paths."""
        by_owner = self.db.query(Thing).where(Thing.owner == owner, Thing.size.between(low, high))
        wanted = {
            thing.code
            for thing in self.things.values()
            if thing.owner == owner and thing.size is not None and low <= thing.size <= high
        }
        assert {thing.code for thing in by_owner} == wanted
        begins = self.db.query(Thing).where(Thing.code.starts_with(code)).order_by(-Thing.code)
        assert [one.code for one in begins] == sorted((c for c in self.things if c.startswith(code)), reverse=True)
        either = self.db.query(Thing).where((Thing.size == low) | (Thing.owner == owner) | (Thing.code == code))
        assert {thing.code for thing in either} == {
            thing.code
            for thing in self.things.values()
            if thing.size == low or thing.owner == owner or thing.code == code
        }

    @invariant()
    def equals_the_model(self) -> None:
        """Rows are those of the model, and entries agree with them."""
        self._compare(self.db, self.owners, self.things)
        report = self.db.verify()
        assert report.is_sound, str(report)
        assert report.rows == len(self.owners) + len(self.things)

    @staticmethod
    def _compare(view: Verbs | Snapshot, owners: Rows, things: Rows) -> None:
        assert view.query(Owner).all() == [owners[number] for number in sorted(owners)]
        assert view.query(Thing).all() == [things[code] for code in sorted(things)]
        assert all(view.get(Thing, code) == thing for code, thing in things.items())


class _RolledBack(Exception):
    """Ends a block that is meant to fail."""


class DirectoryMachine(DatabaseMachine):
    """The same over the engine, with a directory that is flushed, compacted and reopened."""

    def open_store(self) -> Store:
        """Give an empty store in a directory of its own."""
        self.path = tempfile.mkdtemp(prefix="layerdb-model-")
        return self._open()

    def _open(self) -> EmbeddedStore:
        return EmbeddedStore(self.path, lsm.Options(memtable_bytes=64 << 10, maintenance=False))

    def teardown(self) -> None:
        """Close everything and remove the directory."""
        super().teardown()
        shutil.rmtree(self.path)

    @rule()
    def flush(self) -> None:
        """Move everything to tables."""
        assert isinstance(self.store, EmbeddedStore)
        self.store.engine.flush()

    @rule()
    def reopen(self) -> None:
        """Close and open the directory; snapshots end with it."""
        for snapshot, _, _ in self.snapshots:
            snapshot.close()
        self.snapshots.clear()
        self.db.close()
        self.store = self._open()
        self.db = open_db(self.store, tables=[Owner, Thing])


@pytest.mark.model
@pytest.mark.parametrize("machine", [DatabaseMachine, DirectoryMachine])
def test_random_histories(machine: type[DatabaseMachine]) -> None:
    """No history of calls tells the database from a dictionary."""
    examples = 500 if os.environ.get("LAYERDB_SOAK") else 20
    profile = settings(max_examples=examples, stateful_step_count=30)
    run_state_machine_as_test(machine, settings=profile)
