"""One order and one meaning, whatever path a query takes: by scan, by each index, and by the documented order."""

import math
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docs_layer import Col, Column, Database, Expression, Key, MemoryStore, Order, Table, auto, col, index, open_db
from docs_layer.key_encoding import component_encoder


class Bare(Table):
    """Columns without any index, so that conditions are tested row by row."""

    id: Key[int] = auto()
    a: Col[int | None] = col(default=None)
    b: Col[str] = col(default="")
    c: Col[float | None] = col(default=None)


class Indexed(Table):
    """The same columns with indexes in many shapes."""

    id: Key[int] = auto()
    a: Col[int | None] = col(default=None)
    b: Col[str] = col(default="")
    c: Col[float | None] = col(default=None)
    __indexes__ = [
        index("a", "-b"),
        index("-b", "a"),
        index("-c"),
        index("b", "c", "a"),
        index("-a", "-c", "b"),
        index("b", "id", unique=True),
    ]


NUMBERS = st.sampled_from([None, -(2**63), -1, 0, 1, 2, 2**63 - 1])
TEXTS = st.sampled_from(["", "\0", "a", "a\0", "a\0b", "ab", "b", "\uffff", "\U0010ffff", "\U0010ffff\U0010ffff"])
FLOATS = st.sampled_from([None, -math.inf, -1.5, -0.0, 0.0, 1.0, 2.5, math.inf, math.nan])
ROWS = st.lists(st.tuples(NUMBERS, TEXTS, FLOATS), max_size=25)

BOTH: tuple[Any, ...] = (Bare, Indexed)

Condition = tuple[Callable[[Any], Expression[Any]], Callable[[tuple[Any, ...]], bool]]
"""A condition on either class, and its meaning for a row (a, b, c)."""

PLACES = {"a": 0, "b": 1, "c": 2}
ENCODERS = {"a": component_encoder("int"), "b": component_encoder("str"), "c": component_encoder("float")}


def _compared(name: str, operator: str, value: Any) -> Condition:
    def build(table: Any) -> Expression[Any]:
        column = getattr(table, name)
        result: Expression[Any] = getattr(column, operator)(value)
        return result

    def holds(row: tuple[Any, ...]) -> bool:
        found, wanted = ENCODERS[name](row[PLACES[name]]), ENCODERS[name](value)
        if operator in {"__eq__", "__ne__"}:
            return (found == wanted) is (operator == "__eq__")
        if row[PLACES[name]] is None:
            return False
        result: bool = getattr(found, operator)(wanted)
        return result

    return build, holds


def _begins(text: str) -> Condition:
    return (lambda table: table.b.starts_with(text)), (lambda row: row[1].startswith(text))


def _one_of(values: list[int | None]) -> Condition:
    return (lambda table: table.a.in_(values)), (lambda row: row[0] in values)


def _not(part: Condition) -> Condition:
    return (lambda table: ~part[0](table)), (lambda row: not part[1](row))


def _and(left: Condition, right: Condition) -> Condition:
    return (lambda table: left[0](table) & right[0](table)), (lambda row: left[1](row) and right[1](row))


def _or(left: Condition, right: Condition) -> Condition:
    return (lambda table: left[0](table) | right[0](table)), (lambda row: left[1](row) or right[1](row))


EQUALITY = st.sampled_from(["__eq__", "__ne__"])
ORDERING = st.sampled_from(["__lt__", "__le__", "__gt__", "__ge__"])
LEAVES = st.one_of(
    st.builds(_compared, st.just("a"), EQUALITY, NUMBERS),
    st.builds(_compared, st.just("a"), ORDERING, NUMBERS.filter(lambda value: value is not None)),
    st.builds(_compared, st.just("b"), EQUALITY | ORDERING, TEXTS),
    st.builds(_compared, st.just("c"), EQUALITY, FLOATS),
    st.builds(_compared, st.just("c"), ORDERING, FLOATS.filter(lambda value: value is not None)),
    st.builds(_begins, TEXTS),
    st.builds(_one_of, st.lists(NUMBERS, max_size=4)),
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.builds(_not, inner) | st.builds(_and, inner, inner) | st.builds(_or, inner, inner),
    max_leaves=6,
)
ORDERS = st.lists(st.tuples(st.sampled_from(["a", "b", "c", "id"]), st.booleans()), max_size=3)


def _order_terms(table: Any, order: Sequence[tuple[str, bool]]) -> list[Order[Any] | Column[Any, Any]]:
    return [-getattr(table, name) if descending else getattr(table, name) for name, descending in order]


def _order_key(row: Any, order: Sequence[tuple[str, bool]]) -> bytes:
    """Encode the terms of an order, which documents it; `key_encoding` has its own tests of that."""
    encoders = {"a": "int", "b": "str", "c": "float", "id": "int"}
    parts = [component_encoder(encoders[name], descending)(getattr(row, name)) for name, descending in order]
    return b"".join(parts) + b"\x01"


