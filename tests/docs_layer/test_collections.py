"""Collections: dicts without a schema and models, the verbs, paths, indexes over paths, and what is refused."""

import dataclasses
import math
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pydantic
import pytest

from docs_layer import (
    Collection,
    ConflictError,
    CorruptionError,
    Database,
    MemoryStore,
    NotFoundError,
    QueryError,
    SchemaError,
    TransactionError,
    UniqueViolation,
    ValidationError,
    any_,
    asdict,
    exists,
    f,
    has,
    increment,
    length,
    lower,
    open_db,
    push,
    remove,
    set_,
    starts_with,
    table_from_catalog,
    unset,
)
from docs_layer.store import Store
from tests.docs_layer.samples import Author

PEOPLE: list[dict[str, Any]] = [
    {"name": "Ann", "user": {"age": 30, "mail": "ann@x.at"}, "tags": ["a", "b"], "odd key": 1},
    {"name": "Bob", "user": {"age": 25.5}, "tags": []},
    {"name": "Cy", "user": {"age": "old"}, "tags": "none", "odd key": None},
    {"name": None, "user": None, "born": date(2001, 2, 3)},
    {"name": "Dy", "user": {"age": Decimal("25.5"), "tags": [{"x": 1}, {"x": 2}]}},
]

Documents = Collection[dict[str, Any]]


@pytest.fixture
def db(store: Store) -> Iterator[Database]:
    """Give an empty database; whatever a test did, it must be sound in the end."""
    with open_db(store, tables=[Author]) as opened:
        yield opened
        assert str(opened.verify()).endswith("sound")


@pytest.fixture
def people(db: Database) -> Documents:
    """Give five documents of different shapes."""
    collection = db.collection("people")
    collection.insert_many(PEOPLE)
    return collection


def _names(query: Any) -> list[Any]:
    return [document["name"] for document in query]


def test_documents_come_back_as_they_went_in(db: Database) -> None:
    """Every type is kept, keys are given, and what the program gave stays as it was."""
    everything = {
        "": 1,
        "odd. key[]": True,
        "float": 1.0,
        "int": 2**63,
        "bytes": b"\0",
        "uuid": UUID(int=5),
        "decimal": Decimal("1.10"),
        "date": date(2024, 1, 1),
        "time": time(1, 2),
        "span": timedelta(microseconds=-1),
        "moment": datetime(2024, 1, 1, tzinfo=UTC),
        "local": datetime(2024, 1, 1),  # noqa: DTZ001 - without a zone
        "nested": {"list": [1, [2, {"x": None}]], "document": {"id": 5}},
    }
    things = db.collection("things")
    before = repr(everything)
    inserted = things.insert(everything)
    assert repr(everything) == before
    assert inserted == {"id": 1, **everything}
    read = things.one(1)
    assert read == inserted
    assert [type(value) for value in read.values()] == [int, *(type(value) for value in everything.values())]
    assert str(read["decimal"]) == "1.10"
    read["nested"]["list"].append("mine")
    assert things.one(1) == inserted
    assert things.query().one() == inserted


def test_keys(db: Database) -> None:
    """Automatic ones, given ones, and those of another type and name."""
    numbers = db.collection("numbers")
    assert [numbers.insert({"id": 7, "x": 1})["id"], numbers.insert({"x": 2})["id"]] == [7, 8]
    with pytest.raises(UniqueViolation, match="id=7"):
        numbers.insert({"id": 7})
    with pytest.raises(ValidationError):
        numbers.insert({"id": "seven"})
    codes = db.collection("codes", key="code", key_type=str)
    assert codes.insert({"code": "at", "name": "Austria"}) == {"code": "at", "name": "Austria"}
    with pytest.raises(ValidationError, match="code"):
        codes.insert({"name": "nobody"})
    again = open_db(db.store).collection("codes", key="code")
    assert again.get("at") == {"code": "at", "name": "Austria"}
    assert again.get("de") is None
    with pytest.raises(SchemaError, match="primary key"):
        db.collection("codes")
    with pytest.raises(SchemaError, match="no collection"):
        db.collection("Author")
    for wrong in ("document", "_id", "a b", "class"):
        with pytest.raises(SchemaError, match="cannot be named"):
            db.collection("new", key=wrong)


