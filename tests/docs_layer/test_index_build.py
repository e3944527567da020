"""Building an index over rows that are there: complete, resumable, maintained meanwhile, taken back if not unique."""

from typing import Any

import pytest

from docs_layer import Col, ConflictError, Key, MemoryStore, SchemaError, Table, auto, index, open_db
from docs_layer import index_build as building
from docs_layer.catalog import IndexEntry, load_catalog
from docs_layer.keyspace import index_build_key, index_range
from docs_layer.store import Store


class Plain(Table):
    """Before: no index."""

    __table_name__ = "Item"
    id: Key[int] = auto()
    name: Col[str]


class Indexed(Table):
    """After: an index."""

    __table_name__ = "Item"
    id: Key[int] = auto()
    name: Col[str]
    __indexes__ = [index("-name")]


class Unique(Table):
    """After: a unique index."""

    __table_name__ = "Item"
    id: Key[int] = auto()
    name: Col[str]
    __indexes__ = [index("name", unique=True, name="only_once")]


@pytest.fixture
def items() -> MemoryStore:
    """Give a store with 2,500 rows, more than two batches."""
    store = MemoryStore()
    open_db(store, tables=[Plain]).insert_many([Plain(name=f"{place:05}") for place in range(2500)])
    return store


def _index(store: Store) -> IndexEntry | None:
    with store.snapshot() as snapshot:
        return next(iter(load_catalog(snapshot).tables["Item"].indexes), None)


def _entry_count(store: Store, number: int = 1) -> int:
    with store.snapshot() as snapshot:
        return sum(len(chunk.keys) for chunk in snapshot.scan(*index_range(1, number), values=False))


@pytest.mark.parametrize("table", [Indexed, Unique])
def test_every_row_gets_its_entry(items: MemoryStore, table: Any) -> None:
    """After opening the index is ready and complete, and its progress is gone."""
    db = open_db(items, tables=[table])
    entry = _index(items)
    assert entry is not None
    assert entry.state == "ready"
    assert _entry_count(items) == 2500
    assert db.verify().is_sound
    assert db.query(table).where(table.name == "00700").explain().path.startswith("index")
    with items.snapshot() as snapshot:
        assert snapshot.get(index_build_key(1, 1)) is None


class _Interrupted(Exception):
    """What a test raises in the middle of a build."""


def test_an_interrupted_build_is_maintained_and_goes_on(items: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writers maintain the index while it is building; the next opening goes on behind the stored progress."""
    original = building._build_batch
    calls = 0

    def interrupt(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise _Interrupted
        return original(*arguments)

    old = open_db(items, tables=[Plain])
    monkeypatch.setattr(building, "_build_batch", interrupt)
    with pytest.raises(_Interrupted):
        open_db(items, tables=[Indexed])
    entry = _index(items)
    assert entry is not None
    assert (entry.state, _entry_count(items)) == ("building", 1000)
    old.update(Plain, 1, name="built already")
    old.update(Plain, 2400, name="not built yet")
    old.delete(Plain, 2)
    old.delete(Plain, 2401)
    late = old.insert(Plain(name="late"))
    assert "full scan" in old.query(Plain).where(Plain.name == "late").explain().path
    batches: list[int] = []

    def count(*arguments: Any) -> Any:
        batches.append(1)
        return original(*arguments)

    monkeypatch.setattr(building, "_build_batch", count)
    db = open_db(items, tables=[Indexed])
    assert len(batches) == 2
    assert db.query(Indexed).where(Indexed.name == "late").one().id == late.id
    assert db.verify().is_sound
    assert _entry_count(items) == 2499


def test_duplicates_are_listed_and_the_index_is_taken_back(items: MemoryStore) -> None:
    """A unique index over equal values fails with both keys; its entries are gone and its number is not used again."""
    plain = open_db(items, tables=[Plain])
    plain.update(Plain, 2000, name="00004")
    plain.update(Plain, 1999, name="00004")
    with pytest.raises(SchemaError, match=r"5 and 1999, 5 and 2000|1999 and 2000, 5 and 2000") as caught:
        open_db(items, tables=[Unique])
    assert (caught.value.table, caught.value.field) == ("Item", "only_once")
    assert (_index(items), _entry_count(items)) == (None, 0)
    assert plain.insert(Plain(name="00004")).id > 2500
    for number in (1999, 2000):
        plain.update(Plain, number, name=f"fixed {number}")
    plain.delete(Plain, 2501)
    db = open_db(items, tables=[Unique])
    entry = _index(items)
    assert entry is not None
    assert entry.number == 2
    assert db.verify().is_sound


def test_a_writer_keeps_uniqueness_while_the_index_is_building(
    items: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that goes takes only its own entry with it, even if another row of the same value has the entry."""
    original = building._build_batch
    plain = open_db(items, tables=[Plain])
    plain.update(Plain, 2500, name="00000")

    def stop(*_: Any) -> Any:
        raise _Interrupted

    monkeypatch.setattr(building, "_build_batch", stop)
    with pytest.raises(_Interrupted):
        open_db(items, tables=[Unique])
    plain.update(Plain, 1, name="moved")
    plain.update(Plain, 1, name="00000")
    plain.delete(Plain, 2500)
    monkeypatch.setattr(building, "_build_batch", original)
    db = open_db(items, tables=[Unique])
    assert db.query(Unique).where(Unique.name == "00000").one().id == 1
    assert db.verify().is_sound


def test_a_conflict_halves_the_batch(items: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build that meets concurrent writers goes on with smaller batches until it gets through."""
    original = building._build_batch
    sizes: list[int] = []

    def collide(transaction: Any, table: Any, maintainer: Any, size: int) -> Any:
        sizes.append(size)
        if len(sizes) <= 3:
            raise ConflictError
        return original(transaction, table, maintainer, size)

    monkeypatch.setattr(building, "_build_batch", collide)
    db = open_db(items, tables=[Indexed])
    assert sizes[:5] == [1000, 500, 250, 125, 250]
    assert db.verify().is_sound


def test_a_value_without_place_in_the_index_is_named(items: MemoryStore) -> None:
    """A stored value whose key would be too long fails the build and names the column."""
    open_db(items, tables=[Plain]).update(Plain, 7, name="x" * 2000)
    with pytest.raises(ValueError, match=r"Item\.name.*1024"):
        open_db(items, tables=[Indexed])