def _filled(rows: Sequence[tuple[Any, ...]]) -> Database:
    db = open_db(MemoryStore(), tables=[Bare, Indexed])
    for table in (Bare, Indexed):
        db.insert_many([table(a=a, b=b, c=c) for a, b, c in rows])
    return db


@given(ROWS, CONDITIONS)
def test_every_path_finds_what_the_condition_means(rows: list[tuple[Any, ...]], condition: Condition) -> None:
    """A condition finds the same rows by scan and by index: those for which its parts hold."""
    build, holds = condition
    wanted = [place for place, row in enumerate(rows, 1) if holds(row)]
    with _filled(rows) as db:
        for table in BOTH:
            query = db.query(table).where(build(table))
            assert sorted(row.id for row in query) == wanted
            assert query.count() == len(wanted)
            assert query.exists() is bool(wanted)


@given(ROWS, CONDITIONS, ORDERS, st.integers(0, 6), st.integers(0, 3))
def test_every_path_gives_the_requested_order(
    rows: list[tuple[Any, ...]], condition: Condition, order: list[tuple[str, bool]], limit: int, offset: int
) -> None:
    """Order, limit and offset give the same sort keys by sort and by index, and only rows that were asked for."""
    build, holds = condition
    with _filled(rows) as db:
        for table in BOTH:
            stored = {row.id: row for row in db.query(table)}
            found = [stored[place] for place, row in enumerate(rows, 1) if holds(row)]
            keys = sorted(_order_key(row, order) for row in found)
            query = db.query(table).where(build(table)).order_by(*_order_terms(table, order))
            assert [_order_key(row, order) for row in query] == keys
            part = query.limit(limit).offset(offset).all()
            assert [_order_key(row, order) for row in part] == keys[offset : offset + limit]
            assert {row.id for row in part} <= {row.id for row in found}


@given(ROWS, CONDITIONS)
def test_a_transaction_sees_the_same_as_a_snapshot(rows: list[tuple[Any, ...]], condition: Condition) -> None:
    """Rows that were inserted in the same transaction are found by every path."""
    build, holds = condition
    db = open_db(MemoryStore(), tables=[Bare, Indexed])
    with db.transaction() as transaction:
        transaction.insert_many([Indexed(a=a, b=b, c=c) for a, b, c in rows])
        found = sorted(row.id for row in transaction.query(Indexed).where(build(Indexed)))
    assert found == [place for place, row in enumerate(rows, 1) if holds(row)]


KIND_VALUES: list[tuple[type, list[Any]]] = [
    (int, [-5, 0, 7]),
    (float, [-1.5, 0.0, 2.25]),
    (str, ["", "a", "ä"]),
    (bytes, [b"", b"\0", b"z"]),
    (bool, [False, True]),
    (datetime, [datetime(1, 1, 2, tzinfo=UTC), datetime(2024, 2, 29, 1, 2, 3, 4, tzinfo=UTC)]),
    (date, [date(1, 1, 1), date(2024, 2, 29)]),
    (time, [time(0), time(23, 59, 59, 999_999)]),
    (timedelta, [timedelta(days=-3), timedelta(0), timedelta(microseconds=1)]),
    (Decimal, [Decimal("-1.5"), Decimal(0), Decimal("1.10"), Decimal("1e10")]),
    (UUID, [UUID(int=0), UUID(int=5), UUID(int=2**128 - 1)]),
]


@pytest.mark.parametrize(("kind", "values"), KIND_VALUES, ids=[kind.__name__ for kind, _ in KIND_VALUES])
@pytest.mark.parametrize("descending", [False, True])
def test_each_kind_is_compared_and_ordered_alike_by_scan_and_index(
    kind: Any, values: list[Any], descending: bool
) -> None:
    """Every kind round-trips, and each comparison with each value agrees between a scan and an index."""

    class Plain(Table):
        id: Key[int] = auto()
        value: Col[kind | None] = col(default=None)

    class Ordered(Table):
        id: Key[int] = auto()
        value: Col[kind | None] = col(default=None)
        __indexes__ = [index("-value" if descending else "value")]

    with open_db(MemoryStore(), tables=[Plain, Ordered]) as db:
        for table in (Plain, Ordered):
            db.insert_many([table(value=value) for value in [*reversed(values), None]])
        assert [row.value for row in db.query(Ordered).order_by(Ordered.value)] == [None, *values]
        assert [row.value for row in db.query(Plain).order_by(-Plain.value)] == [*reversed(values), None]
        for value in values:
            for operator in ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"):
                by_scan = db.query(Plain).where(getattr(Plain.value, operator)(value))
                by_index = db.query(Ordered).where(getattr(Ordered.value, operator)(value))
                assert "full scan" in by_scan.explain(run=False).path
                assert "index" in by_index.explain(run=False).path
                assert sorted(row.id for row in by_scan) == sorted(row.id for row in by_index)
        assert db.verify().is_sound
