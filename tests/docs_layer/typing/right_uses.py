"""Uses that mypy and pyright must accept in strict mode, with the types they must find."""

from typing import Any, assert_type

from docs_layer import (
    Assignment,
    Column,
    Expression,
    Order,
    Path,
    Query,
    RefColumn,
    Relation,
    Value,
    all_,
    any_,
    asdict,
    at,
    f,
    from_dict,
    length,
    like,
    lower,
    open_db,
    table_from_catalog,
)
from tests.docs_layer.typing.models import Author, Book, Category, Country, Novel, Place, Visit


def rows() -> None:
    """Check that rows have plain values."""
    book = Book(title="Emma", author_id=1)
    whole = Book(id=5, title="Emma", author_id=1, year=1815, tags=["a"], country="GB")
    assert_type(book.id, int)
    assert_type(book.year, int | None)
    assert_type(book.author_id, int)
    assert_type(whole.country, str | None)
    assert_type(whole.tags, list[str])
    assert_type(whole.shout, str)
    assert_type(book.author, Author)
    assert_type(Author(name="Ann").books, tuple[Book, ...])
    assert_type(Country(code="AT", name="Austria").code, str)
    assert_type(Category(parent=3).parent, int | None)
    Category()
    assert_type(Visit(country="AT", year=2020).note, str)
    asdict(book)
    assert_type(from_dict(Book, {"title": "Emma"}), Book)


def expressions() -> None:
    """Check that columns on the class are expressions of their table."""
    assert_type(Book.year, Column[Book, int | None])
    assert_type(Book.author_id, RefColumn[Book, Author, int])
    assert_type(Author.books, Relation[Author, Book])
    assert_type(Book.author, Relation[Book, Author])
    assert_type(Novel.year, Column[Novel, int | None])
    assert_type(Novel(title="Emma", author_id=1, pages=400).year, int | None)
    assert_type(Book.year > 2020, Expression[Book])
    assert_type(Book.year == None, Expression[Book])  # noqa: E711 - it is an expression
    assert_type(Book.title == "Emma", Expression[Book])
    assert_type(Book.title != "Emma", Expression[Book])
    assert_type((Book.year > 2020) & ~(Book.title == "Emma") | Book.country.is_null(), Expression[Book])
    assert_type(-Book.year, Order[Book])
    assert_type(Book.year.to(2024), Assignment[Book])
    assert_type(Book.title.starts_with("E"), Expression[Book])
    assert_type(Book.country.starts_with("A"), Expression[Book])
    assert_type(Book.year.between(1, 5), Expression[Book])
    assert_type(Book.year.in_([1, None]), Expression[Book])


def operations() -> None:
    """Check that functions over values keep the table, and know the type where it can be known."""
    assert_type(Book.title.contains("a", ignore_case=True), Expression[Book])
    assert_type(Book.country.like("A%") | Book.title.matches("^A"), Expression[Book])
    assert_type(Book.tags.has("lsm"), Expression[Book])
    assert_type(any_(Book.tags), Value[Book, str])
    assert_type(all_(Book.tags) != "lsm", Expression[Book])
    assert_type(any_(Book.tags).starts_with("l"), Expression[Book])
    assert_type(lower(Book.title) == "emma", Expression[Book])
    assert_type(length(Book.tags), Value[Book, int | None])
    assert_type(at(Book.tags, lambda tags: tags[0]), Value[Book, str | None])
    assert_type(at(Place.address, lambda address: address.city) == "Wien", Expression[Place])
    assert_type(Place.address["city"], Value[Place, Any])
    assert_type(Book.year > Book.id, Expression[Book])
    assert_type(Book.year.nulls_last(), Order[Book])
    assert_type((-Book.year).nulls_first(), Order[Book])
    assert_type(f.user.age, Path)
    assert_type(f["odd key"] > 5, Expression[Any])
    assert_type(like(f.name, "A%") & (f.age > 5), Expression[Any])


def verbs() -> None:
    """Check what the verbs and queries give."""
    with open_db("library", tables=[Author, Book]) as db:
        with db.transaction() as transaction:
            ann = transaction.insert(Author(name="Ann"))
            assert_type(ann, Author)
            titles = ["a", "b"]
            assert_type(transaction.insert_many(Book(title=title, author_id=ann.id) for title in titles), list[Book])
        assert_type(db.get(Book, 1), Book | None)
        assert_type(db.get(Visit, ("AT", 2020)), Visit | None)
        assert_type(db.one(Book, 1), Book)
        assert_type(db.update(Book, 1, Book.year.to(2024), title="x"), Book)
        assert_type(db.upsert(Country(code="AT", name="Austria")), Country)
        assert_type(db.delete(Book, 1), bool)
        assert_type(db.run(lambda tx: tx.insert(Author(name="Bob")).id), int)
        recent = db.query(Book).where(Book.year > 2020, Book.title != "x").order_by(-Book.year, Book.title).limit(20)
        assert_type(recent, Query[Book, Book])
        for book in recent:
            assert_type(book, Book)
        assert_type(recent.first(), Book | None)
        assert_type(recent.one(), Book)
        assert_type(recent.count(), int)
        assert_type(recent.offset(3).all(), list[Book])
        with db.snapshot() as snapshot:
            assert_type(snapshot.query(Author).where(Author.name == "Ann").one_or_none(), Author | None)
        table_from_catalog(db, "Book")
