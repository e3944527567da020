"""Selected values, distinct results, index-only reads, two indexes at once: each against a loop over the rows."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docs_layer import Col, Database, Key, MemoryStore, QueryError, Table, auto, col, index, length, lower, open_db
from docs_layer.ordering import order_term, sort_key
from docs_layer.values import ColumnShape, Source, Step
from tests.docs_layer.samples import Author, Book
from tests.docs_layer.test_query_properties import BOTH, CONDITIONS, ROWS, Condition, _filled


def test_selected_values_are_given_bare_or_as_tuples(library: Database) -> None:
    """One value as it is, several as a tuple, computed ones too; the order and the window are those of the rows."""
    books = library.query(Book).order_by(-Book.id)
    assert books.select(Book.title).limit(2).all() == ["book 5", "book 4"]
    assert books.select(Book.title, Book.year).offset(4).all() == [("book 1", None), ("book 0", 2001)]
    assert books.select(lower(Book.title), length(Book.tags), Book.id).first() == ("book 5", 0, 6)
    assert books.select(Book.year).where(Book.year.is_null()).one() is None
    with pytest.raises(QueryError):
        books.select()
    with pytest.raises(QueryError):
        wrong: Any = Author.name
        books.select(wrong)


def _term(name: str) -> Any:
    kinds = {"a": "int", "b": "str", "c": "float", "id": "int"}
    return order_term(ColumnShape(name, kinds[name], nullable=True), False, None, "t")


@given(ROWS, CONDITIONS, st.lists(st.sampled_from(["a", "b", "c", "id"]), min_size=1, max_size=3, unique=True))
def test_distinct_values_come_once_in_order(
    rows: list[tuple[Any, ...]], condition: Condition, names: list[str]
) -> None:
    """Equal is what the documented order calls equal; limits count results."""
    build, holds = condition
    key = sort_key([_term(name) for name in names])
    with _filled(rows) as db:
        for table in BOTH:
            query = db.query(table).where(build(table)).select(*(getattr(table, name) for name in names)).distinct()
            stored = [row for place, row in enumerate(db.query(table).all()) if holds(rows[place])]
            wanted = sorted({key(row) for row in stored})
            found = query.all()
            shape = _as_row(names)
            assert [key(shape(one)) for one in found] == wanted
            assert query.count() == len(wanted)
            assert repr(query.limit(2).offset(1).all()) == repr(found[1:3])


def _as_row(names: list[str]) -> Any:
    class Row:
        def __init__(self, value: Any) -> None:
            values = value if len(names) > 1 else (value,)
            for name, one in zip(names, values, strict=True):
                setattr(self, name, one)

    return Row


def test_distinct_results_are_ordered_by_what_is_selected(library: Database) -> None:
    """Descending works; an order by something else has no meaning; without select nothing changes."""
    books = library.query(Book)
    years = books.select(Book.year).distinct()
    assert years.all() == [None, 1999, 2001, 2010, 2020]
    assert years.order_by(-Book.year).limit(2).all() == [2020, 2010]
    with pytest.raises(QueryError, match="ordered by what is selected"):
        years.order_by(Book.title)
    assert books.distinct().count() == 6


class Sale(Table):
    """Two indexes that hold each other's rows in the order of the primary key."""

    id: Key[int] = auto()
    shop: Col[int]
    item: Col[int]
    day: Col[int | None] = col(default=None)
    price: Col[float] = col(default=1.0)
    __indexes__ = [index("shop"), index("item"), index("day", "shop")]


def _sales(count: int) -> Database:
    db = open_db(MemoryStore(), tables=[Sale])
    db.insert_many(Sale(shop=n % 7, item=n % 11, day=n % 5 or None) for n in range(count))
    return db


