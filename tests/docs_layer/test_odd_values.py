"""Legal values that are easily forgotten: each is stored and found by every path, or refused by our own error."""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from functools import reduce
from operator import and_, or_
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from docs_layer import (
    Col,
    Database,
    Expression,
    Key,
    MemoryStore,
    QueryError,
    Table,
    UniqueViolation,
    ValidationError,
    auto,
    col,
    index,
    open_db,
    replace,
)
from tests.docs_layer.samples import Country, Everything, Visit

HUGE: Any = 10**5000
"""More digits than Python turns into text."""


class Moment(Table):
    """Instants, read by scan and by index."""

    id: Key[int] = auto()
    scanned: Col[datetime]
    indexed: Col[datetime]
    __indexes__ = [index("indexed")]


class Crowded(Table):
    """Columns named like arguments, and unique dates."""

    id: Key[int] = auto()
    key: Col[int] = col(default=0)
    table: Col[int] = col(default=0)
    row: Col[int] = col(default=0)
    day: Col[date | None] = col(default=None, unique=True)


class Road(Table):
    """A key of two texts."""

    begin: Key[str]
    end: Key[str]


@pytest.mark.parametrize("fold", [0, 1])
def test_times_that_a_clock_shows_twice_are_found_by_every_path(fold: int) -> None:
    """Python calls such a time unequal to the same instant in another zone; an instant is an instant here."""
    moment = datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=fold)
    with open_db(MemoryStore(), tables=[Moment]) as db:
        db.insert(Moment(scanned=moment, indexed=moment))
        for column in (Moment.scanned, Moment.indexed):
            assert db.query(Moment).where(column == moment).count() == 1
            assert db.query(Moment).where(column != moment).count() == 0
            assert db.query(Moment).where(column.in_([moment, datetime(2020, 1, 1, tzinfo=moment.tzinfo)])).count() == 1
            assert db.query(Moment).where(column >= moment, column <= moment).count() == 1


@pytest.mark.parametrize(
    "write",
    [
        lambda db: db.insert(Everything(number=HUGE)),
        lambda db: db.insert(Country(code=HUGE, name="")),
        lambda db: db.get(Everything, HUGE),
        lambda db: db.get(Country, HUGE),
        lambda db: db.get(Visit, ("DE", HUGE)),
    ],
)
def test_ints_too_long_to_print_are_refused(db: Database, write: Callable[[Database], Any]) -> None:
    """The error does not fail on its own text."""
    with pytest.raises(ValidationError):
        write(db)


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        (Everything.number < HUGE, 1),
        (Everything.number > -HUGE, 1),
        (Everything.ratio < HUGE, 1),
        (Everything.ratio == HUGE, 0),
    ],
)
def test_ints_too_long_to_print_are_compared(db: Database, condition: Expression[Everything], count: int) -> None:
    """A constant beyond a column's range is above or below everything in it."""
    db.insert(Everything(number=5, ratio=1.5))
    assert db.query(Everything).where(condition).count() == count


def test_decimals_far_beyond_floats_are_compared_with_them(db: Database) -> None:
    """The comparison is by value and does not write the number out."""
    db.insert(Everything(number=5, ratio=1.5))
    low, far, near, small = map(Decimal, ("-1e10000000000", "1e10000000000", "1e-10000000000", "-1"))
    ratio: Any = Everything.ratio
    number: Any = Everything.number
    ordered = [ratio < far, ratio > low, ratio > near, number < far, number > low, number > near, ratio > small]
    assert db.query(Everything).where(*ordered).count() == 1


@pytest.mark.parametrize("column", [Everything.text, Everything.number, Everything.moment])
def test_constants_of_the_wrong_kind_are_query_errors_whatever_their_text(column: Any) -> None:
    """An int that cannot be printed and a NaN that signals have no place in these columns."""
    with open_db(MemoryStore(), tables=[Everything]) as db, pytest.raises(QueryError):
        db.query(Everything).where(column == (Decimal("sNaN") if column is Everything.number else HUGE))


