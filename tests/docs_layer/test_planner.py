"""Plans as values: which path is chosen, what it ensures, what is left to test, how the order is given."""

from collections.abc import Sequence

import pytest

from docs_layer.conditions import ALWAYS, NEVER, Condition, Every, Within, every, negate, some
from docs_layer.intervals import HIGHEST, Cut, between, point, union
from docs_layer.key_encoding import component_encoder
from docs_layer.key_paths import KeyPath, PathTerm
from docs_layer.ordering import OrderTerm
from docs_layer.planner import Wanted, make_plan
from docs_layer.plans import Plan, describe_plan
from docs_layer.values import ColumnShape

ID = ColumnShape("id", "int", nullable=False)
AUTHOR = ColumnShape("author", "int", nullable=True)
YEAR = ColumnShape("year", "int", nullable=True)
NAME = ColumnShape("name", "str", nullable=True)

KEY = (PathTerm(ID, False),)
PRIMARY = KeyPath("primary key", b"\x01\x00", KEY, (), 0, unique=True)
BY_AUTHOR = KeyPath("by_author", b"\x01\x10", (PathTerm(AUTHOR, False), PathTerm(YEAR, True)), KEY, 1, unique=False)
BY_NAME = KeyPath("by_name", b"\x01\x11", (PathTerm(NAME, False),), KEY, 2, unique=True)
BY_YEAR = KeyPath("by_year", b"\x01\x12", (PathTerm(YEAR, False),), KEY, 3, unique=False)
PATHS = (PRIMARY, BY_AUTHOR, BY_NAME, BY_YEAR)


def _planned(condition: Condition, order: Sequence[OrderTerm], paths: Sequence[KeyPath]) -> Plan:
    return make_plan(Wanted(condition, tuple(order)), paths)


def _is(column: ColumnShape, *values: int | str | None) -> Condition:
    encode = component_encoder(column.kind)
    return Within(column, union(point(encode(value), value) for value in values))


def _above(column: ColumnShape, value: int) -> Condition:
    return Within(column, between(Cut(component_encoder(column.kind)(value), 1, value), HIGHEST))


def _up(column: ColumnShape) -> OrderTerm:
    return OrderTerm(column, descending=False)


def _down(column: ColumnShape) -> OrderTerm:
    return OrderTerm(column, descending=True)


@pytest.mark.parametrize(
    ("condition", "path", "served", "left"),
    [
        (ALWAYS, PRIMARY, ALWAYS, ALWAYS),
        (_is(ID, 5), PRIMARY, _is(ID, 5), ALWAYS),
        (_is(NAME, "a"), BY_NAME, _is(NAME, "a"), ALWAYS),
        (_is(AUTHOR, 1), BY_AUTHOR, _is(AUTHOR, 1), ALWAYS),
        (_above(YEAR, 1), BY_YEAR, _above(YEAR, 1), ALWAYS),
        (every([_above(YEAR, 1), _is(AUTHOR, 1)]), BY_AUTHOR, every([_is(AUTHOR, 1), _above(YEAR, 1)]), ALWAYS),
        (every([_above(YEAR, 1), _above(AUTHOR, 1)]), BY_AUTHOR, _above(AUTHOR, 1), _above(YEAR, 1)),
        (every([_is(ID, 5), _is(AUTHOR, 1)]), PRIMARY, _is(ID, 5), _is(AUTHOR, 1)),
        (every([_is(NAME, None), _is(AUTHOR, 1)]), BY_AUTHOR, _is(AUTHOR, 1), _is(NAME, None)),
    ],
)
def test_the_best_path_is_chosen(condition: Condition, path: KeyPath, served: Condition, left: Condition) -> None:
    """Whole keys, then known values, then a bounded component; the rest of the condition is left as a filter."""
    (branch,) = _planned(condition, (), PATHS).branches
    assert branch.path is path
    assert set(_parts(branch.served)) == set(_parts(served))
    assert branch.condition == left


def _parts(condition: Condition) -> tuple[Condition, ...]:
    return condition.parts if isinstance(condition, Every) else (condition,)


