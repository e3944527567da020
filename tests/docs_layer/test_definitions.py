"""Reading table classes: kinds, keys, indexes, references, and the rules they must obey."""

from collections.abc import Mapping
from types import new_class
from typing import Annotated, Any

import pytest
from msgspec import Meta

from docs_layer import Col, Key, Many, NoSuchField, Ref, SchemaError, Table, auto, col, follow, index, inverse, ref
from docs_layer.definitions import IndexTermDefinition, read_definition
from tests.docs_layer.samples import Author, Book, Category, Country, Everything, Visit

FIVE: Any = 5
TABLES: Mapping[str, type[Table]] = {"Author": Author, "Book": Book, "Category": Category}


def test_kinds_of_all_columns() -> None:
    """Every Python type has its kind; nullable columns are found as such."""
    columns = read_definition(Everything, {}).columns
    assert {name: column.kind for name, column in columns.items()} == {
        "id": "int",
        "number": "int",
        "ratio": "float",
        "text": "str",
        "raw": "bytes",
        "flag": "bool",
        "moment": "datetime",
        "local": "datetime_naive",
        "day": "date",
        "clock": "time",
        "span": "timedelta",
        "amount": "decimal",
        "token": "uuid",
        "items": "list",
        "counts": "dict",
        "address": "struct",
    }
    assert [name for name, column in columns.items() if not column.nullable] == ["id"]


def test_keys_defaults_and_references() -> None:
    """Automatic, given and composite keys; the table a reference leads to; what makes a default."""
    book = read_definition(Book, TABLES)
    assert (book.key, book.automatic) == (("id",), True)
    assert book.columns["author_id"].references == "Author"
    make_tags = book.columns["tags"].default
    assert make_tags is not None
    assert make_tags() == []
    assert book.columns["title"].default is None
    assert read_definition(Category, TABLES).columns["parent"].references == "Category"
    assert (read_definition(Country, {}).key, read_definition(Country, {}).automatic) == (("code",), False)
    assert read_definition(Visit, {}).key == ("country", "year")


def test_indexes_come_from_all_three_places() -> None:
    """Unique columns, declared indexes, and one for a reference that no index begins with."""
    assert [(one.name, one.unique) for one in read_definition(Author, TABLES).indexes] == [("Author_name", True)]
    (compound,) = read_definition(Book, TABLES).indexes
    assert compound.terms == (IndexTermDefinition("author_id", False), IndexTermDefinition("year", True))
    assert [one.name for one in read_definition(Category, TABLES).indexes] == ["Category_parent"]
    assert [one.name for one in read_definition(Visit, {}).indexes] == ["Visit_note", "visits_by_year"]


def _subscripted(annotation: Any, target: str) -> Any:
    """Give what an annotation with a name is at run time."""
    return annotation[target]


def _table(annotations: dict[str, Any], **members: Any) -> type[Table]:
    return new_class("Bad", (Table,), exec_body=lambda body: body.update(members, __annotations__=annotations))


@pytest.mark.parametrize(
    ("annotations", "members", "problem"),
    [
        ({"a": Col[int]}, {}, "no primary key"),
        ({"id": Key[int | None]}, {}, "never null"),
        ({"id": Key[str]}, {"id": auto()}, "one int column"),
        ({"id": Key[int], "b": Key[int]}, {"id": auto()}, "one int column"),
        ({"id": Key[list[int]]}, {}, "stored only"),
        ({"id": Key[int], "a": Col[list[int]]}, {"a": col(unique=True)}, "stored only"),
        ({"id": Key[int], "a": int}, {}, "annotate it"),
        ({"id": Key[int], "a b": Col[int]}, {}, "identifier"),
        ({"id": Key[int], "class": Col[int]}, {}, "identifier"),
        ({"id": Key[int], "a": Col[complex]}, {}, "cannot be stored"),
        ({"id": Key[int], "a": Col[Author]}, {}, "use Ref"),
        ({"id": Key[int], "a": _subscripted(Ref, "Nowhere")}, {"a": ref()}, "not in tables"),
        ({"id": Key[int], "a": Ref[int]}, {"a": ref()}, "no table class"),
        ({"id": Key[int], "a": _subscripted(Col, "Nowhere")}, {}, "Nowhere"),
        ({"id": Key[int], "a": Col[list[int]]}, {"__indexes__": [index("a")]}, "no order"),
        ({"id": Key[int]}, {"__indexes__": [index()]}, "needs columns"),
        ({"id": Key[int]}, {"__indexes__": [index("id", "-id")]}, "each once"),
        ({"id": Key[int]}, {"__indexes__": [index("id"), index("id")]}, "two indexes"),
        ({"id": Key[int], "a": Col[int], "b": Any}, {"b": follow("a")}, "no reference"),
        ({"id": Key[int]}, {"__indexes__": index("id")}, "a list of index"),
        ({"id": Key[int]}, {"__indexes__": ["id"]}, "a list of index"),
        ({"id": Key[int]}, {"__indexes__": [index(FIVE)]}, "over columns"),
        ({"id": Key[int], "a": Col[int]}, {"a": col(max_length=5)}, "max_length"),
        ({"id": Key[int], "a": Col[str]}, {"a": col(max_length=-1)}, "max_length"),
        ({"id": Key[int], "a": Col[Annotated[int, Meta(ge=0)]]}, {}, "check="),
        ({"id": Key[int], "a": Col[Annotated[str, Meta(max_length=5)] | None]}, {}, "check="),
    ],
)
def test_classes_that_cannot_be_used(annotations: dict[str, Any], members: dict[str, Any], problem: str) -> None:
    """Each mistake is a SchemaError that names the table and says what to do."""
    with pytest.raises(SchemaError, match=problem) as caught:
        read_definition(_table(annotations, **members), TABLES)
    assert caught.value.table == "Bad"


@pytest.mark.parametrize(
    "members",
    [{"__indexes__": [index("titel")]}, {"author": follow("titel")}, {"books": inverse("titel")}],
)
def test_names_of_columns_are_checked(members: dict[str, Any]) -> None:
    """Indexes and relations that name no column get the nearest one."""
    annotations: dict[str, Any] = {"id": Key[int], "title": Col[str]}
    annotations |= {"author": Any} if "author" in members else {}
    annotations |= {"books": _subscripted(Many, "Bad")} if "books" in members else {}
    table = _table(annotations, **members)
    with pytest.raises(NoSuchField) as caught:
        read_definition(table, {"Bad": table})
    assert caught.value.nearest == "title"
