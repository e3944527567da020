"""Indexes over elements, computed values, parts of a table, and with included columns answer what a scan answers."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docs_layer import (
    Col,
    Database,
    Expression,
    Key,
    MemoryStore,
    Table,
    all_,
    any_,
    auto,
    col,
    f,
    index,
    lower,
    open_db,
)


class Loose(Table):
    """No index."""

    id: Key[int] = auto()
    name: Col[str] = col(default="")
    year: Col[int | None] = col(default=None)
    tags: Col[list[str]] = col(default_factory=list)
    items: Col[list[dict[str, int]]] = col(default_factory=list)
    facts: Col[dict[str, int]] = col(default_factory=dict)


class Kinds(Table):
    """One index of each kind."""

    id: Key[int] = auto()
    name: Col[str] = col(default="")
    year: Col[int | None] = col(default=None)
    tags: Col[list[str]] = col(default_factory=list)
    items: Col[list[dict[str, int]]] = col(default_factory=list)
    facts: Col[dict[str, int]] = col(default_factory=dict)
    __indexes__ = [
        index("tags[]", "year"),
        index("-items[].price"),
        index("lower(name)"),
        index("facts.a"),
        index("name", where=lambda table: table.year > 3),
        index("year", include=["name", "facts"], name="covering"),
    ]


NAMES = st.sampled_from(["", "a", "A", "b", "B\0"])
YEARS = st.none() | st.integers(1, 6)
TAGS = st.lists(st.sampled_from(["a", "b", "a\0", "c"]), max_size=4)
ITEMS = st.lists(st.dictionaries(st.sampled_from(["price", "count"]), st.integers(0, 4), max_size=2), max_size=3)
FACTS = st.dictionaries(st.sampled_from(["a", "b"]), st.integers(0, 3), max_size=2)
ROWS = st.lists(st.tuples(NAMES, YEARS, TAGS, ITEMS, FACTS), max_size=20)

Build = Callable[[Any], Expression[Any]]

LEAVES: list[tuple[Build, str]] = [
    (lambda t: t.tags.has("a"), "Kinds_tags_year"),
    (lambda t: any_(t.tags) >= "a\0", "Kinds_tags_year"),
    (lambda t: any_(t.tags).in_(["a", "c"]), "Kinds_tags_year"),
    (lambda t: t.tags.has("b") & (t.year > 2), "Kinds_tags_year"),
    (lambda t: any_(t.tags).starts_with("a"), "Kinds_tags_year"),
    (lambda t: any_(t.items, f.price > 1), "Kinds_items_price"),
    (lambda t: any_(t.items, f.price == 3), "Kinds_items_price"),
    (lambda t: lower(t.name) == "a", "Kinds_lower_name"),
    (lambda t: lower(t.name).starts_with("b"), "Kinds_lower_name"),
    (lambda t: t.facts["a"] >= 2, "Kinds_facts_a"),
    (lambda t: (t.year > 4) & (t.name == "a"), "Kinds_name"),
    (lambda t: t.year == 5, "covering"),
]
OTHERS: list[Build] = [
    lambda t: ~t.tags.has("a"),
    lambda t: all_(t.tags) == "a",
    lambda t: t.tags == [],
    lambda t: any_(t.items, (f.price > 1) & (f["count"] < 2)),
    lambda t: t.facts["a"].is_null(),
    lambda t: (t.year > 2) & (t.name == "a"),
    lambda t: lower(t.name) != "a",
]
CONDITIONS = st.sampled_from([build for build, _ in LEAVES] + OTHERS)


def _filled(rows: list[tuple[Any, ...]]) -> Database:
    db = open_db(MemoryStore(), tables=[Loose, Kinds])
    for table in (Loose, Kinds):
        db.insert_many([table(name=a, year=b, tags=c, items=d, facts=e) for a, b, c, d, e in rows])
    return db


@given(ROWS, CONDITIONS, CONDITIONS, st.sampled_from(["&", "|", "~"]))
def test_every_kind_of_index_answers_like_a_scan(
    rows: list[tuple[Any, ...]], left: Build, right: Build, how: str
) -> None:
    """Alone, combined and negated: each row once, the same rows, in the requested order, and the same number."""
    combined: dict[str, Build] = {
        "&": lambda t: left(t) & right(t),
        "|": lambda t: left(t) | right(t),
        "~": lambda t: left(t) & ~right(t),
    }
    both = combined[how]
    with _filled(rows) as db:
        loose, kinds = db.query(Loose).where(both(Loose)), db.query(Kinds).where(both(Kinds))
        wanted = [row.id for row in loose]
        assert sorted(row.id for row in kinds) == wanted
        assert kinds.count() == len(wanted)
        assert [row.id for row in kinds.order_by(-Kinds.id)] == wanted[::-1]
        assert sorted(row.id for batch in kinds.batches(3) for row in batch) == wanted
        alone = kinds.select(Kinds.year, Kinds.name, Kinds.facts, Kinds.id)
        assert sorted(alone, key=repr) == sorted(loose.select(Loose.year, Loose.name, Loose.facts, Loose.id), key=repr)


@pytest.mark.parametrize(("build", "name"), LEAVES)
def test_the_index_is_chosen(build: Build, name: str) -> None:
    """Each condition takes the index that was made for it."""
    with _filled([]) as db:
        assert db.query(Kinds).where(build(Kinds)).explain().path.startswith(f"index {name}:")


def test_an_index_is_not_used_for_what_it_leaves_out() -> None:
    """Orders, negations, lists without elements, and rows outside of a partial index need the rows themselves."""
    with _filled([("a", 5, ["a"], [], {}), ("b", 1, [], [], {})]) as db:
        for build in OTHERS:
            steps = str(db.query(Kinds).where(build(Kinds)).explain())
            assert "Kinds_tags" not in steps
            assert "Kinds_name:" not in steps
        assert db.query(Kinds).order_by(Kinds.name).count() == 2
        assert len(db.query(Kinds).order_by(Kinds.name).all()) == 2
        by_name = db.query(Kinds).where(Kinds.year > 4).order_by(Kinds.name)
        assert len(by_name.all()) == 1


def test_included_columns_are_read_from_the_entries() -> None:
    """A query that asks for nothing else reads no row."""
    with _filled([("a", 5, [], [], {"a": 1}), ("b", 5, [], [], {})]) as db:
        query = db.query(Kinds).where(Kinds.year == 5).select(Kinds.name, Kinds.facts, Kinds.id)
        assert query.explain().path == "index covering alone: 1 range (year = 5)"
        assert query.order_by(-Kinds.name).all() == [("b", {}, 2), ("a", {"a": 1}, 1)]
