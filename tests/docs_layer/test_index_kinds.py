"""Indexes of every kind hold what they say: multi-valued, partial, computed, covering, descending."""

import random
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest

from docs_layer import (
    Col,
    Database,
    Key,
    MemoryStore,
    NoSuchField,
    SchemaError,
    Table,
    UniqueViolation,
    ValidationError,
    any_,
    auto,
    col,
    has,
    index,
    length,
    lower,
    open_db,
)
from docs_layer.bound_tables import BoundTable
from docs_layer.catalog import load_catalog
from docs_layer.keyspace import index_range
from docs_layer.store import Store


class Place(msgspec.Struct):
    """A nested value with a type that msgpack has not."""

    city: str
    zip: int | None = None
    since: date | None = None
    token: UUID | None = None


class Item(Table):
    """An index of each kind."""

    id: Key[int] = auto()
    name: Col[str]
    year: Col[int | None] = col(default=None)
    tags: Col[list[str]] = col(default_factory=list)
    prices: Col[list[Decimal]] = col(default_factory=list)
    place: Col[Place | None] = col(default=None)
    data: Col[dict[str, Any]] = col(default_factory=dict)
    deleted: Col[bool] = col(default=False)
    serials: Col[list[int]] = col(default_factory=list)
    note: Col[str] = col(default="")
    __indexes__ = [
        index("tags[]"),
        index("-tags[]", "year", name="tags_down"),
        index("prices[]"),
        index("year", where=lambda item: ~item.deleted.in_([True]), name="live"),
        index("name", unique=True, where=lambda item: (item.deleted == False) & has(item.tags, "x"), name="names"),  # noqa: E712 - it is an expression
        index("lower(name)"),
        index("-length(name)", "-lower(name)"),
        index("place.city", "-place.since"),
        index("place.token"),
        index("data.user.age", "data['odd key']"),
        index("data.list[]", "-data.n"),
        index("data.list[].x", name="inner"),
        index("serials[]", unique=True),
        index("year", "name", include=["deleted", "note"], name="covering"),
        index("note", "name", unique=True, include=["year"], name="unique_covering"),
    ]


@pytest.fixture
def db(store: Store) -> Iterator[Database]:
    """Give an empty table; whatever a test did, it must be sound in the end."""
    with open_db(store, tables=[Item]) as opened:
        yield opened
        assert str(opened.verify()).endswith("sound")


def _random_item(number: int, chance: random.Random) -> dict[str, Any]:
    words = ["a", "b\0", "B\0\0", "x", "ab", ""]
    return {
        "name": f"{chance.choice(words)}{number}",
        "year": chance.choice([None, 0, -5, 2020]),
        "tags": chance.choices(words, k=chance.randrange(4)),
        "prices": chance.choices([Decimal("1.0"), Decimal("1.00"), Decimal("-2.5")], k=chance.randrange(3)),
        "place": chance.choice(
            [None, Place("Wien"), Place("Wien\0", 5, date(2024, 1, 1)), Place("", None, None, UUID(int=7))]
        ),
        "data": chance.choice(
            [
                {},
                {
                    "user": {"age": chance.choice([None, 5, 5.0, "five", [1], {"a": 1}])},
                    "odd key": chance.choice(words),
                },
                {"list": chance.choices([1, "a", None, {"x": 5}, {"x": "y"}, [2]], k=3), "n": chance.choice(words)},
                {"list": "no list", "user": 5},
                {"list": [], "when": datetime(2024, 1, 1)},  # noqa: DTZ001 - stored as text
            ]
        ),
        "deleted": chance.choice([True, False]),
        "serials": [number * 10 + place for place in range(chance.randrange(3))],
        "note": str(number),
    }


