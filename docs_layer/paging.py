"""Pages of a query: a complete order, a place in it, and the plan that goes on from there. Pure.

Owns what makes a place unique: the order that was asked for, then what the chosen path gives anyway, then the primary
key. The first page decides that order and its tokens carry it, so a later page is right whatever path serves it. Where
a path gives the order, its ranges are cut at the place and nothing before it is read; otherwise rows are compared
with the place by their sort keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Generic, NamedTuple

from typing_extensions import TypeVar

from docs_layer.conditions import Condition, Within, conjuncts
from docs_layer.errors import InvalidTokenError
from docs_layer.intervals import IntervalSet
from docs_layer.key_encoding import INVERTED, needs_end_marker
from docs_layer.key_paths import KeyPath, KeyRange, fit_path
from docs_layer.ordering import END, OrderTerm, reversed_order, sort_part, without_repeats
from docs_layer.page_tokens import Place, fingerprint
from docs_layer.planner import Estimate, Wanted, given_order, make_plan
from docs_layer.plans import Branch, Plan
from docs_layer.requests import Bound
from docs_layer.values import ColumnShape

Result = TypeVar("Result")

_BEHIND: Final = b"\xff"
_NULLS: Final = {None: "", "first": "<", "last": ">"}


class Page(NamedTuple, Generic[Result]):
    """Some rows of a query, and the tokens of their neighbours.

    Attributes:
        rows: At most as many as were asked for.
        next: Token of the page behind it for `after=`, None if there is none.
        previous: Token of the page before it for `before=`, None if there is none.
    """

    rows: list[Result]
    next: str | None
    previous: str | None


class PagePlan(NamedTuple):
    """The plan of one page, and the order that places its rows."""

    plan: Plan
    order: tuple[OrderTerm, ...]


def plan_page(bound: Bound, place: Place | None, backward: bool, estimate: Estimate | None) -> PagePlan:
    """Return the plan of the rows behind a place, or before it, nearest first; of all rows without a place.

    Raises:
        InvalidTokenError: The place is one of another query, or of columns that are gone.
    """
    order = _complete_order(bound, estimate) if place is None else _order_of(bound, place)
    wanted = bound.wanted._replace(columns=None)
    direction = reversed_order(order) if backward else order
    plan = make_plan(wanted._replace(order=direction), bound.table.paths, estimate)
    if place is None:
        return PagePlan(plan, order)
    parts = [part.translate(INVERTED) for part in place.parts] if backward else place.parts
    return PagePlan(_plan_behind(plan, wanted, parts), order)


def page_mark(bound: Bound) -> bytes:
    """Return the mark of a query: the same in every process, another one for other conditions or orders."""
    order = [(term.column.name, term.descending, term.nulls) for term in bound.order]
    return fingerprint(repr((bound.table.name, bound.condition, order)))


def place_of(bound: Bound, order: Sequence[OrderTerm], row: Any) -> Place:
    """Return the place of a row in a complete order."""
    return Place(page_mark(bound), tuple(map(_term_name, order)), tuple(sort_part(term)(row) for term in order))


def _complete_order(bound: Bound, estimate: Estimate | None) -> tuple[OrderTerm, ...]:
    """Add to the requested order what the chosen path gives anyway, and the primary key."""
    sets = _sets(bound.condition)
    key = [OrderTerm(term.column, descending=False) for term in bound.table.paths[0].terms]
    plan = make_plan(bound.wanted._replace(columns=None), bound.table.paths, estimate)
    more: list[OrderTerm] = []
    if len(plan.branches) == 1 and not plan.sort and not plan.branches[0].also:
        branch = plan.branches[0]
        given = given_order(fit_path(branch.path, sets))
        more = [OrderTerm(term.column, term.descending != branch.reverse) for term in given]
    order = without_repeats([*bound.order, *more, *key])
    kept = tuple(term for term in order if not _is_fixed(sets, term.column))
    return kept or order[:1]


def _order_of(bound: Bound, place: Place) -> tuple[OrderTerm, ...]:
    """Read the order of a token; every value that a query or a path names may stand in it."""
    if place.fingerprint != page_mark(bound):
        raise InvalidTokenError("the page token belongs to another query")
    known: dict[str, ColumnShape] = {term.column.name: term.column for term in bound.order}
    for path in bound.table.paths:
        known.update({term.column.name: term.column for term in (*path.terms, *path.tail)})
    order = tuple(_term_named(name, known) for name in place.terms)
    if not order or len(without_repeats(order)) < len(order):
        raise InvalidTokenError("this is no page token")
    return order


def _term_name(term: OrderTerm) -> str:
    return f"{'-' if term.descending else ''}{term.column.name}{_NULLS[term.nulls]}"


def _term_named(name: str, known: Mapping[str, ColumnShape]) -> OrderTerm:
    column = name.removeprefix("-").rstrip("<>")
    if column not in known:
        raise InvalidTokenError(f"the page token speaks of {column}, which is gone; begin with the first page")
    nulls = {"<": "first", ">": "last"}.get(name[-1:])
    return OrderTerm(known[column], name.startswith("-"), nulls)  # type: ignore[arg-type]  # the values of the dict


def _sets(condition: Condition) -> dict[ColumnShape, IntervalSet]:
    return {part.column: part.values for part in conjuncts(condition) if isinstance(part, Within)}


def _is_fixed(sets: Mapping[ColumnShape, IntervalSet], column: ColumnShape) -> bool:
    return len(sets.get(column, ())) == 1 and sets[column][0].is_point


def _plan_behind(plan: Plan, wanted: Wanted, parts: Sequence[bytes]) -> Plan:
    """Leave out what lies before a place: by cutting the ranges of the path, or by comparing sort keys."""
    if len(plan.branches) == 1 and not plan.sort and not plan.branches[0].also and not plan.branches[0].keys:
        branch = plan.branches[0]
        components = {term.column: part for term, part in zip(plan.order, parts, strict=True)}
        directions = {term.column: term.descending for term in plan.order}
        position = _position(branch.path, components, directions, _sets(wanted.condition))
        if position is not None:
            return plan._replace(branches=(_cut(branch, position),))
    return plan._replace(after=b"".join(parts) + END)


def _position(
    path: KeyPath,
    components: Mapping[ColumnShape, bytes],
    directions: Mapping[ColumnShape, bool],
    sets: Mapping[ColumnShape, IntervalSet],
) -> bytes | None:
    """Return the key of the row at a place; None if the place does not say all of it."""
    key = path.prefix
    has_null = False
    for place, term in enumerate((*path.terms, *path.tail)):
        if place == len(path.terms) and path.unique and not has_null:
            kinds = [(one.column.kind, one.descending) for one in path.terms]
            return key + (END if needs_end_marker(kinds) else b"")
        if term.column in components:
            part = components[term.column]
            is_descending = directions[term.column]
        elif _is_fixed(sets, term.column):
            part, is_descending = sets[term.column][0].low.encoded, False
        else:
            return None
        has_null = has_null or (len(part) == 1 and part in _NULL_PARTS)
        key += part if is_descending == term.descending else part.translate(INVERTED)
    return key


_NULL_PARTS: Final = (b"\x10", b"\xef")


def _cut(branch: Branch, position: bytes) -> Branch:
    """Keep what lies behind a key in the direction of a branch."""
    ranges: list[KeyRange] = []
    for start, stop in branch.ranges:
        if branch.reverse:
            ranges.append((start, min(stop, position)))
        else:
            ranges.append((max(start, position + _BEHIND), stop))
    return branch._replace(ranges=tuple(one for one in ranges if one[0] < one[1]))
