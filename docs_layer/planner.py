"""From a bound query to a plan: which path to read, what to test, how to order. Pure; never touches a store.

Candidates are every path whose ranges are bounded by the condition, two such paths together where both give rows in the
order of the primary key, and, for an `or`, a path for each side, which drops rows that satisfy an earlier side, so
nothing has to be remembered. The cheapest one by estimated entries wins; among equals, and where nobody can estimate:
whole keys beat ranges; more components with known values beat fewer; a bounded component beats none; then the path
that gives the requested order, then the primary key. What no path serves is read whole and filtered; an order that no
path gives is sorted by the cursor. Values in, value out: the cursor that executes a plan knows nothing of these rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Final, NamedTuple

from docs_layer.conditions import (
    ALWAYS,
    NULL_SET,
    Condition,
    Some,
    Within,
    columns_of,
    conjuncts,
    every,
    implies,
    negate,
)
from docs_layer.elements import Repeats, element_set
from docs_layer.intervals import IntervalSet, intersection
from docs_layer.key_paths import KeyPath, PathFit, PathTerm, covered_columns, fit_path
from docs_layer.ordering import OrderTerm, without_repeats
from docs_layer.plans import Branch, Plan
from docs_layer.values import ColumnShape, is_multiple

Estimate = Callable[[bytes, bytes], int]
"""From a range of keys to a guess of how many entries it holds."""

# What a row costs, in units of a row that is scanned: measured over MemoryStore, about 1 µs each.
_FETCHED_ROW: Final = 2.0
_ENTRY: Final = 0.3
_DECODED_ENTRY: Final = 1.0
_SORTED_ROW: Final = 1.0
_ESTIMATED_RANGES: Final = 16


class Wanted(NamedTuple):
    """What a plan is made for.

    Attributes:
        condition: What rows must satisfy.
        order: Requested order, most significant term first.
        columns: Names of the columns that are looked at beside the condition's, None for whole rows.
        unique: Whether of rows that are equal in the order only the first is wanted.
    """

    condition: Condition
    order: tuple[OrderTerm, ...] = ()
    columns: frozenset[str] | None = None
    unique: bool = False


def make_plan(wanted: Wanted, paths: Sequence[KeyPath], estimate: Estimate | None = None) -> Plan:
    """Choose how to find the rows of a query.

    Args:
        wanted: The query.
        paths: The primary key, then the indexes that are ready.
        estimate: Statistics; None to decide by the rules alone.
    """
    condition = wanted.condition
    if isinstance(condition, Some) and not condition.parts:
        return Plan((), (), wanted.order)
    wanted = wanted._replace(order=without_repeats(_placed(condition, wanted.order)))
    return _choose(wanted, paths, estimate)._replace(order=wanted.order, unique=wanted.unique, columns=wanted.columns)


def _choose(wanted: Wanted, paths: Sequence[KeyPath], estimate: Estimate | None) -> Plan:
    condition, order = wanted.condition, wanted.order
    choices = list(_choices(condition, wanted, paths))
    single = _best(choices, estimate)
    if _is_selective(single.fit):
        return _single_plan(single, wanted, choices, estimate)
    union = _union(wanted, paths, estimate)
    if union is not None:
        return Plan(union, order, suggestion=None)
    plan = _single_plan(single, wanted, (), None)
    if condition == ALWAYS and single.ordered:
        return plan
    return plan._replace(is_full_scan=True, suggestion=_suggest(condition, order))


def _placed(condition: Condition, order: Sequence[OrderTerm]) -> list[OrderTerm]:
    """Drop placements of nulls that the condition leaves out anyway."""
    sets = _sets(condition)
    return [
        term._replace(nulls=None) if not intersection(sets.get(term.column, NULL_SET), NULL_SET) else term
        for term in order
    ]


def _sets(condition: Condition) -> dict[ColumnShape, IntervalSet]:
    """Return what the condition says of single values, and of elements of lists."""
    found = {}
    for part in conjuncts(condition):
        if isinstance(part, Within):
            found[part.column] = part.values
        elif (elements := element_set(part)) is not None:
            found.setdefault(*elements)
    return found


class _Choice(NamedTuple):
    fit: PathFit
    condition: Condition
    ordered: bool
    reverse: bool
    index_only: bool


def _choices(condition: Condition, wanted: Wanted, paths: Sequence[KeyPath]) -> Iterator[_Choice]:
    """Give each path with what it can do for a condition."""
    sets = _sets(condition)
    for path in paths:
        if not implies(condition, path.where):
            continue
        fit = fit_path(path, sets)
        if path.is_multiple and not any(is_multiple(column) for column in fit.served):
            continue  # a row without elements has no entry
        ordered, reverse = (True, False) if fit.keys and not wanted.order else _serves_order(fit, wanted.order)
        yield _Choice(fit, condition, ordered, reverse, _is_covering(fit, condition, wanted))


def _is_covering(fit: PathFit, condition: Condition, wanted: Wanted) -> bool:
    """Whether the entries of a path hold everything that a query looks at."""
    if wanted.columns is None or fit.path.number == 0 or fit.keys or fit.path.is_multiple:
        return False
    sets = _sets(condition)
    left = every(part for part in conjuncts(condition) if not _is_served(part, fit, sets))
    names = covered_columns(fit.path)
    return wanted.columns | columns_of(left) | {term.column.column for term in wanted.order} <= names


def _is_served(part: Condition, fit: PathFit, sets: Mapping[ColumnShape, IntervalSet]) -> bool:
    """Whether everything that a path leads to answers a part of the condition."""
    if isinstance(part, Within) and part.column in fit.served:
        return True
    elements = element_set(part)
    if elements is not None and elements[0] in fit.served:
        return sets[elements[0]] == elements[1]  # of several conditions on elements of one list a path serves the first
    return part in conjuncts(fit.path.where)


def _is_selective(fit: PathFit) -> bool:
    return fit.equal_count > 0 or fit.has_range or fit.path.where != ALWAYS


def _best(choices: Sequence[_Choice], estimate: Estimate | None) -> _Choice:
    """Return the best single path; the first one wins among equals."""
    selective = [choice for choice in choices if _is_selective(choice.fit)]
    if estimate is None or len(selective) < 2 or any(choice.fit.keys for choice in selective):
        return max(choices, key=_score)
    return min(selective, key=lambda choice: (_cost(choice, estimate), tuple(-part for part in _score(choice))))


def _score(choice: _Choice) -> tuple[float, ...]:
    fit = choice.fit
    known = fit.equal_count + (0.5 if fit.has_range else 0.0)
    return bool(fit.keys), known, choice.ordered, choice.index_only


def _cost(choice: _Choice, estimate: Estimate) -> float:
    """Estimate what reading a path costs, sorting included."""
    entries = _entries(choice.fit, estimate)
    per_row = _DECODED_ENTRY if choice.index_only or choice.fit.path.number == 0 else _FETCHED_ROW
    return entries * (per_row + (0.0 if choice.ordered else _SORTED_ROW))


def _entries(fit: PathFit, estimate: Estimate) -> float:
    """Guess how many entries a path's ranges hold; of many ranges only some are looked at."""
    if fit.keys:
        return len(fit.keys)
    shown = fit.ranges[:: max(1, len(fit.ranges) // _ESTIMATED_RANGES)]
    found = sum(estimate(start, stop) for start, stop in shown)
    return max(1.0, found * len(fit.ranges) / max(1, len(shown)))


def _serves_order(fit: PathFit, order: Sequence[OrderTerm]) -> tuple[bool, bool]:
    """Return whether reading the path gives the order, and whether it must be read downwards for it."""
    wanted = [term for term in order if term.column not in fit.fixed]
    if fit.path.is_multiple and wanted:
        return False, False
    given = given_order(fit)
    if len(wanted) > len(given):
        wanted = wanted[: len(given)]  # the whole primary key precedes: later terms decide nothing
    for reverse in (False, True):
        if all(_runs(have, want, reverse) for have, want in zip(given, wanted, strict=False)):
            return True, reverse
    return False, False


def given_order(fit: PathFit) -> list[PathTerm]:
    """Return the components in whose order a path's rows come; those with one value decide nothing."""
    if fit.path.is_multiple:
        return []
    given: dict[ColumnShape, PathTerm] = {}
    for term in (*fit.path.terms, *fit.path.tail):
        if term.column not in fit.fixed:
            given.setdefault(term.column, term)
    return list(given.values())


def _runs(have: PathTerm, want: OrderTerm, reverse: bool) -> bool:
    return have.column == want.column and want.nulls is None and (have.descending != want.descending) == reverse


def _single_plan(single: _Choice, wanted: Wanted, choices: Sequence[_Choice], estimate: Estimate | None) -> Plan:
    branch = _branch(single, ALWAYS)
    both = _intersection(single, choices, estimate)
    if both is not None:
        return Plan((both,), wanted.order)
    suggestion = None if single.ordered else _suggest(wanted.condition, wanted.order)
    return Plan((branch,), () if single.ordered else wanted.order, suggestion=suggestion)


def _branch(choice: _Choice, excluded: Condition) -> Branch:
    """Separate what the path ensures from what must be tested; `excluded` is tested as well."""
    parts = conjuncts(choice.condition)
    sets = _sets(choice.condition)
    served = [part for part in parts if _is_served(part, choice.fit, sets)]
    left = every([*(part for part in parts if part not in served), excluded])
    fit = choice.fit
    repeats = _repeats(choice.fit, parts)
    return Branch(fit.path, fit.keys, fit.ranges, choice.reverse, every(served), left, choice.index_only, repeats)


def _repeats(fit: PathFit, parts: Sequence[Condition]) -> Repeats | None:
    """Return which elements are read, if one row may have several of them."""
    for part in parts:
        elements = element_set(part)
        if fit.path.is_multiple and elements is not None and elements[0] in fit.served:
            return None if elements[0] in fit.fixed else Repeats(*elements)
    return None


def _intersection(single: _Choice, choices: Sequence[_Choice], estimate: Estimate | None) -> Branch | None:
    """Return two indexes read together, where that is cheaper than one and rows are many."""
    if estimate is None or single.fit.keys or single.index_only:
        return None
    best = _cost(single, estimate)
    found: Branch | None = None
    for left, right in combinations([choice for choice in choices if _gives_primary_keys(choice.fit)], 2):
        entries = sorted((_entries(left.fit, estimate), _entries(right.fit, estimate)))
        whole = max(1, estimate(choices[0].fit.path.prefix, choices[0].fit.path.prefix + b"\xff"))
        rows = entries[0] * min(1.0, entries[1] / whole)
        cost = sum(entries) * _ENTRY + rows * (_FETCHED_ROW + _SORTED_ROW)
        if cost < best:
            best, found = cost, _both(left, right)
    return found


def _gives_primary_keys(fit: PathFit) -> bool:
    """Whether a path gives one run of rows in the order of the primary key."""
    is_whole = fit.equal_count == len(fit.path.terms)
    plain = not fit.path.unique and not fit.path.is_multiple
    return fit.path.number > 0 and len(fit.ranges) == 1 and is_whole and plain


def _both(left: _Choice, right: _Choice) -> Branch:
    first = _branch(left._replace(reverse=False), ALWAYS)
    second = _branch(right._replace(reverse=False), ALWAYS)
    sets = _sets(right.condition)
    condition = every(part for part in conjuncts(first.condition) if not _is_served(part, right.fit, sets))
    return first._replace(condition=condition, served=every((first.served, second.served)), also=(second,))


def _union(wanted: Wanted, paths: Sequence[KeyPath], estimate: Estimate | None) -> tuple[Branch, ...] | None:
    """Split at the first `or` whose branches are all served by a path."""
    parts = conjuncts(wanted.condition)
    whole = wanted._replace(columns=None, order=())
    for part in parts:
        if not isinstance(part, Some):
            continue
        rest = [other for other in parts if other is not part]
        sides = [every([side, *rest]) for side in part.parts]
        choices = [_best(list(_choices(side, whole, paths)), estimate) for side in sides]
        if all(_is_selective(choice.fit) for choice in choices):
            earlier = [every(negate(one) for one in part.parts[:place]) for place in range(len(choices))]
            return tuple(_branch(choice, excluded) for choice, excluded in zip(choices, earlier, strict=True))
    return None


def _suggest(condition: Condition, order: Sequence[OrderTerm]) -> str | None:
    """Return a declaration: columns with known values, then the order, else one bounded column."""
    leaves = [part for part in conjuncts(condition) if isinstance(part, Within) and part.column.source is None]
    equal = [leaf.column.name for leaf in leaves if all(one.is_point for one in leaf.values)]
    bounded = [leaf.column.name for leaf in leaves if leaf.column.name not in equal]
    names = list(equal)
    if order and not bounded:
        plain = [term for term in order if term.column.source is None and term.nulls is None]
        names += [
            ("-" if term.descending else "") + term.column.name for term in plain if term.column.name not in equal
        ]
    else:
        names += bounded[:1]
    return f"index({', '.join(repr(name) for name in names)})" if names else None