@pytest.mark.parametrize("seed", range(3))
def test_entries_follow_rows_whatever_is_written(db: Database, seed: int) -> None:
    """After random writes every index says what its rows say, for a program that does not know the class as well."""
    chance = random.Random(seed)
    for number in range(120):
        ids = [item.id for item in db.query(Item)]
        match chance.randrange(4):
            case 0 | 1:
                db.insert(Item(**_random_item(number, chance)))
            case 2 if ids:
                changes = _random_item(number, chance)
                names = chance.sample(sorted(changes), k=chance.randrange(1, 5))
                db.update(Item, chance.choice(ids), **{name: changes[name] for name in names})
            case 3 if ids:
                db.delete(Item, chance.choice(ids))
    report = db.verify()
    assert report.is_sound, str(report)
    assert report.entries > 0
    with db.store.snapshot() as snapshot:
        assert _all_entries(db, snapshot) == {
            entry
            for item in db.query(Item)
            for index in db.table(Item).indexes
            for entry in index.entries(item, db.table(Item).primary_of_row(item))
        }


def _all_entries(db: Database, snapshot: Any) -> set[tuple[bytes, bytes]]:
    table = db.table(Item)
    return {
        entry
        for one in table.indexes
        for chunk in snapshot.scan(*index_range(table.entry.number, one.path.number))
        for entry in zip(chunk.keys, chunk.values, strict=True)
    }


def _entry_count(db: Database, name: str) -> int:
    table = db.table(Item)
    number = next(one.path.number for one in table.indexes if one.path.name == name)
    with db.store.snapshot() as snapshot:
        return sum(len(chunk.keys) for chunk in snapshot.scan(*index_range(table.entry.number, number), values=False))


def test_a_multi_valued_index_has_an_entry_for_each_distinct_element(db: Database) -> None:
    """Equal elements share one, an empty list has none."""
    db.insert_many([Item(name="a", tags=["x", "y", "x"], note="1"), Item(name="b", note="2")])
    assert _entry_count(db, "Item_tags") == 2
    db.update(Item, 1, tags=["y", "z", "y"])
    assert _entry_count(db, "Item_tags") == 2


def test_unique_elements_belong_to_one_row(db: Database) -> None:
    """A second row with one of the elements is refused; the same row may say it twice."""
    db.insert(Item(name="a", serials=[1, 2, 1], note="1"))
    with pytest.raises(UniqueViolation, match=r"serials\[\]=\[2, 3\]") as caught:
        db.insert(Item(name="b", serials=[2, 3], note="2"))
    assert caught.value.existing == 1
    other = db.insert(Item(name="b", serials=[3], note="2")).id
    with pytest.raises(UniqueViolation):
        db.update(Item, other, serials=[1, 3])
    db.update(Item, 1, serials=[])
    assert db.update(Item, other, serials=[1, 3]).serials == [1, 3]


def test_a_partial_index_leaves_rows_out(db: Database) -> None:
    """Only rows that satisfy the condition have entries, and only they are unique."""
    db.insert_many([Item(name="same", note=str(n), deleted=n % 2 == 0, year=n) for n in range(4)])
    assert _entry_count(db, "live") == 2
    db.update(Item, 1, deleted=False)
    assert _entry_count(db, "live") == 3
    db.update(Item, 2, tags=["x"])
    with pytest.raises(UniqueViolation, match="names"):
        db.update(Item, 4, tags=["x", "y"])
    db.update(Item, 2, deleted=True)
    db.update(Item, 4, tags=["x", "y"])
    with pytest.raises(UniqueViolation, match="names"):
        db.update(Item, 2, deleted=False)


def test_unique_with_included_columns(db: Database) -> None:
    """The entry holds the primary key and the columns; uniqueness is that of the terms."""
    db.insert(Item(name="a", note="n", year=5))
    with pytest.raises(UniqueViolation) as caught:
        db.insert(Item(name="a", note="n", year=6))
    assert caught.value.existing == 1
    assert db.update(Item, 1, year=7).year == 7


