"""The verbs that write: what they store, what they refuse, and that a refused call leaves nothing."""

import copy
import math
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from docs_layer import (
    Col,
    Database,
    ForeignKeyViolation,
    Key,
    MemoryStore,
    NoSuchField,
    NoSuchTable,
    NotFoundError,
    QueryError,
    Table,
    UniqueViolation,
    ValidationError,
    auto,
    col,
    index,
    open_db,
)
from tests.docs_layer.samples import Address, Author, Book, Category, Country, Everything, Visit


def test_insert_gives_ids_and_leaves_the_row_alone(db: Database) -> None:
    """Automatic ids go up; the row that was given keeps its state; what is returned is what is read."""
    given = Author(name="Ann")
    before = repr(given)
    first, second = db.insert(given), db.insert(Author(name="Bob"))
    assert repr(given) == before
    assert (first.id, second.id) == (1, 2)
    assert db.get(Author, 1) == first


def test_returned_rows_share_nothing_with_the_argument(db: Database) -> None:
    """Changing a list after the call changes neither the returned row nor the stored one."""
    db.insert(Author(name="Ann"))
    tags = ["a"]
    book = db.insert(Book(title="x", author_id=1, tags=tags))
    tags.append("b")
    assert book.tags == ["a"]
    assert db.one(Book, book.id).tags == ["a"]


def test_every_kind_is_stored_and_read_back(db: Database) -> None:
    """Each kind round-trips; aware datetimes come back in UTC, ints in float columns as floats."""
    vienna = timezone(timedelta(hours=2))
    given = Everything(
        number=-(2**63),
        ratio=3,
        text="tab\0ä  ",
        raw=b"\0\xff",
        flag=False,
        moment=datetime(2024, 1, 1, 12, tzinfo=vienna),
        local=datetime(2024, 1, 1, 12, 0, 0, 5),  # noqa: DTZ001 - this column has no zone
        day=date(2024, 2, 29),
        clock=time(1, 2, 3, 4),
        span=timedelta(days=-1, microseconds=1),
        amount=Decimal("1.10"),
        token=UUID(int=7),
        items=[1, 2],
        counts={"a": 1},
        address=Address("Wien", 1010),
    )
    stored = db.insert(given)
    read = db.one(Everything, stored.id)
    assert read == stored
    assert isinstance(read.ratio, float)
    assert read.moment is not None
    assert read.moment.utcoffset() == timedelta(0)
    assert read.moment == datetime(2024, 1, 1, 10, tzinfo=UTC)
    assert (read.text, read.raw, str(read.amount)) == ("tab\0ä  ", b"\0\xff", "1.10")
    assert (read.local, read.clock, read.span, read.token) == (given.local, given.clock, given.span, given.token)
    assert (read.items, read.counts, read.address, read.day) == ([1, 2], {"a": 1}, Address("Wien", 1010), given.day)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("number", 2**63),
        ("number", -(2**63) - 1),
        ("number", 10**30),
        ("number", True),
        ("number", "1"),
        ("number", 1.5),
        ("ratio", "1"),
        ("text", 1),
        ("text", "\ud800"),
        ("raw", "text"),
        ("flag", 1),
        ("moment", datetime(2024, 1, 1)),  # noqa: DTZ001 - the missing zone is the mistake
        ("local", datetime(2024, 1, 1, tzinfo=UTC)),
        ("day", datetime(2024, 1, 1, tzinfo=UTC)),
        ("clock", time(1, tzinfo=UTC)),
        ("amount", "x"),
        ("token", "x"),
        ("items", [1, "x"]),
        ("counts", {"a": "x"}),
        ("address", {"zip": 1}),
        ("address", object()),
    ],
)
def test_wrong_values_name_their_column(db: Database, column: str, value: object) -> None:
    """Insert and update refuse a value that its column does not take, and store nothing."""
    kept = db.insert(Everything())
    wrong: Any = {column: value}
    uses: list[Callable[[], object]] = [
        lambda: db.insert(Everything(**wrong)),
        lambda: db.update(Everything, kept.id, **wrong),
    ]
    for use in uses:
        with pytest.raises(ValidationError) as caught:
            use()
        assert (caught.value.table, caught.value.field) == ("Everything", column)
    assert db.query(Everything).all() == [kept]


