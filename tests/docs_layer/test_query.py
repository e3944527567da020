"""Queries as a program uses them: methods, explanations, strictness, mistakes."""

from collections.abc import Callable
from typing import Any

import pytest

from docs_layer import (
    ClosedError,
    CorruptionError,
    Database,
    IndexRequiredError,
    MemoryStore,
    MultipleRowsError,
    NoSuchTable,
    NotFoundError,
    QueryError,
    SchemaError,
    any_,
    open_db,
)
from docs_layer.keyspace import row_key_prefix
from docs_layer.store import Snapshot, Store
from tests.docs_layer.samples import Author, Book, Category, Country, Everything, Visit


def test_the_methods_that_give_rows(library: Database) -> None:
    """Each gives what it is named for."""
    books = library.query(Book)
    first = books.order_by(Book.title).first()
    assert first is not None
    assert first.title == "book 0"
    assert books.where(Book.id == 3).one().id == 3
    assert books.where(Book.id == 99).one_or_none() is None
    assert books.where(Book.id == 99).first() is None
    assert (books.count(), books.exists(), books.where(Book.id < 0).exists()) == (6, True, False)
    assert [book.id for book in books.order_by(-Book.id).limit(2).offset(1)] == [5, 4]
    assert (books.limit(2).count(), books.offset(4).count(), books.offset(9).count()) == (2, 2, 0)
    assert (books.limit(0).all(), books.limit(0).first()) == ([], None)
    with pytest.raises(NotFoundError):
        books.where(Book.id == 99).one()
    with pytest.raises(MultipleRowsError):
        books.where(Book.author_id == 1).one()
    with pytest.raises(MultipleRowsError):
        books.one_or_none()
    assert books.limit(1).one().id == 1


def test_queries_never_change(library: Database) -> None:
    """Narrowing gives a new query; the old one can be used again and sees new rows."""
    books = library.query(Book)
    by_ann = books.where(Book.author_id == 1)
    assert (books.count(), by_ann.count()) == (6, 3)
    library.insert(Book(title="new", author_id=1))
    assert (books.count(), by_ann.count(), len(list(by_ann)), len(list(by_ann))) == (7, 4, 4, 4)


def test_several_conditions_must_all_hold(library: Database) -> None:
    """`where` with many arguments, and `where` again, mean the same as `&`."""
    by_both = library.query(Book).where(Book.author_id == 1).where(Book.year > 2000, Book.title != "book 3")
    combined = library.query(Book).where((Book.author_id == 1) & (Book.year > 2000) & (Book.title != "book 3"))
    assert by_both.all() == combined.all() != []