def test_keys_that_are_too_long_name_the_column(db: Database) -> None:
    """Also inside of lists and for computed values."""
    with pytest.raises(ValidationError, match=r"Item\.tags.*1024"):
        db.insert(Item(name="a", tags=["x" * 2000]))
    with pytest.raises(ValidationError, match=r"Item\.data.*1024"):
        db.insert(Item(name="a", data={"user": {"age": "x" * 2000}}))
    assert db.query(Item).count() == 0


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (index("titel"), "no such field"),
        (index("name[]"), "has no elements"),
        (index("name.x"), "lies in"),
        (index("tags"), "no order"),
        (index("lower(year)"), "no meaning"),
        (index("tags[]", "prices[]"), "only one term"),
        (index("data.a[].b[]"), "a list in a list"),
        (index("place.street"), "no such field"),
        (index("name)"), "no value of a row"),
        (index("place.city..x"), "no value of a row"),
        (index(""), "no value of a row"),
        (index("year", include=["titel"]), "no such field"),
        (index("year", where="deleted"), "where="),
        (index("year", where=lambda item: item.year > item.id), "constants only"),
        (index(5), "over columns"),
    ],
)
def test_indexes_that_cannot_be(wrong: Any, problem: str) -> None:
    """Each mistake is named when the database is opened."""

    class Wrong(Table):
        __table_name__ = "Wrong"
        id: Key[int] = auto()
        name: Col[str]
        year: Col[int]
        tags: Col[list[str]]
        prices: Col[list[Decimal]]
        place: Col[Place]
        data: Col[dict[str, Any]]
        __indexes__ = [wrong]

    with pytest.raises((SchemaError, NoSuchField, ValueError, Exception), match=problem) as caught:
        open_db(MemoryStore(), tables=[Wrong])
    assert type(caught.value).__module__ == "docs_layer.errors"


def test_terms_may_be_written_as_values() -> None:
    """Text and values give the same index."""

    class Same(Table):
        id: Key[int] = auto()
        name: Col[str]
        tags: Col[list[str]]
        place: Col[Place]

    db = open_db(MemoryStore(), tables=[Same])
    pairs: list[tuple[Any, Any]] = [
        ("name", Same.name),
        ("-name", -Same.name),
        ("tags[]", any_(Same.tags)),
        ("place.city", Same.place["city"]),
        ("-lower(place.city)", -lower(Same.place["city"])),
        ("length(tags)", length(Same.tags)),
        ("tags[0]", Same.tags[0]),
    ]
    for number, (text, value) in enumerate(pairs):
        assert db.create_index(Same, text, name=f"i{number}") == db.create_index(Same, value, name=f"i{number}")
    assert [one.terms for one in db.indexes(Same)] == [(text,) for text, _ in pairs]


class _Calls:
    """A store's transaction that counts the calls that write, and reads of index entries."""

    def __init__(self, transaction: Any, calls: list[str]) -> None:
        self._transaction = transaction
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        if name in {"put", "delete", "insert", "get", "exists", "scan", "multi_get"}:
            self._calls.append(name)
        return getattr(self._transaction, name)


