"""Tests of text, of lists, of what lies inside a value, and comparisons of two values: each against Python's own."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docs_layer import (
    Database,
    Expression,
    MemoryStore,
    QueryError,
    all_,
    any_,
    at,
    between,
    contains,
    ends_with,
    exists,
    f,
    has,
    in_,
    is_null,
    length,
    like,
    lower,
    matches,
    open_db,
    starts_with,
    upper,
)
from docs_layer.conditions import Scope, bind, negate
from docs_layer.nodes import Not
from docs_layer.predicates import compile_predicate, describe
from docs_layer.values import ELEMENT
from tests.docs_layer.samples import Address, Author, Book, Everything

DOCUMENTS = Scope("documents", object, {}, ELEMENT)
ANYTHING: Any = 5


def holds(expression: Expression[Any], document: object) -> bool:
    """Tell whether a document answers an expression over `f`."""
    predicate = compile_predicate(bind(expression.node, DOCUMENTS))
    return predicate is None or bool(predicate(document))


@pytest.fixture
def shelf() -> Database:
    """Give a database with books whose titles, years and tags differ."""
    db = open_db(MemoryStore(), tables=[Author, Book, Everything])
    ann = db.insert(Author(name="Ann"))
    rows: list[tuple[str, int | None, list[str]]] = [
        ("Emma", 1815, ["novel", "lsm"]),
        ("emma 100%", 1, []),
        ("Straße_1", None, ["Novel"]),
        ("EMMA\n2", 3, ["a", "b", "lsm tree"]),
    ]
    db.insert_many(Book(title=title, year=year, author_id=ann.id, tags=tags) for title, year, tags in rows)
    return db


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        (Book.title.contains("mm"), {1, 2}),
        (Book.title.contains("MM", ignore_case=True), {1, 2, 4}),
        (~Book.title.contains("mm"), {3, 4}),
        (Book.title.starts_with("em"), {2}),
        (Book.title.starts_with("EM", ignore_case=True), {1, 2, 4}),
        (Book.title.ends_with("2"), {4}),
        (Book.title.ends_with("SSE_1", ignore_case=True), {3}),
        (Book.title.like("%mm%"), {1, 2}),
        (Book.title.like("emma%"), {2}),
        (Book.title.like("EMMA%", ignore_case=True), {1, 2, 4}),
        (Book.title.like(r"%\%"), {2}),
        (Book.title.like(r"%\_1"), {3}),
        (Book.title.like("____"), {1}),
        (Book.title.like("EMMA_2"), {4}),
        (Book.title.like("Emma"), {1}),
        (~Book.title.like("E%a"), {2, 3, 4}),
        (Book.title.matches(r"^[a-z]+ \d"), {2}),
        (Book.title.matches("^emma$", ignore_case=True), {1}),
        (Book.tags.has("lsm"), {1}),
        (any_(Book.tags).starts_with("lsm"), {1, 4}),
        (any_(Book.tags) == "Novel", {3}),
        (all_(Book.tags).contains("novel", ignore_case=True), {2, 3}),
        (~any_(Book.tags).contains("o"), {2, 4}),
        (all_(Book.tags) != "a", {1, 2, 3}),
        (any_(Book.tags, starts_with(f, "l") & ends_with(f, "m")), {1}),
        (length(Book.tags) >= 2, {1, 4}),
        (length(Book.title) == 4, {1}),
        (lower(Book.title) == "emma", {1}),
        (upper(Book.title).starts_with("EMMA"), {1, 2, 4}),
        (Book.tags[0] == "novel", {1}),
        (Book.tags[-1] == "b", set()),
        (Book.tags[5].is_null(), {1, 2, 3, 4}),
        (Book.tags == [], {2}),
        (Book.tags == ["Novel"], {3}),
        (Book.year > Book.id, {1}),
        (~(Book.year > Book.id), {2, 3, 4}),
        (Book.year < Book.id, {2, 4}),
        (Book.year != Book.author_id, {1, 3, 4}),
        (Book.year == Book.author_id, {2}),
    ],
)
def test_tests_of_text_lists_and_values(shelf: Database, condition: Expression[Book], wanted: set[int]) -> None:
    """Each operation finds the books it should, and its negation finds exactly the others."""
    everything = {1, 2, 3, 4}
    assert {book.id for book in shelf.query(Book).where(condition)} == wanted
    assert {book.id for book in shelf.query(Book).where(~condition)} == everything - wanted
    assert shelf.query(Book).where(condition).count() == len(wanted)


def test_what_lies_in_a_struct_or_dict(shelf: Database) -> None:
    """Items, fields and places are values like columns: compared, ordered, absent where the way leads nowhere."""
    shelf.insert_many(
        [
            Everything(address=Address(city="Wien", zip=1010), counts={"a": 2}, items=[3, 4]),
            Everything(address=Address(city="Graz"), counts={"a": 1, "b": 5}),
            Everything(),
        ]
    )
    query = shelf.query(Everything)
    assert [row.id for row in query.where(Everything.address["city"] == "Wien")] == [1]
    assert [row.id for row in query.where(at(Everything.counts, lambda counts: (counts or {})["a"]) < 2)] == [2]
    assert [row.id for row in query.where(Everything.address["zip"].is_null())] == [2, 3]
    assert [row.id for row in query.where(any_(Everything.items) > 3)] == [1]
    assert [row.id for row in query.order_by(-Everything.address["city"])] == [1, 2, 3]
    assert [row.id for row in query.order_by(Everything.address["city"].nulls_last())] == [2, 1, 3]
    assert [row.id for row in query.where(Everything.address["city"].like("G%"))] == [2]


MIXED = [None, False, True, -1, 0, 0.5, 1, 10**30, float("nan"), "", "a", b"", b"\xff", [], [1], ["a"], {}, {"a": 1}]


def test_the_mixed_order_is_total() -> None:
    """Null, bool, numbers, text, bytes, lists, dicts have one order, in which no two differing values are equal."""
    places = [
        place
        for place, value in enumerate(MIXED)
        for other in MIXED[place + 1 :]
        if holds(f.x == f.y, {"x": value, "y": other})
    ]
    assert places == []


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        (f.x == None, [None]),  # noqa: E711 - it is an expression
        (f.x > 0, [0.5, 1, 10**30, float("nan")]),
        (f.x <= 0.5, [-1, 0, 0.5]),
        (f.x >= "a", ["a"]),
        (f.x < "a", [""]),
        (f.x >= False, [False, True]),
        (f.x > False, [True]),
        (f.x < [1], [[]]),
        (f.x == 1, [1]),
        (f.x.y == None, MIXED),  # noqa: E711 - it is an expression
        (starts_with(f.x, ""), ["", "a"]),
        (like(f.x, "%"), ["", "a"]),
        (in_(f.x, [None, True, b""]), [None, True, b""]),
        (between(f.x, 0, 1), [0, 0.5, 1]),
        (has(f.x, "a"), [["a"]]),
        (length(f.x) == 1, ["a", b"\xff", [1], ["a"], {"a": 1}]),
        (exists(f.x.a), [{"a": 1}]),
        (is_null(f.x[0]), [value for value in MIXED if value not in ([1], ["a"])]),
        (f["x"]["a"] == 1, [{"a": 1}]),
        (contains(f.x, "a"), ["a"]),
        (matches(f.x, "^$"), [""]),
    ],
)
def test_comparisons_without_a_type_stay_in_the_type(condition: Expression[Any], wanted: list[Any]) -> None:
    """An order comparison holds for values of the constant's type only; its negation for all others."""
    found = [value for value in MIXED if holds(condition, {"x": value})]
    assert repr(found) == repr(wanted)
    others = [value for value in MIXED if holds(Expression(Not(condition.node)), {"x": value})]
    assert len(found) + len(others) == len(MIXED)


