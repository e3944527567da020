"""Opening with changed classes: what is applied, what is refused, and what old programs still see."""

from typing import Any

import pytest

from docs_layer import (
    Col,
    Key,
    MemoryStore,
    NoSuchTable,
    Ref,
    SchemaError,
    Table,
    UniqueViolation,
    auto,
    col,
    index,
    open_db,
    ref,
    table_from_catalog,
)
from docs_layer.catalog import load_catalog
from tests.docs_layer.samples import Author, Book


class First(Table):
    """The class as the first program has it."""

    __table_name__ = "Item"
    id: Key[int] = auto()
    name: Col[str]
    size: Col[int]


class Second(Table):
    """The class as a later program has it: two columns and two indexes more, one column may be null now."""

    __table_name__ = "Item"
    id: Key[int] = auto()
    color: Col[str] = col(default="grey")
    name: Col[str] = col(unique=True)
    size: Col[int | None] = col(default=None)
    parts: Col[list[str]] = col(default_factory=lambda: ["whole"])
    __indexes__ = [index("color", "-size")]


@pytest.fixture
def items() -> MemoryStore:
    """Give a store with rows of the first program."""
    store = MemoryStore()
    open_db(store, tables=[First]).insert_many([First(name=f"item {place}", size=place) for place in range(5)])
    return store


@pytest.mark.parametrize("default", ["five", None, [5]])
def test_defaults_are_values_of_their_column(items: MemoryStore, default: Any) -> None:
    """Another default would make rows that lack the column unreadable, so no table gets it."""

    class Third(Table):
        __table_name__ = "Item"
        id: Key[int] = auto()
        name: Col[str]
        size: Col[int]
        count: Col[int] = col(default_factory=lambda: default)

    for store in (items, MemoryStore()):
        with pytest.raises(SchemaError, match="default") as caught:
            open_db(store, tables=[Third])
        assert (caught.value.table, caught.value.field) == ("Item", "count")


def test_added_columns_and_indexes_are_applied(items: MemoryStore) -> None:
    """Old rows get defaults when they are read, and are found through new indexes at once."""
    db = open_db(items, tables=[Second])
    assert db.one(Second, 1) == Second(id=1, name="item 0", size=0, color="grey", parts=["whole"])
    by_color = db.query(Second).where(Second.color == "grey").order_by(-Second.size)
    assert "index Item_color_size" in by_color.explain().path
    assert [row.size for row in by_color] == [4, 3, 2, 1, 0]
    with pytest.raises(UniqueViolation):
        db.insert(Second(name="item 3"))
    assert db.insert(Second(name="new")).id > 5
    assert db.verify().is_sound


def test_a_column_that_a_program_does_not_know_survives(items: MemoryStore) -> None:
    """An older program updates and inserts; unknown columns and their indexes stay right."""
    new = open_db(items, tables=[Second])
    new.update(Second, 1, color="red", parts=["a", "b"])

    class Older(Table):
        __table_name__ = "Item"
        id: Key[int] = auto()
        name: Col[str]
        size: Col[int | None]

    old = open_db(items, tables=[Older])
    assert old.update(Older, 1, name="renamed") == Older(id=1, name="renamed", size=0)
    assert new.one(Second, 1) == Second(id=1, name="renamed", size=0, color="red", parts=["a", "b"])
    assert old.upsert(Older(id=1, name="again", size=7)).size == 7
    assert new.one(Second, 1).color == "red"
    added = old.insert(Older(name="old program's", size=1))
    assert new.one(Second, added.id) == Second(id=added.id, name="old program's", size=1, color="grey", parts=["whole"])
    assert old.delete(Older, 2)
    assert new.verify().is_sound
    with pytest.raises(UniqueViolation):
        old.insert(Older(name="again", size=1))


def test_a_handle_notices_a_change_made_by_another(items: MemoryStore) -> None:
    """A handle that was open before an index was added maintains it, because the epoch moved."""

    class Indexed(Table):
        __table_name__ = "Item"
        id: Key[int] = auto()
        name: Col[str]
        size: Col[int]
        __indexes__ = [index("size")]

    before = open_db(items, tables=[First])
    after = open_db(items, tables=[Indexed])
    added = before.insert(First(name="late", size=99))
    found = after.query(Indexed).where(Indexed.size == 99)
    assert "index" in found.explain().path
    assert found.one().id == added.id
    assert after.verify().is_sound


def test_a_snapshot_keeps_its_schema(items: MemoryStore) -> None:
    """A snapshot from before a change reads with the catalog of its moment."""
    old = open_db(items, tables=[First])
    with old.snapshot() as snapshot:
        open_db(items, tables=[Second])
        assert snapshot.query(First).where(First.name == "item 3").one().size == 3
        assert "full scan" in snapshot.query(First).where(First.name == "item 3").explain().path


def test_numbers_are_never_used_again(items: MemoryStore) -> None:
    """New tables, fields and indexes get numbers above all that were ever given."""
    open_db(items, tables=[Second])
    open_db(items, tables=[Author, Book])
    with items.snapshot() as snapshot:
        catalog = load_catalog(snapshot)
    assert [catalog.tables[name].number for name in ("Item", "Author", "Book")] == [1, 2, 3]
    item = catalog.tables["Item"]
    assert {field.name: field.number for field in item.fields} == {
        "id": 1,
        "name": 2,
        "size": 3,
        "color": 4,
        "parts": 5,
    }
    assert (item.next_field, item.next_index, catalog.header.next_table) == (6, 3, 4)
    assert [layout.fields for layout in catalog.layouts[1]] == [(1, 2, 3), (1, 4, 2, 3, 5)]