def test_constraints_of_columns(db: Database) -> None:
    """Length and check are tested on every write; null passes a check."""

    class Limited(Table):
        id: Key[int] = auto()
        name: Col[str | None] = col(default=None, max_length=3)
        even: Col[int | None] = col(default=None, check=lambda number: number % 2 == 0)

    with open_db(MemoryStore(), tables=[Limited]) as limited:
        row = limited.insert(Limited(name="äöü", even=2))
        with pytest.raises(ValidationError, match="length <= 3") as caught:
            limited.update(Limited, row.id, name="long")
        assert caught.value.field == "name"
        with pytest.raises(ValidationError, match="check"):
            limited.insert(Limited(even=3))
        assert limited.insert(Limited()).even is None


def test_keys_are_validated(db: Database) -> None:
    """A key of the wrong type or shape, or beyond the limit, is an error that names the key columns."""
    wrong: list[tuple[Any, Any]] = [
        (Book, "x"),
        (Book, None),
        (Visit, "AT"),
        (Visit, ("AT",)),
        (Visit, ("AT", None)),
        (Book, True),
        (Visit, ("AT", True)),
    ]
    for table, key in wrong:
        with pytest.raises(ValidationError):
            db.get(table, key)
    with pytest.raises(ValidationError, match="1024 bytes"):
        db.insert(Country(code="x" * 1100, name="long"))
    with pytest.raises(ValidationError, match="index a shorter column") as caught:
        db.insert(Visit(country="AT", year=1, note="x" * 1100))
    assert caught.value.field == "note"
    visit = db.insert(Visit(country="AT", year=1))
    with pytest.raises(ValidationError, match="shorter"):
        db.update(Visit, ("AT", 1), note="x" * 1100)
    assert db.one(Visit, ("AT", 1)) == visit


def test_given_and_composite_keys(db: Database) -> None:
    """Rows lie under the keys that the program gives, and are read in their order."""
    db.insert(Country(code="B", name="b"))
    db.insert(Country(code="A", name="a"))
    assert [row.code for row in db.query(Country)] == ["A", "B"]
    db.insert_many([Visit(country="B", year=1), Visit(country="A", year=2), Visit(country="A", year=1)])
    assert [(row.country, row.year) for row in db.query(Visit)] == [("A", 1), ("A", 2), ("B", 1)]
    assert db.one(Visit, ("A", 2)).year == 2
    with pytest.raises(UniqueViolation) as caught:
        db.insert(Visit(country="A", year=2, note="again"))
    assert (caught.value.key, caught.value.existing) == ({"country": "A", "year": 2}, ("A", 2))
    assert db.one(Visit, ("A", 2)).note == ""


def test_unique_values_are_refused_on_insert_update_and_within_a_call(db: Database) -> None:
    """The error names the index, the values and the row that has them; nothing of the call stays."""
    ann, bob = db.insert_many([Author(name="Ann"), Author(name="Bob")])
    calls: list[Callable[[], object]] = [
        lambda: db.insert(Author(name="Ann")),
        lambda: db.update(Author, bob.id, name="Ann"),
        lambda: db.upsert(Author(id=bob.id, name="Ann")),
        lambda: db.insert_many([Author(name="Cy"), Author(name="Ann")]),
    ]
    for call in calls:
        with pytest.raises(UniqueViolation) as caught:
            call()
        assert (caught.value.index, caught.value.key) == ("Author_name", {"name": "Ann"})
        assert caught.value.existing == ann.id
    with pytest.raises(UniqueViolation):
        db.insert_many([Author(name="Dy"), Author(name="Dy")])
    assert [row.name for row in db.query(Author)] == ["Ann", "Bob"]


