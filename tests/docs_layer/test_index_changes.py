"""Indexes of a live table: created and dropped beside writers, resumed, refused, and mended."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from docs_layer import (
    Col,
    ConflictError,
    Database,
    IndexInfo,
    Key,
    MemoryStore,
    NoSuchIndex,
    NotUniqueError,
    SchemaError,
    Table,
    TransactionError,
    UniqueViolation,
    ValidationError,
    auto,
    col,
    open_db,
)
from docs_layer.keyspace import index_range, row_range
from docs_layer.store import Store
from tests.docs_layer.samples import Author, Book


class Item(Table):
    """A table whose class declares no index."""

    id: Key[int] = auto()
    name: Col[str]
    tags: Col[list[str]] = col(default_factory=list)


@pytest.fixture
def db(store: Store) -> Iterator[Database]:
    """Give 2,500 rows, more than two batches; whatever a test did, they must be sound in the end."""
    with open_db(store, tables=[Item]) as opened:
        opened.insert_many([Item(name=f"{n % 2000:04}", tags=[str(n % 7), "all"]) for n in range(2500)])
        yield opened
        assert str(opened.verify()).endswith("sound")


def _entries(db: Database, number: int) -> int:
    with db.store.snapshot() as snapshot:
        return sum(len(chunk.keys) for chunk in snapshot.scan(*index_range(1, number), values=False))


def test_create_and_drop(db: Database) -> None:
    """An index is filled, answers queries, and goes without a trace; its number is not used again."""
    seen: list[tuple[int, int]] = []
    name = db.create_index(Item, "-name", progress=lambda done, rows: seen.append((done, rows)))
    assert name == "Item_name"
    assert db.indexes(Item) == [IndexInfo("Item", name, ("-name",), False, None, (), "ready")]
    assert [done for done, _ in seen] == [1000, 2000, 2500]
    assert all(rows >= done for done, rows in seen)
    assert _entries(db, 1) == 2500
    assert db.query(Item).where(Item.name == "0005").explain().path.startswith("index Item_name")
    assert db.create_index(Item, "-name") == name
    db.drop_index(Item, name)
    assert (db.indexes(Item), _entries(db, 1)) == ([], 0)
    db.create_index(Item, "tags[]")
    assert _entries(db, 2) == 5000
    db.insert(Item(name="x", tags=["new"]))
    assert _entries(db, 2) == 5001


def test_other_handles_follow_at_once(db: Database) -> None:
    """A handle that was open before maintains the new index, and stops maintaining a dropped one."""
    other = open_db(db.store, tables=[Item])
    name = db.create_index(Item, "name", where=Item.name >= "0100")
    added = other.insert(Item(name="other"))
    assert _entries(db, 1) == 2301
    other.delete(Item, added.id)
    assert [one.where for one in other.indexes(Item)] == ["name >= '0100'"]
    db.drop_index(Item, name)
    other.insert(Item(name="later"))
    assert _entries(db, 1) == 0


def test_a_transaction_that_knows_the_old_indexes_cannot_commit(db: Database) -> None:
    """It would write a row that the new index lacks."""
    with pytest.raises(ConflictError), db.transaction() as transaction:
        transaction.insert(Item(name="old"))
        thread = threading.Thread(target=lambda: db.create_index(Item, "name"))
        thread.start()
        thread.join()
    assert db.query(Item).where(Item.name == "old").count() == 0


def test_duplicates_are_listed(db: Database) -> None:
    """An index that cannot be unique is gone again, and names the rows; writers may go on as before."""
    with pytest.raises(NotUniqueError, match=r"\(name\) cannot be unique: .*1 and 2001, 2 and 2002.*\.\.\.") as caught:
        db.create_index(Item, "name", unique=True)
    assert len(caught.value.duplicates) == 100
    assert caught.value.duplicates[0] == (1, 2001)
    assert (caught.value.table, caught.value.field) == ("Item", "Item_name")
    assert (db.indexes(Item), _entries(db, 1)) == ([], 0)
    db.insert(Item(name="0001"))
    db.query(Item).where(Item.id > 2000).delete()
    db.create_index(Item, "name", unique=True)
    with pytest.raises(UniqueViolation):
        db.insert(Item(name="0001"))


class _StopError(Exception):
    """What interrupts a build."""


def test_an_interrupted_build_goes_on(db: Database) -> None:
    """What raises in the middle leaves the index building, and maintained; a later call, or opening, goes on."""

    def stop(done: int, _: int) -> None:
        raise _StopError(done)

    with pytest.raises(_StopError, match="1000"):
        db.create_index(Item, "name", progress=stop)
    assert [one.state for one in db.indexes(Item)] == ["building"]
    assert "full scan" in db.query(Item).where(Item.name == "x").explain().path
    db.update(Item, 1, name="built already")
    db.update(Item, 2400, name="not built yet")
    db.delete(Item, 2)
    db.delete(Item, 2401)
    late = db.insert(Item(name="late")).id
    seen: list[int] = []
    db.create_index(Item, "name", progress=lambda done, _: seen.append(done))
    assert seen == [1000, 1500]
    assert db.query(Item).where(Item.name == "late").one().id == late
    assert _entries(db, 1) == 2499
    with pytest.raises(_StopError):
        db.create_index(Item, "tags[]", progress=stop)
    again = open_db(db.store, tables=[Item])
    assert [one.state for one in again.indexes(Item)] == ["ready", "ready"]


def test_wrong_calls_change_nothing(db: Database) -> None:
    """Names that clash or are not there, terms that cannot be, and a call beside an open transaction."""
    db.create_index(Item, "name", name="taken")
    wrong: list[tuple[type[Exception], str, Any]] = [
        (SchemaError, "another index has this name", lambda: db.create_index(Item, "-name", name="taken")),
        (SchemaError, "another index has this name", lambda: db.create_index(Item, "name", name="taken", unique=True)),
        (SchemaError, "no such field; did you mean 'name'", lambda: db.create_index(Item, "nam")),
        (SchemaError, "no order", lambda: db.create_index(Item, "tags")),
        (NoSuchIndex, "did you mean 'taken'", lambda: db.drop_index(Item, "take")),
    ]
    for kind, problem, call in wrong:
        with pytest.raises(kind, match=problem):
            call()
    with db.transaction():
        for call in (lambda: db.create_index(Item, "name"), lambda: db.drop_index(Item, "taken"), db.repair_indexes):
            with pytest.raises(TransactionError):
                call()
    assert [one.name for one in db.indexes(Item)] == ["taken"]


def test_a_value_that_is_too_long_is_named_and_can_be_mended(db: Database) -> None:
    """The build stops at the row; when the row is shorter, the same call goes on."""
    db.update(Item, 1500, name="x" * 1100)
    with pytest.raises(ValidationError, match=r"Item\.name.*1024"):
        db.create_index(Item, "name")
    assert [one.state for one in db.indexes(Item)] == ["building"]
    db.update(Item, 1500, name="short")
    db.create_index(Item, "name")
    assert [one.state for one in db.indexes(Item)] == ["ready"]


def test_the_index_of_a_reference_stays() -> None:
    """Deleting a parent looks for children there."""
    db = open_db(MemoryStore(), tables=[Author, Book])
    with pytest.raises(SchemaError, match="the reference author_id needs it"):
        db.drop_index(Book, "Book_author_id_year")
    db.create_index(Book, "author_id", name="another")
    db.drop_index(Book, "Book_author_id_year")
    with pytest.raises(SchemaError, match="the reference author_id needs it"):
        db.drop_index(Book, "another")


def test_building_does_not_conflict_with_rows_that_come_behind(db: Database) -> None:
    """Writers that append rows while a batch is built neither wait nor make the builder begin anew."""
    conflicts: list[int] = []

    def write(done: int, _: int) -> None:
        thread = threading.Thread(target=lambda: db.insert(Item(name=f"during {done}")))
        thread.start()
        thread.join()
        conflicts.append(done)

    db.create_index(Item, "name", progress=write)
    assert conflicts == [1000, 2000, 2502]
    assert _entries(db, 1) == 2503


@pytest.mark.parametrize("unique", [False, True])
def test_damage_is_mended_in_both_directions(db: Database, unique: bool) -> None:
    """Entries that are gone, made up, or say something else, and rows that went without their entries."""
    db.query(Item).where(Item.id > 2000).delete()
    db.create_index(Item, "name", unique=unique)
    db.create_index(Item, "tags[]", where=Item.name > "0100", include=["name"])
    transaction = db.store.transaction()
    for number in (1, 2):
        keys = [key for chunk in transaction.scan(*index_range(1, number)) for key in chunk.keys]
        for key in keys[10:20]:
            transaction.delete(key)
        transaction.put(keys[30], b"wrong")
        transaction.put(keys[40][:-3], b"")
    rows = [key for chunk in transaction.scan(*row_range(1), limit=5) for key in chunk.keys]
    transaction.delete(rows[4])
    transaction.commit()
    assert len(db.verify().damage) > 20
    report = db.repair_indexes()
    assert not report.left
    assert report.added >= 22
    assert report.removed >= 4
    assert db.verify().is_sound
    again = db.repair_indexes()
    assert (again.added, again.removed, str(again)) == (0, 0, "0 entries added, 0 removed, 0 places left damaged")


def test_what_cannot_be_mended_is_reported() -> None:
    """Rows that cannot be read, and rows that share a unique value."""
    store = MemoryStore()
    db = open_db(store, tables=[Item])
    db.insert_many([Item(name=f"{n}") for n in range(5)])
    db.create_index(Item, "name", unique=True)
    transaction = store.transaction()
    rows = [(key, value) for chunk in transaction.scan(*row_range(1)) for key, value in zip(*chunk, strict=True)]
    transaction.put(rows[1][0], b"\x01\xc1")
    transaction.put(rows[2][0], rows[2][1].replace(b"\xa12", b"\xa13"))
    transaction.commit()
    report = db.repair_indexes()
    assert sorted(one.key or b"" for one in report.left) == [rows[place][0] for place in (1, 2, 3)]
    assert not db.verify().is_sound