def test_two_indexes_are_read_side_by_side_where_that_is_cheaper() -> None:
    """Rows that both indexes name are fetched, no others; with a filter, in an order, in a transaction as well."""
    db = _sales(3_000)
    both = (Sale.shop == 3) & (Sale.item == 4)
    query = db.query(Sale).where(both)
    wanted = [n + 1 for n in range(3_000) if n % 7 == 3 and n % 11 == 4]
    explanation = query.explain()
    assert explanation.steps[1].strip().startswith("and index Sale_")
    assert (explanation.rows_read, explanation.rows_returned) == (len(wanted), len(wanted))
    assert [sale.id for sale in query] == wanted
    assert [sale.id for sale in query.where(Sale.day == 1)] == [key for key in wanted if (key - 1) % 5 == 1]
    assert [sale.id for sale in query.order_by(-Sale.id).limit(2)] == wanted[::-1][:2]
    assert query.count() == len(wanted)
    pages = [sale.id for batch in query.batches(10) for sale in batch]
    assert pages == wanted
    with db.transaction() as transaction:
        transaction.insert(Sale(shop=3, item=4))
        assert transaction.query(Sale).where(both).count() == len(wanted) + 1


def test_statistics_choose_between_indexes() -> None:
    """Of two indexes with known values the one with fewer entries is read."""
    db = open_db(MemoryStore(), tables=[Sale])
    db.insert_many(Sale(shop=1, item=n) for n in range(500))
    rare = db.query(Sale).where(Sale.shop == 1, Sale.item == 7).explain()
    assert (rare.path, rare.rows_read) == ("index Sale_item: 1 range (item = 7)", 1)


def test_entries_that_hold_everything_are_read_alone() -> None:
    """No row is read where an index has what is selected, tested and ordered by; otherwise rows are."""
    db = _sales(100)
    query = db.query(Sale).where(Sale.day == 2)
    alone = query.select(Sale.shop, Sale.id)
    assert alone.explain().path == "index Sale_day_shop alone: 1 range (day = 2)"
    wanted = sorted((n % 7, n + 1) for n in range(100) if n % 5 == 2)
    assert alone.all() == wanted
    assert alone.order_by(-Sale.id).all() == sorted(wanted, key=lambda pair: -pair[1])
    assert alone.where(Sale.shop > 3).all() == [pair for pair in wanted if pair[0] > 3]
    assert query.select(Sale.shop).distinct().all() == list(range(7))
    assert query.select(Sale.price).explain().path == "index Sale_day_shop: 1 range (day = 2)"
    assert query.where(Sale.price > 0).select(Sale.shop).explain().path == "index Sale_day_shop: 1 range (day = 2)"


def test_nulls_are_placed_where_they_are_asked_for(library: Database) -> None:
    """First or last in both directions, whether an index gives the order or not; usual places cost no sort."""
    books = library.query(Book)
    years = [1999, 2001, 2001, 2010, 2020]
    down = years[::-1]
    assert books.order_by(Book.year.nulls_last()).select(Book.year).all() == [*years, None]
    assert books.order_by(Book.year.nulls_first()).select(Book.year).all() == [None, *years]
    assert books.order_by((-Book.year).nulls_first()).select(Book.year).all() == [None, *down]
    assert books.order_by((-Book.year).nulls_last()).select(Book.year).all() == [*down, None]
    by_ann = books.where(Book.author_id == 1)
    assert "sort" not in str(by_ann.order_by((-Book.year).nulls_last()).explain())
    assert "sort by -year nulls first" in str(by_ann.order_by((-Book.year).nulls_first()).explain())
    assert "sort" not in str(by_ann.where(Book.year > 0).order_by((-Book.year).nulls_first()).explain())


STEPS: tuple[Step, ...] = ("a", 0)


def test_shapes_of_computed_values_sort_in_the_mixed_order() -> None:
    """A value without a type sorts by type first."""
    term = order_term(ColumnShape("x.a[0]", "any", nullable=True, source=Source("", STEPS)), True, None, "t")
    values: list[Any] = [1, "a", None, 0.5, [1], {}]
    found = sorted(({"a": [value]} for value in values), key=sort_key([term]))
    assert [row["a"][0] for row in found] == [{}, [1], "a", 1, 0.5, None]