def test_rows_with_null_are_exempt_from_uniqueness(db: Database) -> None:
    """Any number of rows may have a null among unique columns."""

    class Seat(Table):
        id: Key[int] = auto()
        row: Col[int]
        place: Col[str | None] = col(default=None)
        __indexes__ = [index("row", "-place", unique=True)]

    with open_db(MemoryStore(), tables=[Seat]) as seats:
        seats.insert_many([Seat(row=1), Seat(row=1), Seat(row=1, place="a")])
        with pytest.raises(UniqueViolation):
            seats.insert(Seat(row=1, place="a"))
        assert seats.update(Seat, 3, place=None).place is None
        assert seats.insert(Seat(row=1, place="a")).id > 3
        assert seats.query(Seat).where(Seat.row == 1, Seat.place == None).count() == 3  # noqa: E711 - an expression
        assert seats.verify().is_sound


def test_update_changes_only_what_is_named(library: Database) -> None:
    """Both ways to name a value work; the row that is returned is the row that is read."""
    book = library.update(Book, 1, Book.title.to("new"), year=1900)
    assert (book.title, book.year, book.author_id) == ("new", 1900, 2)
    assert library.one(Book, 1) == book
    assert library.update(Book, 1) == book


def test_update_refuses_what_makes_no_sense(library: Database) -> None:
    """Missing rows, unknown columns, columns set twice or of another table, changed keys."""
    wrong: Any = Author.name.to("x")
    with pytest.raises(NotFoundError):
        library.update(Book, 999, title="x")
    with pytest.raises(NoSuchField) as caught:
        library.update(Book, 1, titel="x")
    assert caught.value.nearest == "title"
    with pytest.raises(QueryError, match="twice"):
        library.update(Book, 1, Book.title.to("a"), title="b")
    with pytest.raises(QueryError, match="no column of Book"):
        library.update(Book, 1, wrong)
    with pytest.raises(ValidationError, match="never changes"):
        library.update(Book, 1, id=2)
    assert library.update(Book, 1, id=1).title == "book 0"


def test_upsert_inserts_or_replaces(db: Database) -> None:
    """A row with a known key is replaced as a whole, one without key or with a new key is inserted."""
    db.upsert(Country(code="AT", name="Austria"))
    assert db.upsert(Country(code="AT", name="Österreich")).name == "Österreich"
    assert db.query(Country).count() == 1
    ann = db.upsert(Author(name="Ann"))
    assert db.upsert(Author(id=ann.id, name="Anna")) == Author(id=ann.id, name="Anna")
    assert db.query(Author).where(Author.name == "Ann").exists() is False


def test_delete_tells_whether_there_was_a_row(library: Database) -> None:
    """Deleting takes row and entries; a second time there is nothing."""
    assert library.delete(Book, 1) is True
    assert library.delete(Book, 1) is False
    assert library.get(Book, 1) is None
    assert library.query(Book).where(Book.author_id == 2).count() == 2


def test_references_are_checked_on_every_verb(library: Database) -> None:
    """No row refers to nothing: neither by insert or update of a child, nor by delete of a parent."""
    calls: list[Callable[[], object]] = [
        lambda: library.insert(Book(title="x", author_id=77)),
        lambda: library.insert_many([Book(title="x", author_id=1), Book(title="y", author_id=77)]),
        lambda: library.update(Book, 1, author_id=77),
        lambda: library.upsert(Book(id=1, title="x", author_id=77)),
    ]
    for call in calls:
        with pytest.raises(ForeignKeyViolation) as caught:
            call()
        assert (caught.value.field, caught.value.target, caught.value.value) == ("author_id", "Author", 77)
    with pytest.raises(ForeignKeyViolation) as caught:
        library.delete(Author, 1)
    assert (caught.value.table, caught.value.value, set(caught.value.referrers)) == ("Book", 1, {2, 4, 6})
    assert library.query(Book).count() == 6
    for book in library.query(Book).where(Book.author_id == 1):
        library.delete(Book, book.id)
    assert library.delete(Author, 1) is True