@pytest.mark.parametrize(
    ("condition", "order", "path", "reverse", "is_sorted"),
    [
        (ALWAYS, [_up(ID)], PRIMARY, False, False),
        (ALWAYS, [_down(ID)], PRIMARY, True, False),
        (ALWAYS, [_up(ID), _down(NAME)], PRIMARY, False, False),
        (ALWAYS, [_up(AUTHOR), _down(YEAR)], BY_AUTHOR, False, False),
        (ALWAYS, [_down(AUTHOR), _up(YEAR)], BY_AUTHOR, True, False),
        (ALWAYS, [_down(AUTHOR), _up(YEAR), _down(ID)], BY_AUTHOR, True, False),
        (ALWAYS, [_up(AUTHOR), _up(YEAR)], PRIMARY, False, True),
        (ALWAYS, [_up(YEAR), _up(ID)], BY_YEAR, False, False),
        (_is(AUTHOR, 1), [_up(YEAR)], BY_AUTHOR, True, False),
        (_is(AUTHOR, 1), [_up(AUTHOR), _down(YEAR)], BY_AUTHOR, False, False),
        (_is(AUTHOR, 1, 2), [_down(YEAR)], BY_AUTHOR, False, True),
        (_is(AUTHOR, 1, 2), [_up(AUTHOR), _down(YEAR)], BY_AUTHOR, False, False),
        (_is(NAME, "a"), [_up(YEAR)], BY_NAME, False, True),
    ],
)
def test_an_order_is_served_or_sorted(
    condition: Condition, order: list[OrderTerm], path: KeyPath, reverse: bool, is_sorted: bool
) -> None:
    """A path gives its own order in both directions, leaving out columns that have one value; all else is sorted."""
    plan = _planned(condition, order, PATHS)
    (branch,) = plan.branches
    assert (branch.path, branch.reverse, bool(plan.sort)) == (path, reverse, is_sorted)


def test_whole_keys_are_read_one_by_one() -> None:
    """Known primary keys and unique values are points; a null among them makes a range."""
    (by_key,) = _planned(_is(ID, 3, 1), (), PATHS).branches
    encode = component_encoder("int")
    assert (by_key.keys, by_key.ranges) == ((b"\x01\x00" + encode(1), b"\x01\x00" + encode(3)), ())
    (by_name,) = _planned(_is(NAME, "a", None), (), PATHS).branches
    assert (by_name.keys, len(by_name.ranges)) == ((), 2)


def test_an_or_is_split_only_if_every_branch_has_a_path() -> None:
    """Branches take their own paths and exclude the earlier ones; otherwise the table is read once."""
    first, second = _is(AUTHOR, 1), _is(NAME, "a")
    plan = _planned(some([first, second]), (), PATHS)
    assert [branch.path for branch in plan.branches] == [BY_AUTHOR, BY_NAME]
    assert plan.branches[1].condition == negate(first)
    other = ColumnShape("other", "int", nullable=True)
    single = _planned(some([first, _is(other, 1)]), (), PATHS)
    assert (len(single.branches), single.is_full_scan) == (1, True)


def test_too_many_points_are_read_as_one_range() -> None:
    """Beyond the limit a path is read from the lowest to the highest value, with a filter."""
    years = _is(YEAR, *range(200))
    (branch,) = _planned(every([_is(AUTHOR, *range(200)), years]), (), (PRIMARY, BY_AUTHOR)).branches
    assert (len(branch.ranges), branch.condition) == (200, years)
    keys = _is(ID, *range(20_000))
    (branch,) = _planned(keys, (), PATHS).branches
    encode = component_encoder("int")
    assert branch.ranges == ((b"\x01\x00" + encode(0), b"\x01\x00" + encode(19_999) + b"\xff"),)
    assert branch.condition == keys


def test_a_contradiction_reads_nothing() -> None:
    """A condition that can never hold has no branches."""
    plan = _planned(NEVER, [_up(ID)], PATHS)
    assert (plan.branches, describe_plan(plan)) == ((), ["nothing to read: the condition can never hold"])


@pytest.mark.parametrize(
    ("condition", "order", "suggestion"),
    [
        (_is(NAME, "a"), [], "index('name')"),
        (every([_above(AUTHOR, 1), _is(NAME, "a")]), [], "index('name', 'author')"),
        (_is(NAME, "a"), [_down(AUTHOR), _up(NAME)], "index('name', '-author')"),
        (ALWAYS, [_down(AUTHOR)], "index('-author')"),
    ],
)
def test_a_suggestion_would_serve_the_query(condition: Condition, order: list[OrderTerm], suggestion: str) -> None:
    """Without indexes the plan says which one is missing; with it there is no full scan."""
    plan = _planned(condition, order, (PRIMARY,))
    assert (plan.is_full_scan, plan.suggestion) == (True, suggestion)
    columns = {"name": NAME, "author": AUTHOR}
    names = [name.strip("' ") for name in suggestion.removeprefix("index(").removesuffix(")").split(",")]
    terms = tuple(PathTerm(columns[name.removeprefix("-")], name.startswith("-")) for name in names)
    helped = _planned(condition, order, (PRIMARY, KeyPath("suggested", b"\x01\x13", terms, KEY, 4, unique=False)))
    assert not helped.is_full_scan
    assert not helped.sort