class _CountingStore(MemoryStore):
    """A store whose transactions tell what is called."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def transaction(self) -> Any:
        """See `docs_layer.store.Store.transaction`."""
        return _Calls(super().transaction(), self.calls)


def test_an_update_that_touches_no_indexed_column_costs_no_index_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """One read and one put, however many indexes there are; no entry is even made."""

    class Wide(Table):
        id: Key[int] = auto()
        name: Col[str] = col(unique=True)
        tags: Col[list[str]] = col(default_factory=list)
        free: Col[int] = col(default=0)
        __indexes__ = [
            index("tags[]"),
            index("lower(name)"),
            index("name", where=lambda row: row.name != "x", name="p"),
        ]

    store = _CountingStore()
    db = open_db(store, tables=[Wide])
    db.insert(Wide(name="a", tags=["x"]))
    store.calls.clear()
    db.update(Wide, 1, name="b")
    assert store.calls.count("delete") == store.calls.count("put") - 1 + store.calls.count("insert") == 3
    store.calls.clear()
    for one in db.table(Wide).indexes:
        monkeypatch.setattr(type(one), "entries", None)
    db.update(Wide, 1, free=5)
    assert store.calls == ["get", "put"]
    store.calls.clear()
    db.query(Wide).update(free=6)
    assert store.calls == ["scan", "get", "put"]


def test_golden_entries_of_each_kind(db: Database) -> None:
    """The bytes behind the prefix, today and in every later version."""
    given = Item(
        id=5,
        name="Ab",
        year=1,
        tags=["x"],
        prices=[Decimal(1)],
        place=Place("W", since=date(2024, 1, 1)),
        data={"user": {"age": 1.5}},
        note="n",
    )
    item = db.insert(given)
    table = db.table(Item)
    primary = table.primary_of_row(item)
    key = "208000000000000005"
    found = {
        one.path.name: [(entry.hex()[4:], value.hex()) for entry, value in one.entries(item, primary)]
        for one in table.indexes
    }
    assert found["Item_tags"] == [("307800" + key, "")]
    assert found["tags_down"] == [("cf87ff" + "208000000000000001" + key, "")]
    assert found["live"] == [("208000000000000001" + key, "")]
    assert found["names"] == [("30416200", key)]
    assert found["Item_lower_name"] == [("30616200" + key, "")]
    assert found["Item_length_name_lower_name"] == [("df7ffffffffffffffd" + "cf9e9dff" + key, "")]
    assert found["Item_place_city_place_since"] == [("305700" + "b7fff4b9b9" + key, "")]
    assert found["Item_place_token"] == [("10" + key, "")]
    assert found["Item_data_list_data_n"] == []
    assert found["covering"] == [("208000000000000001" + "30416200" + key, "0000" + "92c2a16e")]
    assert found["unique_covering"] == [("306e00" + "30416200", "0009" + key + "9101")]


def test_the_stored_form_of_each_kind(db: Database) -> None:
    """What the catalog keeps of an index, today and in every later version."""
    with db.store.snapshot() as snapshot:
        indexes = load_catalog(snapshot).tables["Item"].indexes
        stored = {one.name: msgspec.msgpack.decode(msgspec.msgpack.encode(one)) for one in indexes}
    assert stored["tags_down"]["terms"] == [{"field": 4, "descending": True, "steps": [["each", ""]]}, {"field": 3}]
    assert stored["Item_prices"]["terms"] == [{"field": 5, "steps": [["each", ""]], "converts": "decimal"}]
    assert stored["Item_place_token"]["terms"] == [{"field": 6, "steps": [["item", "token"]], "converts": "uuid"}]
    assert stored["Item_lower_name"]["terms"] == [{"field": 2, "steps": [["call", "lower"]]}]
    assert stored["covering"]["include"] == [8, 10]
    where = next(one.where for one in indexes if one.name == "live")
    assert where is not None
    assert msgspec.msgpack.decode(where) == ["not", ["in", ["column", 8], [True]]]


def test_a_bound_table_of_the_catalog_makes_the_same_entries(db: Database) -> None:
    """A program without the class sees nested dates and UUIDs as text and bytes, and indexes them alike."""
    item = db.insert(Item(name="a", place=Place("W", 1, date(2024, 5, 5), UUID(int=9)), prices=[Decimal("1.5")]))
    table = db.table(Item)
    with db.store.snapshot() as snapshot:
        stored = snapshot.get(table.row_prefix + table.primary_of_row(item))
    assert stored is not None
    foreign: BoundTable = db._cache.newest.table_named("Item")
    row = foreign.codec.decode(stored)
    for mine, theirs in zip(table.indexes, foreign.indexes, strict=True):
        primary = table.primary_of_row(item)
        assert mine.entries(item, primary) == theirs.entries(row, primary)