def test_referrers_in_an_error_are_at_most_ten(db: Database) -> None:
    """A parent of many names only some of its children."""
    db.insert(Author(name="Ann"))
    db.insert_many([Book(title="x", author_id=1) for _ in range(30)])
    with pytest.raises(ForeignKeyViolation) as caught:
        db.delete(Author, 1)
    assert len(caught.value.referrers) == 10


def test_a_row_may_refer_to_its_own_table(db: Database) -> None:
    """A reference within one call is checked at its end; a row that refers to itself can go."""
    db.insert_many([Category(id=2, name="child", parent=1), Category(id=1, name="root")])
    with pytest.raises(ForeignKeyViolation):
        db.delete(Category, 1)
    db.update(Category, 2, parent=2)
    assert db.delete(Category, 1)
    assert db.delete(Category, 2)


def test_references_within_a_large_call_are_checked_at_its_end(db: Database) -> None:
    """A row of the first batch may refer to one of the last; a missing one leaves nothing of the call."""
    rows = [Category(id=place, name="x", parent=place + 1) for place in range(1, 2500)]
    with pytest.raises(ForeignKeyViolation) as caught:
        db.insert_many(rows)
    assert caught.value.value == 2500
    assert db.query(Category).exists() is False
    assert len(db.insert_many([*rows, Category(id=2500, name="last")])) == 2500


def test_a_unique_reference_finds_its_referrer(db: Database) -> None:
    """The entry of a unique reference is a whole key, not a range; a delete still sees it."""
    from docs_layer import Ref, ref  # noqa: PLC0415 - only this test's class needs them

    class Profile(Table):
        id: Key[int] = auto()
        author: Ref[Author] = ref(unique=True)

    with open_db(MemoryStore(), tables=[Author, Book, Profile]) as profiles:
        profiles.insert(Author(name="Ann"))
        profiles.insert(Profile(author=1))
        with pytest.raises(ForeignKeyViolation) as caught:
            profiles.delete(Author, 1)
        assert caught.value.referrers == (1,)


def test_rows_of_undeclared_classes_are_refused(db: Database) -> None:
    """A class that was not given to `open_db` is named in the error."""

    class Unknown(Table):
        id: Key[int] = auto()

    with pytest.raises(NoSuchTable, match="tables="):
        db.insert(Unknown())
    anything: Any = "text"
    with pytest.raises(Exception, match="no table class"):
        db.insert(anything)


def test_the_toy_s_holes_are_closed(db: Database) -> None:
    """The mistakes of the toy database this one replaces; each was real there."""
    db.insert(Author(name="Ann"))
    book = db.insert(Book(title="kept", author_id=1))
    with pytest.raises(ValidationError):
        db.update(Book, book.id, title=5)  # an update with a wrong value must not lose the row
    assert db.get(Book, book.id) == book
    with pytest.raises(ForeignKeyViolation):
        db.insert(Book(title="x", author_id=0))  # zero is a key like any other
    far = db.insert(Author(id=10**8, name="far"))  # a large id costs nothing and moves the sequence
    assert db.insert(Author(name="next")).id > far.id
    padded = db.insert(Country(code="X ", name="trailing  "))  # spaces survive
    assert db.one(Country, "X ") == padded
    values = {"id": 5, "name": "dict"}
    before = copy.deepcopy(values)
    db.insert(Author(**values))  # type: ignore[arg-type]  # a plain dictionary
    assert values == before


def test_nan_is_a_value_like_others(db: Database) -> None:
    """NaN equals itself in unique indexes and conditions."""

    class Reading(Table):
        id: Key[int] = auto()
        value: Col[float] = col(unique=True)

    with open_db(MemoryStore(), tables=[Reading]) as readings:
        readings.insert(Reading(value=math.nan))
        with pytest.raises(UniqueViolation):
            readings.insert(Reading(value=math.nan))
        readings.insert(Reading(value=0.0))
        with pytest.raises(UniqueViolation):
            readings.insert(Reading(value=-0.0))
        assert readings.query(Reading).where(Reading.value.in_([math.nan])).count() == 1
        assert [row.id for row in readings.query(Reading).where(Reading.value > 1e300)] == [1]