def test_paths_in_conditions(people: Documents) -> None:
    """Nested names, odd ones, places, what is missing, and values of other types."""
    assert _names(people.query().where(f.user.age > 20)) == ["Ann", "Bob", "Dy"]
    assert _names(people.query().where(f.user.age == 25.5)) == ["Bob", "Dy"]
    assert _names(people.query().where(f["odd key"] == 1)) == ["Ann"]
    assert _names(people.query().where(exists(f["odd key"]))) == ["Ann", "Cy"]
    assert _names(people.query().where(f.user == None)) == [None]  # noqa: E711 - it is an expression
    assert _names(people.query().where(f.born < date(2020, 1, 1))) == [None]
    assert _names(people.query().where(f.user.tags[1].x == 2)) == ["Dy"]
    assert _names(people.query().where(any_(f.user.tags, f.x == 2) | has(f.tags, "a"))) == ["Ann", "Dy"]
    assert _names(people.query().where(starts_with(lower(f.name), "a") | (length(f.name) == 3))) == ["Ann", "Bob"]
    assert _names(people.query().where(f.id >= 4)) == [None, "Dy"]
    assert _names(people.query().order_by(-f.user.age, f.id)) == ["Cy", "Ann", "Bob", "Dy", None]
    assert people.query().where(f.id == 2).select(f.name, f.user.age).one() == ("Bob", 25.5)
    assert people.query().order_by(f.name).offset(1).limit(2).all()[0]["name"] == "Ann"
    page = people.query().order_by(f.name).page(2)
    assert page.next is None or len(page.rows) == 2


def test_indexes_over_paths(db: Database, people: Documents) -> None:
    """The same answers by scan and by index; uniqueness and conditions hold for documents, too."""
    conditions: list[Any] = [
        f.user.age > 20,
        f.user.age == 25.5,
        f.user.age == "old",
        f.user.age == None,  # noqa: E711 - it is an expression
        (f.user.age >= 1) & (f.name != "Ann"),
    ]
    before = [_names(people.query().where(condition).order_by(f.id)) for condition in conditions]
    name = db.create_index(people, f.user.age, -f.name)
    assert name == "people_user_age_name"
    assert [one.terms for one in db.indexes(people)] == [("user.age", "-name")]
    assert [_names(people.query().where(condition).order_by(f.id)) for condition in conditions] == before
    assert people.query().where(f.user.age == 30).explain().path.startswith("index people_user_age_name")
    db.create_index(people, "tags[]")
    db.create_index(people, "user.mail", unique=True, where=f.user.mail != None, name="mails")  # noqa: E711 - an expression
    with pytest.raises(UniqueViolation, match="ann@x"):
        people.insert({"user": {"mail": "ann@x.at"}})
    people.insert_many([{"user": {}}, {}])
    assert people.count() == 7
    db.drop_index(people, name)
    assert len(db.indexes(people)) == 2


