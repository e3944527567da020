"""Operators of `update`: what each does to a value, to what lies inside of one, and to the rows of a query."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from docs_layer import (
    Col,
    Database,
    Key,
    MemoryStore,
    QueryError,
    Table,
    TransactionError,
    UniqueViolation,
    ValidationError,
    any_,
    auto,
    col,
    increment,
    index,
    lower,
    open_db,
    push,
    remove,
    set_,
    unset,
)
from docs_layer.expressions import Assignment
from tests.docs_layer.samples import Address, Book


class Thing(Table):
    """A column for each operator."""

    id: Key[int] = auto()
    name: Col[str]
    rank: Col[int] = col(unique=True)
    hits: Col[int | None] = col(default=None)
    ratio: Col[float] = col(default=0.5)
    price: Col[Decimal] = col(default=Decimal("1.10"))
    day: Col[date] = col(default=date(2024, 2, 28))
    tags: Col[list[str] | None] = col(default=None)
    data: Col[dict[str, Any] | None] = col(default=None)
    address: Col[Address | None] = col(default=None)
    __indexes__ = [index("name")]


@pytest.fixture
def db() -> Database:
    """Give five things."""
    opened = open_db(MemoryStore(), tables=[Thing])
    opened.insert_many(
        Thing(name=f"T{n}", rank=n, tags=["a", "b", "a"], data={"x": {"y": [1, 2]}, "n": 1}, address=Address("Wien", 7))
        for n in range(5)
    )
    return opened


Operation = Assignment[Thing]


@pytest.mark.parametrize(
    ("assignment", "read", "expected"),
    [
        (set_(Thing.name, "new"), lambda row: row.name, "new"),
        (Thing.name.to("new"), lambda row: row.name, "new"),
        (set_(Thing.name, lower(Thing.name)), lambda row: row.name, "t0"),
        (set_(Thing.hits, Thing.rank), lambda row: row.hits, 0),
        (increment(Thing.rank, 10), lambda row: row.rank, 10),
        (increment(Thing.hits), lambda row: row.hits, 1),
        (increment(Thing.ratio, 1), lambda row: row.ratio, 1.5),
        (increment(Thing.price, Decimal("0.05")), lambda row: row.price, Decimal("1.15")),
        (increment(Thing.day, timedelta(days=2)), lambda row: row.day, date(2024, 3, 1)),
        (push(Thing.tags, "c", "d"), lambda row: row.tags, ["a", "b", "a", "c", "d"]),
        (remove(Thing.tags, "a"), lambda row: row.tags, ["b"]),
        (remove(Thing.tags, "z"), lambda row: row.tags, ["a", "b", "a"]),
        (unset(Thing.tags), lambda row: row.tags, None),
        (set_(Thing.data["x"]["y"][1], 9), lambda row: row.data, {"x": {"y": [1, 9]}, "n": 1}),
        (set_(Thing.data["x"]["y"][-1], 9), lambda row: row.data, {"x": {"y": [1, 9]}, "n": 1}),
        (set_(Thing.data["new"]["way"], 1), lambda row: row.data["new"], {"way": 1}),
        (increment(Thing.data["n"], 2), lambda row: row.data["n"], 3),
        (increment(Thing.data["missing"]), lambda row: row.data["missing"], 1),
        (push(Thing.data["x"]["y"], 3), lambda row: row.data["x"]["y"], [1, 2, 3]),
        (push(Thing.data["list"], 3), lambda row: row.data["list"], [3]),
        (remove(Thing.data["x"]["y"], 1), lambda row: row.data["x"]["y"], [2]),
        (unset(Thing.data["x"]["y"]), lambda row: row.data, {"x": {}, "n": 1}),
        (unset(Thing.data["x"]["y"][0]), lambda row: row.data["x"]["y"], [2]),
        (unset(Thing.data["nowhere"]["y"]), lambda row: row.data, {"x": {"y": [1, 2]}, "n": 1}),
        (set_(Thing.address["city"], "Graz"), lambda row: row.address, Address("Graz", 7)),
        (increment(Thing.address["zip"]), lambda row: row.address, Address("Wien", 8)),
        (unset(Thing.address["zip"]), lambda row: row.address, Address("Wien", None)),
    ],
    ids=lambda value: repr(value) if isinstance(value, Assignment) else "",
)
def test_each_operator(db: Database, assignment: Operation, read: Callable[[Any], Any], expected: object) -> None:
    """It changes what it names and nothing else, in one row as in all rows of a query."""
    before = db.one(Thing, 1)
    updated = db.update(Thing, 1, assignment)
    assert read(updated) == expected
    assert db.one(Thing, 1) == updated
    db.upsert(before)
    assert db.one(Thing, 1) == before
    assert db.query(Thing).where(Thing.id == 1).update(assignment) == 1
    assert db.one(Thing, 1) == updated
    assert db.verify().is_sound


@pytest.mark.parametrize(
    ("assignment", "problem"),
    [
        (increment(Thing.name), r"Thing\.name: 1 cannot be added"),
        (increment(Thing.data["x"]), r"Thing\.data\.x: 1 cannot be added"),
        (increment(Thing.price, 0.5), r"Thing\.price: 0\.5 cannot be added"),
        (push(Thing.name, "x"), r"Thing\.name: push and remove are for lists"),
        (remove(Thing.rank, 1), r"Thing\.rank: push and remove are for lists"),
        (push(Thing.tags, 5), r"Thing\.tags: .*str"),
        (unset(Thing.name), r"Thing\.name: "),
        (set_(Thing.data["n"]["deep"], 1), r"Thing\.data: nothing can be put at 'deep' of a int"),
        (set_(Thing.data["x"]["y"][5], 1), r"Thing\.data: the list has 2 elements and no place 5"),
        (set_(Thing.data["new"][0], 1), r"Thing\.data: there is no list that has a place 0"),
        (set_(Thing.address["street"], "x"), r"Thing\.address: a Address has no field 'street'"),
        (unset(Thing.address["city"]), r"Thing\.address: the field 'city' of a Address has no default"),
        (set_(Thing.id, 99), r"Thing\.id: a primary key never changes"),
    ],
    ids=lambda value: repr(value) if isinstance(value, Assignment) else "",
)
def test_operators_that_do_not_fit_change_nothing(db: Database, assignment: Operation, problem: str) -> None:
    """The error names the value; the row stays, also among the rows of a query."""
    before = db.query(Thing).all()
    with pytest.raises(ValidationError, match=problem):
        db.update(Thing, 1, assignment)
    with pytest.raises(ValidationError, match=problem):
        db.query(Thing).update(assignment)
    assert db.query(Thing).all() == before
    assert db.verify().is_sound


def test_assignments_without_meaning_are_refused(db: Database) -> None:
    """Two of one value, one inside the other, foreign columns, and what is no value of a row."""
    wrong: list[Any] = [
        (increment(Thing.rank), set_(Thing.rank, 1)),
        (set_(Thing.data, {}), increment(Thing.data["n"])),
        (set_(Thing.data["x"], {}), increment(Thing.data["x"]["y"])),
        (set_(lower(Thing.name), "x"),),
        (set_(any_(Thing.tags), "x"),),
        (increment(Thing.rank, True),),
        (increment(Thing.rank, "1"),),  # type: ignore[arg-type]  # the mistake
        (set_(Book.title, "x"),),
        ("name",),
    ]
    for assignments in wrong:
        with pytest.raises(QueryError):
            db.update(Thing, 1, *assignments)
    with pytest.raises(QueryError, match="twice"):
        db.update(Thing, 1, increment(Thing.rank), rank=5)


def test_what_a_row_holds_is_never_changed_in_place(db: Database) -> None:
    """A row that was read before keeps its lists and dicts, whatever is assigned to paths into them."""
    with db.transaction() as transaction:
        before = transaction.one(Thing, 1)
        transaction.update(Thing, 1, push(Thing.tags, "c"), set_(Thing.data["x"]["y"][0], 5))
        assert before.tags == ["a", "b", "a"]
        assert before.data == {"x": {"y": [1, 2]}, "n": 1}


def test_update_by_query_moves_unique_values_between_rows(db: Database) -> None:
    """Uniqueness counts when all rows of the call are changed, in both directions."""
    assert db.query(Thing).update(increment(Thing.rank)) == 5
    assert [row.rank for row in db.query(Thing)] == [1, 2, 3, 4, 5]
    assert db.query(Thing).where(Thing.rank.in_([1, 2])).update(increment(Thing.rank, -1)) == 2
    assert sorted(row.rank for row in db.query(Thing)) == [0, 1, 3, 4, 5]
    with pytest.raises(UniqueViolation):
        db.query(Thing).update(set_(Thing.rank, 7))
    assert db.verify().is_sound


def test_update_and_delete_by_query_take_the_window_of_the_query(db: Database) -> None:
    """Order, limit and offset count; what is returned is the number of rows."""
    assert db.query(Thing).order_by(-Thing.rank).limit(2).update(name="last") == 2
    assert [row.rank for row in db.query(Thing).where(Thing.name == "last")] == [3, 4]
    assert db.query(Thing).order_by(Thing.rank).offset(1).limit(1).delete() == 1
    assert [row.rank for row in db.query(Thing)] == [0, 2, 3, 4]
    assert db.query(Thing).where(Thing.name == "nobody").delete() == 0
    assert db.query(Thing).delete() == 4
    assert db.verify().is_sound


def test_by_query_inside_of_a_transaction(db: Database) -> None:
    """The call sees own writes and is taken back with the block; a snapshot refuses."""
    query = db.query(Thing).where(Thing.name == "mine")
    with pytest.raises(KeyError), db.transaction() as transaction:
        transaction.insert(Thing(name="mine", rank=50))
        assert transaction.query(Thing).where(Thing.name == "mine").update(hits=1) == 1
        assert query.on(transaction).delete() == 1
        with pytest.raises(TransactionError, match="open transaction"):
            query.delete()
        raise KeyError
    assert db.query(Thing).count() == 5
    with db.snapshot() as snapshot:
        for call in (snapshot.query(Thing).delete, lambda: snapshot.query(Thing).update(hits=1)):
            with pytest.raises(TransactionError, match="read only"):
                call()