def test_an_iterator_that_is_left_releases_its_snapshot(
    library: Database, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing a stream, its collection and reading it to the end all close its snapshot; only collection warns."""
    opened: list[Snapshot] = []
    take = store.snapshot

    def take_and_remember() -> Snapshot:
        opened.append(take())
        return opened[-1]

    monkeypatch.setattr(store, "snapshot", take_and_remember)
    rows = iter(library.query(Book))
    assert next(rows).id == 1
    assert opened[-1].get(b"") is None
    with pytest.warns(ResourceWarning, match="left open"):
        del rows
    for _ in library.query(Book):
        pass
    with iter(library.query(Book)) as closed:
        assert next(closed).id == 1
    iter(library.query(Book)).close()
    assert len(opened) == 3
    with library.snapshot() as moment, library.transaction() as transaction:
        assert next(iter(moment.query(Book))) == next(iter(transaction.query(Book)))
    for snapshot in opened:
        with pytest.raises(ClosedError):
            snapshot.get(b"")


@pytest.mark.parametrize(
    ("build", "path", "rows_read"),
    [
        (lambda books: books.where(Book.id == 3), "primary key: 1 key (id = 3)", 1),
        (lambda books: books.where(Book.id.in_([1, 3, 99])), "primary key: 3 keys (id in (1, 3, 99))", 2),
        (lambda books: books.where(Book.id > 4), "primary key: 1 range (id > 4)", 2),
        (lambda books: books.where(Book.author_id == 1), "index Book_author_id_year: 1 range (author_id = 1)", 3),
        (
            lambda books: books.where(Book.author_id == 1, Book.year > 2005).order_by(-Book.year),
            "index Book_author_id_year: 1 range (author_id = 1 and year > 2005)",
            2,
        ),
        (
            lambda books: books.where(Book.author_id == 1).order_by(Book.year),
            "index Book_author_id_year: 1 range (author_id = 1), downwards",
            3,
        ),
        (
            lambda books: books.order_by(Book.author_id, -Book.year).limit(2),
            "index Book_author_id_year: all entries",
            2,
        ),
        (lambda books: books.order_by(-Book.id).limit(1), "full scan, downwards", 1),
        (lambda books: books.where(Book.title == "book 3"), "full scan", 6),
        (lambda books: books.where(Book.id > 5, Book.id < 3), "nothing to read: the condition can never hold", 0),
        (lambda books: books.where(Book.year > 2**70), "nothing to read: the condition can never hold", 0),
    ],
)
def test_explain_names_the_path_and_counts_rows(
    library: Database, build: Callable[[Any], Any], path: str, rows_read: int
) -> None:
    """The first step is the path; what was read is counted by running the query."""
    explanation = build(library.query(Book)).explain()
    assert (explanation.path, explanation.rows_read) == (path, rows_read)
    assert explanation.rows_returned == len(build(library.query(Book)).all())
    assert str(explanation).startswith(f"Book: {path}")


def test_explain_shows_filter_sort_and_a_suggestion(library: Database) -> None:
    """What a path does not serve is named, and which index would."""
    query = library.query(Book).where(Book.title.starts_with("book"), Book.year == 2001).order_by(Book.title)
    assert str(query.explain()) == (
        "Book: full scan\n"
        "    filter: title >= 'book' and title < 'bool' and year = 2001\n"
        "  sort by title\n"
        "  would be served by index('year', 'title')\n"
        "  rows read 6, returned 2"
    )
    plain = library.query(Book).explain(run=False)
    assert (plain.steps, plain.rows_read, plain.is_full_scan) == (("full scan",), None, False)
    assert repr(library.query(Book).where(Book.id == 1)) == "<query Book: primary key: 1 key (id = 1)>"


def test_an_or_is_a_union_of_paths_without_repeats(library: Database) -> None:
    """Each branch takes its own path, and drops rows of earlier branches."""
    query = library.query(Book).where((Book.id <= 4) | (Book.author_id == 1))
    explanation = query.explain()
    assert [step.split(":")[0].strip() for step in explanation.steps] == [
        "primary key",
        "index Book_author_id_year",
        "filter",
    ]
    assert sorted(book.id for book in query) == [1, 2, 3, 4, 6]
    assert query.count() == 5
    assert [book.id for book in query.order_by(-Book.id).limit(2)] == [6, 4]


def test_strict_mode_refuses_whole_scans() -> None:
    """With `strict` a query that an index would serve is an error with the suggestion; others run."""
    db = open_db(MemoryStore(), tables=[Author, Book], strict=True)
    with pytest.raises(IndexRequiredError) as caught:
        db.query(Book).where(Book.title == "x").all()
    assert (caught.value.table, caught.value.suggestion) == ("Book", "index('title')")
    with pytest.raises(IndexRequiredError):
        db.query(Book).where((Book.title == "x") | (Book.id == 1)).count()
    with pytest.raises(IndexRequiredError), db.transaction() as transaction:
        transaction.query(Book).order_by(Book.title).first()
    assert db.query(Book).all() == db.query(Book).where(Book.author_id == 1).all() == []


def test_a_sort_stays_within_its_memory() -> None:
    """A sort beyond the budget goes on on disk; strict mode refuses that, unless there is a limit."""
    store = MemoryStore()
    db = open_db(store, tables=[Author, Book], sort_memory_bytes=20_000)
    db.insert_many([Author(name=f"author {place:04}") for place in range(100)])
    db.insert_many([Book(title=f"{place * 7919 % 100:03}", author_id=1) for place in range(100)])
    query = db.query(Book).order_by(Book.title)
    assert [book.title for book in query] == [f"{place:03}" for place in range(100)]
    assert query.explain().spilled_runs == 1
    assert "sorted on disk in 2 runs" in str(query.explain())
    strict = open_db(store, tables=[Author, Book], sort_memory_bytes=20_000, strict=True)
    sorted_slice = strict.query(Book).where(Book.id > 0).order_by(Book.title)
    with pytest.raises(QueryError, match="sort_memory_bytes"):
        sorted_slice.all()
    assert [book.title for book in sorted_slice.limit(2)] == ["000", "001"]
    assert [book.title for book in db.query(Book).order_by(-Book.title).limit(2)] == ["099", "098"]
    assert len(db.query(Author).order_by(Author.name).all()) == 100


YEAR: Any = Book.year
TITLE: Any = Book.title
NAN = float("nan")
WRONG: list[Callable[[Any], object]] = [
    lambda books: books.where(Book.title == 5),
    lambda books: books.where(Book.year > True),
    lambda books: books.where(YEAR > NAN),
    lambda books: books.where(Book.year > None),
    lambda books: books.where(YEAR.starts_with("2")),
    lambda books: books.where(TITLE.starts_with(2)),
    lambda books: books.where(Book.title == "\ud800"),
    lambda books: books.where(Book.tags == object()),
    lambda books: books.where(Author.name == "Ann"),
    lambda books: books.where(True),
    lambda books: books.order_by("title"),
    lambda books: books.order_by(any_(Book.tags)),
    lambda books: books.order_by(Author.name),
    lambda books: books.limit(-1),
    lambda books: books.limit("3"),
    lambda books: books.offset(True),
]


@pytest.mark.parametrize("build", WRONG)
def test_queries_without_meaning_are_refused_where_they_are_written(
    library: Database, build: Callable[[Any], object]
) -> None:
    """The error comes from the method that got the mistake, before anything is read."""
    with pytest.raises(QueryError):
        build(library.query(Book))


def test_constants_are_brought_to_the_column(library: Database) -> None:
    """Numbers compare by value whatever their type; null has its own test."""
    year: Any = Book.year
    books = library.query(Book)
    assert books.where(year > 2000.5).count() == books.where(Book.year >= 2001).count() == 4
    assert books.where(year == 2001.0).count() == 2
    assert books.where(year == 2001.5).count() == 0
    assert books.where(year < float("inf")).count() == books.where(~Book.year.is_null()).count() == 5
    assert books.where(Book.year.is_null()).one().id == 2
    assert books.where(Book.tags.in_([]) | (Book.id == 1)).count() == 1


def test_dates_and_zones_are_not_mixed(db: Database) -> None:
    """A datetime without a zone cannot be compared with aware ones."""
    from datetime import UTC, datetime  # noqa: PLC0415 - only this test needs them

    with pytest.raises(QueryError):
        db.query(Everything).where(Everything.moment > datetime(2024, 1, 1))  # noqa: DTZ001 - the mistake
    with pytest.raises(QueryError):
        db.query(Everything).where(Everything.local > datetime(2024, 1, 1, tzinfo=UTC))


def test_unknown_tables_are_refused(db: Database) -> None:
    """Neither undeclared classes nor things that are no class get a query."""

    class Unknown(Category):
        pass

    anything: Any = str
    with pytest.raises(NoSuchTable):
        db.query(Unknown)
    with pytest.raises(SchemaError):
        db.query(anything)


def test_given_keys_serve_prefixes(db: Database) -> None:
    """A str key answers `starts_with` and order, a composite key its first column."""
    db.insert_many([Country(code=code, name=code.lower()) for code in ("AT", "AU", "BE")])
    query = db.query(Country).where(Country.code.starts_with("A"))
    assert query.explain().path == "primary key: 1 range (code >= 'A' and code < 'B')"
    assert [country.code for country in query.order_by(-Country.code)] == ["AU", "AT"]
    db.insert_many([Visit(country=code, year=year) for code in ("AT", "AU") for year in (1, 2, 3)])
    query_visits = db.query(Visit).where(Visit.country == "AU", Visit.year >= 2)
    assert query_visits.explain().path == "primary key: 1 range (country = 'AU' and year >= 2)"
    assert [visit.year for visit in query_visits] == [2, 3]


def test_an_entry_without_row_is_corruption() -> None:
    """A row that vanished behind the index is reported, not skipped."""
    store = MemoryStore()
    db = open_db(store, tables=[Author, Book])
    author = db.insert(Author(name="Ann"))
    transaction = store.transaction()
    transaction.delete_range(row_key_prefix(1), row_key_prefix(1) + b"\xff")
    transaction.commit()
    with pytest.raises(CorruptionError, match="verify"):
        db.query(Author).where(Author.name == author.name).all()
