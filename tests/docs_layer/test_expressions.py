"""Expressions: what operators build, and what they refuse."""

from collections.abc import Callable
from typing import Any

import pytest

from docs_layer import QueryError
from docs_layer.nodes import AllOf, AnyOf, ColumnNode, Compare, IsIn, Matches, Not
from tests.docs_layer.samples import Author, Book

ANYTHING: Any = True
YEAR = ColumnNode(Book, "year")


def test_operators_build_plain_nodes() -> None:
    """Each operator and method gives the node it is named for."""
    assert (Book.year > 5).node == Compare(YEAR, ">", 5)
    assert (Book.year == None).node == Compare(YEAR, "==", None)  # noqa: E711 - it is an expression
    assert Book.year.is_null().node == Compare(YEAR, "==", None)
    assert (Book.year != 5).node == Compare(YEAR, "!=", 5)
    assert Book.year.in_(iter([1, 2])).node == IsIn(YEAR, (1, 2))
    assert Book.title.starts_with("a").node == Matches(ColumnNode(Book, "title"), "starts_with", "a")
    assert Book.year.between(1, 2).node == AllOf((Compare(YEAR, ">=", 1), Compare(YEAR, "<=", 2)))


def test_combinations_nest() -> None:
    """`&`, `|` and `~` keep their operands."""
    low, high = Book.year < 1, Book.year > 5
    assert (low & high).node == AllOf((low.node, high.node))
    assert (low | high).node == AnyOf((low.node, high.node))
    assert (~low).node == Not(low.node)


@pytest.mark.parametrize(
    "use",
    [
        lambda: bool(Book.year > 5),
        lambda: (Book.year > 3) and (Book.year < 5),
        lambda: 1 < Book.year < 5,
        lambda: not Book.year,
        lambda: 5 in (Book.year, Book.id),
        lambda: (Book.year > 3) & ANYTHING,
    ],
)
def test_an_expression_has_no_truth_value(use: Callable[[], object]) -> None:
    """Python's own `and`, `or`, `not`, chains and `in` are refused with a hint."""
    with pytest.raises(QueryError, match="expression"):
        use()


def test_orders_assignments_and_texts() -> None:
    """A minus makes a descending term, `to` an assignment; all of them print as they can be written."""
    assert (-Book.year).node.descending
    assert Book.year.to(2024).node.value == 2024
    texts: list[Any] = [Book.year, -Book.year, Book.year.to(2024), Author.books]
    assert [repr(one) for one in texts] == ["Book.year", "-Book.year", "set_(Book.year, 2024)", "Author.books"]


def test_columns_can_be_dictionary_keys() -> None:
    """A column hashes by what it names, although `==` builds an expression."""
    assert hash(Book.year) == hash(Book.__members__["year"])  # type: ignore[attr-defined]  # the metaclass's own