def test_changing_documents(people: Documents) -> None:
    """Operators on paths, replacing, upserting and deleting."""
    people.update(
        1,
        increment(f.user.age),
        set_(f["odd key"], {"new": 1}),
        push(f.tags, "c"),
        unset(f.user.mail),
    )
    ann = people.update(1, remove(f.tags, "a"))
    assert ann == {"id": 1, "name": "Ann", "user": {"age": 31}, "tags": ["b", "c"], "odd key": {"new": 1}}
    assert people.one(1) == ann
    assert people.update(2, set_(f.a.b.c, Decimal("1.5")))["a"] == {"b": {"c": Decimal("1.5")}}
    assert people.update(2, set_(f.name, f.user.age))["name"] == 25.5
    assert people.query().where(f.user.age == "old").update(set_(f.user, {"age": 99})) == 1
    assert people.one(3)["user"] == {"age": 99}
    assert people.replace({"id": 3, "x": 1}) == {"id": 3, "x": 1}
    with pytest.raises(NotFoundError):
        people.replace({"id": 99})
    with pytest.raises(NotFoundError):
        people.replace({"x": 1})
    assert people.upsert({"id": 3, "y": 2}) == {"id": 3, "y": 2}
    assert people.upsert({"z": 3})["id"] == 6
    with pytest.raises(ValidationError, match="never changes"):
        people.update(1, set_(f.id, 5))
    with pytest.raises(NotFoundError):
        people.update(99, set_(f.x, 1))
    with pytest.raises(ValidationError, match="nothing can be put"):
        people.update(1, set_(f.name.x, 1))
    assert people.delete(1)
    assert not people.delete(1)
    assert people.query().where(f.id > 4).delete() == 2
    people.truncate()
    assert people.count() == 0


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ([1], "a document is a dict"),
        ("text", "a document is a dict"),
        ({1: 2}, "names in a document are text"),
        ({"a": {"b": {1, 2}}}, r"set cannot be stored at \.a\.b"),
        ({"a": [object()]}, r"object cannot be stored at \.a\[0\]"),
        ({"a": "\ud800"}, "surrogates"),
        ({"a": 2**70}, "ints"),
    ],
)
def test_what_is_no_document(people: Documents, wrong: Any, problem: str) -> None:
    """It is refused with its place, and nothing of the call is stored."""
    for call in (
        lambda: people.insert(wrong),
        lambda: people.insert_many([{"fine": 1}, wrong]),
        lambda: people.upsert(wrong),
        lambda: people.replace({"id": 1, **wrong} if isinstance(wrong, dict) and "a" in wrong else wrong),
    ):
        with pytest.raises(ValidationError, match=problem):
            call()
    if isinstance(wrong, dict) and "a" in wrong:
        with pytest.raises(ValidationError, match=r"people"):
            people.update(1, set_(f.new, wrong["a"]))
    assert people.count() == 5
    assert people.one(1) == {"id": 1, **PEOPLE[0]}


def test_transactions_and_snapshots(db: Database, people: Documents) -> None:
    """A collection is brought into them by `on`; a snapshot refuses to write."""
    with pytest.raises(KeyError), db.transaction() as transaction:
        mine = people.on(transaction)
        mine.insert({"name": "Ed"})
        assert mine.count() == 6
        assert people.count() == 5
        with pytest.raises(TransactionError, match="open transaction"):
            people.insert({"name": "beside"})
        raise KeyError
    with db.snapshot() as snapshot:
        old = people.on(snapshot)
        people.delete(1)
        assert old.one(1)["name"] == "Ann"
        for call in (lambda: old.insert({}), lambda: old.delete(1), lambda: old.query().delete()):
            with pytest.raises(TransactionError, match="read only"):
                call()
    with pytest.raises(ConflictError), db.transaction() as transaction:
        people.on(transaction).update(2, increment(f.user.age))
        db.collection("made meanwhile")
    assert people.one(2)["user"] == {"age": 25.5}


def test_f_has_no_meaning_for_tables(db: Database) -> None:
    """A table's values are its columns."""
    with pytest.raises(QueryError, match="f stands for"):
        db.query(Author).where(f.name == "Ann")
    with pytest.raises(QueryError):
        db.update(Author, 1, set_(f.name, "x"))


def test_a_program_that_does_not_know_the_collection(db: Database, people: Documents) -> None:
    """It sees a table of a key and a document, and can maintain it."""
    other = open_db(db.store)
    table = table_from_catalog(other, "people")
    assert asdict(other.one(table, 4)) == {"id": 4, "document": {key: PEOPLE[3][key] for key in PEOPLE[3]}}
    db.create_index(people, f.born, "-user.age")
    other.update(table, 4, document={"born": Decimal("1.0")})
    assert people.one(4) == {"id": 4, "born": Decimal("1.0")}
    assert other.delete(table, 5)
    assert open_db(db.store).collection("people").one(4)["born"] == Decimal("1.0")


class Home(msgspec.Struct):
    """A part of each model."""

    city: str
    since: date | None = None


class Struct(msgspec.Struct, rename="camel"):
    """A msgspec model whose fields have other names in documents."""

    full_name: str
    id: int | None = None
    home: Home | None = None
    amount: Decimal = Decimal(0)


