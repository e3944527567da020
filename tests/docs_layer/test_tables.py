"""Table classes: rows are frozen structs, the class answers with expressions."""

import copy
import pickle
from types import new_class
from typing import Any

import msgspec
import pytest

from docs_layer import (
    Col,
    Column,
    Key,
    NoSuchField,
    RefColumn,
    Relation,
    SchemaError,
    Table,
    ValidationError,
    asdict,
    auto,
    from_dict,
    replace,
)
from docs_layer.tables import struct_fields, table_name
from tests.docs_layer.samples import Author, Book


def test_rows_are_values() -> None:
    """Rows compare by value, copy, pickle, match patterns and print their columns."""
    book = Book(id=5, title="Emma", author_id=1, tags=["a"])
    assert book == Book(id=5, title="Emma", author_id=1, tags=["a"]) != Book(id=6, title="Emma", author_id=1)
    assert pickle.loads(pickle.dumps(book)) == copy.deepcopy(book) == book  # noqa: S301 - our own bytes
    assert repr(book) == "Book(id=5, title='Emma', year=None, author_id=1, tags=['a'])"
    assert replace(book, year=1815).year == 1815
    with pytest.raises(NoSuchField):
        replace(book, yeer=1815)


def test_a_new_row_has_no_automatic_key_yet() -> None:
    """The key of a row that was not inserted is UNSET, and default factories run for each row."""
    first, second = Book(title="a", author_id=1), Book(title="b", author_id=1)
    assert asdict(first)["id"] is msgspec.UNSET
    assert first.tags is not second.tags


def test_rows_are_frozen_and_keyword_only() -> None:
    """Neither assignment nor positional construction works."""
    row: Any = Book(title="a", author_id=1)
    with pytest.raises(AttributeError):
        row.title = "b"
    make: Any = Book
    with pytest.raises(TypeError):
        make("a")


def test_the_class_answers_with_expressions() -> None:
    """Columns, references and relations are what their annotations say; a subclass inherits them."""

    class Novel(Book):
        pages: Col[int]

    kinds: list[tuple[Any, type]] = [(Book.year, Column), (Book.author_id, RefColumn), (Author.books, Relation)]
    assert all(type(member) is kind for member, kind in kinds)
    assert Novel.year.node.table is Book
    assert Novel.pages.node.table is Novel
    assert struct_fields(Novel)[-1] == "pages"


def test_unknown_names_are_refused_with_the_nearest() -> None:
    """Typing errors on the class, on a row and in a mapping name the column that was meant."""
    table: Any = Book
    row: Any = Book(title="a", author_id=1)
    for use in (lambda: table.titel, lambda: row.titel, lambda: from_dict(Book, {"titel": "a"})):
        with pytest.raises(NoSuchField) as caught:
            use()
        assert caught.value.nearest == "title"
    assert not hasattr(table, "nothing")


def test_a_relation_of_a_row_is_not_loaded() -> None:
    """Reading a relation never reads the database; it says so."""
    with pytest.raises(AttributeError, match="not loaded"):
        _ = Book(title="a", author_id=1).author


def test_rows_and_mappings_convert_without_touching_the_mapping() -> None:
    """`from_dict` and `asdict` are inverse; a missing value names its column."""
    values = {"id": 1, "title": "a", "year": None, "author_id": 2, "tags": ["x"]}
    before = copy.deepcopy(values)
    assert asdict(from_dict(Book, values)) == values == before
    with pytest.raises(ValidationError) as caught:
        from_dict(Book, {"title": "a"})
    assert caught.value.field == "author_id"


def test_table_names_and_bad_class_bodies() -> None:
    """A class may name its table; names that begin with an underscore are no columns."""

    class Renamed(Table):
        __table_name__ = "books"
        id: Key[int] = auto()

    assert (table_name(Renamed), table_name(Book)) == ("books", "Book")
    with pytest.raises(SchemaError, match="underscore"):
        new_class("Bad", (Table,), exec_body=lambda body: body.update(__annotations__={"_x": Col[int]}))
