"""Conditions in the catalog: golden bytes, the way back, and damage."""

from typing import Any

import msgspec
import pytest

from docs_layer import QueryError, any_, exists, f, has, length, lower
from docs_layer.document_codec import encode_document
from docs_layer.stored_conditions import condition_bytes, condition_of
from tests.docs_layer.samples import Book, Everything

FIELDS = {"id": 1, "title": 2, "year": 3, "author_id": 4, "tags": 5}
NAMES = {number: name for name, number in FIELDS.items()}


@pytest.mark.parametrize(
    ("condition", "stored"),
    [
        (Book.year > 5, ["compare", ["column", 3], ">", 5]),
        (Book.year == None, ["compare", ["column", 3], "==", None]),  # noqa: E711 - it is an expression
        (Book.year.in_([1, 2]), ["in", ["column", 3], [1, 2]]),
        (lower(Book.title) == "x", ["compare", ["call", "lower", ["column", 2]], "==", "x"]),
        (Book.title.like("a%", ignore_case=True), ["matches", ["column", 2], "like", "a%", True]),
        (exists(Book.tags[0]), ["exists", ["step", ["column", 5], 0]]),
        (has(Book.tags, "x"), ["has", ["column", 5], ["compare", ["root"], "==", "x"]]),
        (any_(Book.tags) != "x", ["compare", ["element", ["column", 5], False], "!=", "x"]),
        (
            any_(Book.tags, f.a["b"] > 1),
            ["has", ["column", 5], ["compare", ["step", ["step", ["root"], "a"], "b"], ">", 1]],
        ),
        (~(Book.year < 1) | (length(Book.title) >= 2) & (Book.id < 9), None),
    ],
)
def test_conditions_come_back(condition: Any, stored: list[Any] | None) -> None:
    """Each kind of condition has this form, today and in every later version."""
    found = condition_bytes(condition.node, FIELDS)
    if stored is not None:
        assert msgspec.msgpack.decode(found) == stored
    assert condition_of(found, NAMES, Book) == condition.node


def test_what_cannot_be_stored() -> None:
    """A comparison with another column, and a constant of a foreign type."""
    anything: Any = object()
    with pytest.raises(QueryError, match="constants only"):
        condition_bytes((Book.year > Book.id).node, FIELDS)
    with pytest.raises(QueryError, match="cannot be stored"):
        condition_bytes((Book.year == anything).node, FIELDS)
    with pytest.raises(KeyError):
        condition_bytes((Everything.number > 5).node, FIELDS)


@pytest.mark.parametrize(
    "stored",
    [
        5,
        [],
        ["unknown", ["column", 3]],
        ["compare", ["column", 99], "<", 1],
        ["compare", ["column", 3], "<>", 1],
        ["compare", ["pillar", 3], "<", 1],
        ["compare", ["call", "eval", ["column", 3]], "<", 1],
        ["matches", ["column", 2], "glob", "x", False],
        ["in", ["column", 2], 5],
        ["compare"],
    ],
)
def test_damage_is_an_error(stored: Any) -> None:
    """Never anything but `ValueError`, which the catalog turns into corruption."""
    with pytest.raises(ValueError):
        condition_of(encode_document(stored)[0], NAMES, Book)