@dataclasses.dataclass
class Data:
    """A dataclass."""

    full_name: str
    id: int | None = None
    home: Home | None = None
    amount: Decimal = Decimal(0)


class PydanticHome(pydantic.BaseModel):
    """A part of the pydantic model."""

    city: str
    since: date | None = None


class Pydantic(pydantic.BaseModel):
    """A pydantic model."""

    full_name: str
    id: int | None = None
    home: PydanticHome | None = None
    amount: Decimal = Decimal(0)


@pytest.mark.parametrize(("model", "home"), [(Struct, Home), (Data, Home), (Pydantic, PydanticHome)])
def test_models(db: Database, model: Any, home: Any) -> None:
    """Instances go in and come out; what does not fit is refused, also when it is read."""
    name = "fullName" if model is Struct else "full_name"
    collection = db.collection("models", model)
    given = model(full_name="Ann", home=home(city="Wien", since=date(2020, 1, 1)), amount=Decimal("1.10"))
    inserted = collection.insert(given)
    assert given.id is None
    assert inserted == model(
        id=1, full_name="Ann", home=home(city="Wien", since=date(2020, 1, 1)), amount=Decimal("1.10")
    )
    assert type(inserted) is model
    assert collection.one(1) == inserted
    assert collection.query().where(f.home.city == "Wien", f.home.since < date(2021, 1, 1)).one() == inserted
    assert collection.query().select(f.amount).all() == [Decimal("1.10")]
    assert collection.update(1, set_(f[name], "Anna")).full_name == "Anna"
    assert collection.upsert(model(id=1, full_name="Bob")).home is None
    with pytest.raises(ValidationError, match="is a "):
        collection.insert({"full_name": "dict"})
    with pytest.raises(ValidationError, match="does not fit"):
        collection.update(1, set_(f.home, {"city": 5}))
    assert collection.one(1).full_name == "Bob"
    db.collection("models").insert({"id": 2, "other": 1})
    with pytest.raises(ValidationError, match=f"does not fit {model.__name__}"):
        collection.get(2)


def test_models_that_cannot_be(db: Database) -> None:
    """Classes of other sorts, and models without the key."""

    class NoKey(msgspec.Struct):
        name: str

    with pytest.raises(SchemaError, match="no field 'id'"):
        db.collection("a", NoKey)
    with pytest.raises(SchemaError, match="one type"):

        class TwoTypes(msgspec.Struct):
            id: int | str

        db.collection("a", TwoTypes)
    with pytest.raises(SchemaError, match="model of a collection"):
        db.collection("a", list)
    assert db.collection("a", NoKey, key="name").insert(NoKey("x")) == NoKey("x")


def test_odd_documents(db: Database) -> None:
    """NaN, large values, deep nesting, and names that are those of columns."""
    odd = db.collection("odd names: ä / ")
    assert math.isnan(odd.insert({"x": math.nan})["x"])
    big = odd.insert({"text": "x" * 200_000, "id": 50, "document": {"document": 1}})
    assert odd.one(50) == big
    assert odd.query().where(length(f.text) == 200_000).one() == big
    assert odd.query().where(f.document.document == 1).one() == big
    assert odd.update(50, set_(f.small, 1))["small"] == 1
    deep: dict[str, Any] = {}
    for _ in range(100):
        deep = {"x": deep}
    assert odd.one(odd.insert(deep)["id"])["x"] == deep["x"]


def test_damage_is_named() -> None:
    """An unknown extension type in a document is corruption."""
    store = MemoryStore()
    things = open_db(store).collection("things")
    things.insert({"x": UUID(int=0)})
    transaction = store.transaction()
    ((key, value),) = [
        (key, value) for chunk in transaction.scan(b"\x01\x00", b"\x01\x01") for key, value in zip(*chunk, strict=True)
    ]
    transaction.put(key, value.replace(b"\xd8\x01", b"\xd8\x0f"))
    transaction.commit()
    with pytest.raises(CorruptionError, match="things"):
        things.get(1)
