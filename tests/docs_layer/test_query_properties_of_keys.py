"""Queries against a plain loop over the rows: composite keys, every direction, unique nulls, odd values."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from functools import partial
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from docs_layer import Col, Database, Expression, Key, MemoryStore, Table, UniqueViolation, col, index, open_db
from docs_layer.key_encoding import component_encoder

HOUR = timedelta(hours=1)
MIDNIGHT = datetime(2024, 1, 1, tzinfo=UTC)
TEXTS = ["", "\0", "a", "a\0", "a\0b", "ab", "\0\xff", "\ud7ff", "\ue000", "\U0010ffff"]
RAW = [b"", b"\0", b"\0\xff", b"\xff", b"\xff\xff", b"a", b"a\0", b"\1"]
AMOUNTS = ["-Infinity", "-1.5", "-1.50", "-0", "1E+3", "1000", "1.1", "1.10", "NaN", "12345678901234567890.1"]
VALUES: dict[str, list[Any]] = {
    "name": TEXTS,
    "part": RAW,
    "number": [-(2**63), -1, 0, 1, 2**63 - 1],
    "year": [None, -(2**63), 0, 1, 2**63 - 1],
    "text": [None, *TEXTS],
    "amount": [None, *map(Decimal, AMOUNTS)],
    "moment": [
        None,
        MIDNIGHT,
        MIDNIGHT + HOUR,
        (MIDNIGHT + HOUR).astimezone(timezone(HOUR)),
        datetime.min.replace(tzinfo=UTC),
    ],
    "flag": [False, True],
}
KINDS = {
    "name": "str",
    "part": "bytes",
    "number": "int",
    "year": "int",
    "text": "str",
    "amount": "decimal",
    "moment": "datetime",
    "flag": "bool",
}
ENCODERS = {
    (name, descending): component_encoder(kind, descending)
    for name, kind in KINDS.items()
    for descending in (False, True)
}


class Thing(Table):
    """A key of three columns, and an index of every shape."""

    name: Key[str]
    part: Key[bytes]
    number: Key[int]
    year: Col[int | None] = col(default=None)
    text: Col[str | None] = col(default=None)
    amount: Col[Decimal | None] = col(default=None)
    moment: Col[datetime | None] = col(default=None)
    flag: Col[bool] = col(default=False)
    __indexes__ = [
        index("-text", "part", "-year"),
        index("amount", "-moment"),
        index("flag", "-name"),
        index("moment", "flag", "-part"),
        index("-part", "text", unique=True),
        index("year", "-text", "number", unique=True),
        index("-number", "-part", "-name", unique=True),
    ]


Condition = tuple[Expression[Any], Callable[[Thing], bool]]
"""A condition, and what it means for a row."""


def _identity(row: Thing) -> tuple[str, bytes, int]:
    return row.name, row.part, row.number


def _key(row: Thing, order: list[tuple[str, bool]]) -> bytes:
    return b"".join(ENCODERS[term](getattr(row, term[0])) for term in order) + b"\x01"


def _compared(operator: str, name: str, value: Any) -> Condition:
    encode = ENCODERS[name, False]

    def holds(row: Thing) -> bool:
        found = getattr(row, name)
        is_compared = operator in {"__eq__", "__ne__"} or (found is not None and value is not None)
        return is_compared and bool(getattr(encode(found), operator)(encode(value)))

    return getattr(getattr(Thing, name), operator)(value), holds


def _one_of(name: str, values: list[Any]) -> Condition:
    encode = ENCODERS[name, False]
    keys = {encode(value) for value in values}
    return getattr(Thing, name).in_(values), lambda row: encode(getattr(row, name)) in keys


def _begins(prefix: str) -> Condition:
    return Thing.text.starts_with(prefix), lambda row: row.text is not None and row.text.startswith(prefix)


def _not(part: Condition) -> Condition:
    return ~part[0], lambda row: not part[1](row)


def _and(left: Condition, right: Condition) -> Condition:
    return left[0] & right[0], lambda row: left[1](row) and right[1](row)


def _or(left: Condition, right: Condition) -> Condition:
    return left[0] | right[0], lambda row: left[1](row) or right[1](row)


def _leaves(name: str) -> st.SearchStrategy[Condition]:
    values = st.sampled_from(VALUES[name])
    ordering = st.sampled_from(["__lt__", "__le__", "__gt__", "__ge__"])
    return st.one_of(
        st.builds(partial(_compared, "__eq__", name), values),
        st.builds(partial(_compared, "__ne__", name), values),
        st.builds(_compared, ordering, st.just(name), values.filter(lambda value: value is not None)),
        st.builds(partial(_one_of, name), st.lists(values, max_size=4)),
    )


LEAVES = st.sampled_from(sorted(VALUES)).flatmap(_leaves) | st.builds(_begins, st.sampled_from(TEXTS))
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.builds(_not, inner) | st.builds(_and, inner, inner) | st.builds(_or, inner, inner),
    max_leaves=5,
)
ROWS = st.lists(st.fixed_dictionaries({name: st.sampled_from(values) for name, values in VALUES.items()}), max_size=30)
ORDERS = st.lists(st.tuples(st.sampled_from(sorted(VALUES)), st.booleans()), max_size=3)


def _fill(db: Database, rows: list[dict[str, Any]]) -> list[Thing]:
    """Insert what clashes with nothing; return what is stored."""
    for values in rows:
        try:
            db.insert(Thing(**values))
        except UniqueViolation:
            continue
    return db.query(Thing).all()


@given(ROWS, st.lists(CONDITIONS, min_size=1, max_size=4), ORDERS, st.integers(0, 8), st.integers(0, 4))
def test_queries_give_what_a_loop_gives(
    rows: list[dict[str, Any]], conditions: list[Condition], order: list[tuple[str, bool]], limit: int, offset: int
) -> None:
    """The rows, their order, a part of them, and their number, on a snapshot and in a transaction."""
    with open_db(MemoryStore(), tables=[Thing]) as db:
        stored = _fill(db, rows)
        assert db.verify().is_sound
        terms: list[Any] = [-getattr(Thing, name) if down else getattr(Thing, name) for name, down in order]
        for expression, holds in conditions:
            wanted = [row for row in stored if holds(row)]
            keys = sorted(_key(row, order) for row in wanted)
            with db.transaction() as transaction:
                for query in (db.query(Thing).where(expression), transaction.query(Thing).where(expression)):
                    found = query.order_by(*terms).all()
                    assert [_key(row, order) for row in found] == keys
                    assert sorted(map(_identity, found)) == sorted(map(_identity, wanted))
                    assert query.count() == len(wanted)
                    window = query.order_by(*terms).limit(limit).offset(offset)
                    assert [_key(row, order) for row in window] == keys[offset : offset + limit]
                    assert window.count() == len(keys[offset : offset + limit])