def test_absent_is_not_null_for_exists() -> None:
    """Missing and null are equal, and told apart by `exists` alone."""
    assert holds(f.a == None, {})  # noqa: E711 - it is an expression
    assert holds(exists(f.a), {"a": None})
    assert not holds(exists(f.a), {})
    assert holds(f["odd key"][1].z == 5, {"odd key": [0, {"z": 5}]})


def test_conditions_on_one_element_hold_together() -> None:
    """`any_` with a condition looks at one element at a time; two `any_` may find two elements."""
    document = {"items": [{"price": 9, "sold": False}, {"price": 1, "sold": True}]}
    assert not holds(any_(f.items, (f.price > 5) & (f.sold == True)), document)  # noqa: E712 - it is an expression
    assert holds(any_(f.items, f.price > 5) & any_(f.items, f.sold == True), document)  # noqa: E712 - it is an expression
    assert holds(any_(f.items, any_(f.tags) == 1), {"items": [{"tags": [2]}, {"tags": [1]}]})


@pytest.mark.parametrize(
    ("use", "problem"),
    [
        (lambda: starts_with(Book.year, "2"), "is for a str column"),
        (lambda: Book.title.like(ANYTHING), "is for a str column"),
        (lambda: Book.title.matches("("), "no regular expression"),
        (lambda: any_(Book.title) == "a", "has no elements"),
        (lambda: any_(Book.tags, any_(any_(f)) == 1), "lists in lists"),
        (lambda: Book.title["a"] == 1, "nothing lies in a str"),
        (lambda: lower(ANYTHING), "a column such as"),
        (lambda: length(Book.year) == 1, "no meaning for a int"),
        (lambda: f.year == 1, "f stands for a document"),
        (lambda: Book.tags == object(), "has no order"),
        (lambda: Book.title > Book.year, "cannot be compared"),
        (lambda: at(Book.tags, lambda _: 5) == 1, "attributes and items"),
        (lambda: Book.tags[ANYTHING == 5], "a name or a place"),
    ],
)
def test_what_has_no_meaning_is_refused(shelf: Database, use: Callable[[], Any], problem: str) -> None:
    """Each misuse is a QueryError that says what is wrong, when the query is written."""
    with pytest.raises(QueryError, match=problem):
        shelf.query(Book).where(use())


TEXT = st.text(alphabet="ab%_\\A\n", max_size=6)


@given(TEXT, TEXT)
def test_like_is_what_its_expression_says(pattern: str, text: str) -> None:
    """A pattern by an index range and a test, and a plain translation into a regular expression, agree."""
    parts = re.findall(r"\\.|\\$|[^\\]", pattern, re.DOTALL)
    wildcards = {"%": ".*", "_": "."}
    wanted = re.compile(
        "".join(wildcards.get(part) or re.escape(part[1:] if len(part) == 2 else part) for part in parts), re.DOTALL
    )
    assert holds(like(f.x, pattern), {"x": text}) == bool(wanted.fullmatch(text))


def test_leaves_are_described_and_negated() -> None:
    """Every leaf says in words what it tests, also when it is negated; a second negation gives it back."""
    condition = bind((like(f.x, "%a") | exists(f.y) | any_(f.z, f > 1) | (f.a < f.b)).node, DOCUMENTS)
    text = "f.x like '%a' or exists(f.y) or any_(f.z, f > 1) or f.a < f.b"
    assert describe(condition) == text
    assert describe(negate(condition)) == " and ".join(f"not {part}" for part in text.split(" or "))
    assert negate(negate(condition)) == condition