def test_a_refused_prefix_is_the_one_that_was_given(db: Database) -> None:
    """The error names the lone surrogate, not the text behind it."""
    with pytest.raises(QueryError, match="ud800"):
        db.query(Everything).where(Everything.text.starts_with("\ud800"))


def test_nan_that_signals_is_nan(db: Database) -> None:
    """It is kept, compared like every NaN, and replaced like every value."""
    row = db.insert(Everything(amount=Decimal("sNaN"), ratio=float("nan")))
    signal: Any = Decimal("sNaN")
    for condition in (Everything.amount == signal, Everything.ratio == signal):
        assert [found.id for found in db.query(Everything).where(condition)] == [row.id]
    db.upsert(replace(row, number=1))
    db.update(Everything, row.id, amount=Decimal(1))
    assert db.one(Everything, row.id).amount == 1


def test_byte_arrays_are_constants_like_bytes(db: Database) -> None:
    """They are found alone and among others."""
    db.insert(Everything(raw=b"a"))
    either: Any = [bytearray(b"a"), b"b"]
    assert db.query(Everything).where(Everything.raw.in_(either)).count() == 1
    assert db.query(Everything).where(Everything.raw == either[0]).count() == 1


def test_long_chains_of_conditions_are_taken(db: Database) -> None:
    """A condition that was put together in a loop works like any other."""
    db.insert_many([Everything(number=number, text=str(number)) for number in (-1, 5, 4000)])
    numbers = range(3000)
    assert db.query(Everything).where(reduce(or_, [Everything.number == one for one in numbers])).count() == 1
    assert db.query(Everything).where(reduce(and_, [Everything.number != one for one in numbers])).count() == 2
    mixed = [(Everything.number == one) & (Everything.text == str(one)) for one in numbers]
    assert db.query(Everything).where(reduce(or_, mixed)).count() == 1


def test_columns_may_have_the_names_of_arguments() -> None:
    """`update` and `replace` take every column by name."""
    with open_db(MemoryStore(), tables=[Crowded]) as db:
        row = db.insert(Crowded())
        assert db.update(Crowded, row.id, key=1, table=2, row=3).table == 2
        with db.transaction() as transaction:
            transaction.update(Crowded, row.id, key=4)
        assert replace(db.one(Crowded, row.id), row=5).key == 4


def test_unique_values_clash_in_whatever_form_they_were_given() -> None:
    """A date may be given as text; a second one is a violation like any other."""
    text: Any = "2024-01-01"
    with open_db(MemoryStore(), tables=[Crowded]) as db:
        row = db.insert(Crowded(day=text))
        with pytest.raises(UniqueViolation) as caught:
            db.insert(Crowded(day=text))
        assert caught.value.key == {"day": date(2024, 1, 1)}
        assert caught.value.existing == row.id


@pytest.mark.parametrize("key", ["ab", ("a",), ("a", "b", "c"), 5, None, {"a": 1, "b": 2}, ("a", None), ("a", 5)])
def test_keys_of_two_columns_are_tuples(key: Any) -> None:
    """A text of two letters is not a key of two texts."""
    with open_db(MemoryStore(), tables=[Road]) as db:
        db.insert(Road(begin="a", end="b"))
        with pytest.raises(ValidationError):
            db.get(Road, key)


@pytest.mark.parametrize("verb", ["get", "delete", "update", "upsert"])
def test_a_bool_is_no_key(db: Database, verb: str) -> None:
    """True is not the row 1."""
    row = db.insert(Everything(number=7))
    assert row.id == 1
    with pytest.raises(ValidationError):
        if verb == "upsert":
            db.upsert(Everything(id=True, number=8))
        else:
            getattr(db, verb)(Everything, True)
    assert db.one(Everything, 1).number == 7