def test_opening_again_changes_nothing(items: MemoryStore) -> None:
    """The same classes, in whatever order of columns, write no new catalog."""
    open_db(items, tables=[Second])
    epoch = items.snapshot().epoch

    class Shuffled(Table):
        __table_name__ = "Item"
        parts: Col[list[str]] = col(default_factory=list)
        size: Col[int | None] = col(default=None)
        name: Col[str] = col(unique=True)
        color: Col[str] = col(default="blue")
        id: Key[int] = auto()

    db = open_db(items, tables=[Shuffled])
    assert items.snapshot().epoch == epoch
    assert db.one(Shuffled, 2) == Shuffled(id=2, name="item 1", size=1, color="grey", parts=["whole"])
    assert db.insert(Shuffled(name="x")).color == "blue"


def _changed(annotations: dict[str, Any], **members: Any) -> type[Table]:
    from types import new_class  # noqa: PLC0415 - only used here

    members |= {"__annotations__": annotations, "__table_name__": "Item"}
    return new_class("Item", (Table,), exec_body=lambda body: body.update(members))


@pytest.mark.parametrize(
    ("annotations", "members", "field"),
    [
        ({"id": Key[int], "name": Col[int], "size": Col[int]}, {}, "name"),
        ({"id": Key[int], "name": Key[str], "size": Col[int]}, {}, None),
        ({"name": Key[str], "id": Col[int], "size": Col[int]}, {}, None),
        ({"id": Key[int], "size": Col[int]}, {}, "name"),
        ({"id": Key[int], "name": Col[str], "size": Col[int], "more": Col[int]}, {}, "more"),
        ({"id": Key[int], "name": Col[str], "size": Ref[Author]}, {"size": ref()}, "size"),
        (
            {"id": Key[int], "name": Col[str], "size": Col[int], "author": Ref[Author]},
            {"author": ref(default=1)},
            "author",
        ),
    ],
)
def test_incompatible_classes_are_refused(
    items: MemoryStore, annotations: dict[str, Any], members: dict[str, Any], field: str | None
) -> None:
    """The error names table and field, and nothing was written."""
    epoch = items.snapshot().epoch
    with pytest.raises(SchemaError) as caught:
        open_db(items, tables=[_changed(annotations, **members), Author, Book])
    assert (caught.value.table, caught.value.field) == ("Item", field)
    assert items.snapshot().epoch == epoch
    assert open_db(items, tables=[First]).query(First).count() == 5


def test_null_is_not_taken_back(items: MemoryStore) -> None:
    """A column that may hold null cannot lose it; an index cannot change under its name."""
    open_db(items, tables=[Second])
    with pytest.raises(SchemaError, match="null") as caught:
        open_db(items, tables=[First])
    assert caught.value.field == "size"
    same = {"id": Key[int], "name": Col[str], "size": Col[int | None]}
    with pytest.raises(SchemaError, match="other columns") as caught:
        open_db(items, tables=[_changed(same, __indexes__=[index("size", name="Item_name")])])
    assert caught.value.field == "Item_name"


def test_references_need_their_table_and_its_kind() -> None:
    """The other table must be declared or stored, with one key column of the same kind."""

    class Wrong(Table):
        id: Key[int] = auto()
        author: Ref[Author, str] = ref()

    class Alone(Table):
        id: Key[int] = auto()
        author: Ref[Author] = ref()

    with pytest.raises(SchemaError, match="kind str") as caught:
        open_db(MemoryStore(), tables=[Wrong, Author, Book])
    assert caught.value.field == "author"
    store = MemoryStore()
    with pytest.raises(NoSuchTable, match="Author"):
        open_db(store, tables=[Alone])
    open_db(store, tables=[Author, Book])
    assert open_db(store, tables=[Alone]).table_names() == ["Alone", "Author", "Book"]


def test_tables_from_the_catalog(items: MemoryStore) -> None:
    """A program without classes reads, writes and queries a stored table; declared classes are found by name."""
    open_db(items, tables=[Second])
    db = open_db(items)
    table: Any = table_from_catalog(db, "Item")
    assert [table] == [table_from_catalog(db, "Item")]
    assert db.one(table, 1) == table(id=1, color="grey", name="item 0", size=0, parts=["whole"])
    row = db.insert(table(name="dynamic"))
    assert (row.color, row.parts, row.size) == ("grey", ["whole"], None)
    assert db.query(table).where(table.name == "dynamic").one() == row
    assert db.verify().is_sound
    with pytest.raises(NoSuchTable) as caught:
        table_from_catalog(db, "Itm")
    assert caught.value.nearest == "Item"
    declared = open_db(items, tables=[Second])
    assert table_from_catalog(declared, "Item") is Second


def test_two_classes_of_one_table_are_refused() -> None:
    """One program has one class for a table."""
    with pytest.raises(SchemaError, match="two classes"):
        open_db(MemoryStore(), tables=[First, Second])


@pytest.mark.parametrize("table", ["Item", 5, dict])
def test_only_table_classes_are_tables(table: Any) -> None:
    """A name or another class is refused when the database is opened."""
    with pytest.raises(SchemaError, match="no table class"):
        open_db(MemoryStore(), tables=[table])
