"""From a bound query to a plan: which path to read, what to test, how to order. Pure; never touches a store.

Rules, in this order: whole keys beat ranges; more components with known values beat fewer; a bounded component beats
none; among equals the path that gives the requested order wins, then the primary key. A condition that no path serves
as a whole is split at an `or`: each branch takes its own path and drops rows that satisfy an earlier branch, so
nothing has to be remembered. What no path serves is read whole and filtered; an order that no path gives is sorted by
the cursor. Values in, value out: the cursor that executes a plan knows nothing of these rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from docs_layer.conditions import (
    ALWAYS,
    NULL_SET,
    Condition,
    Some,
    Within,
    conjuncts,
    every,
    negate,
)
from docs_layer.intervals import intersection
from docs_layer.key_paths import KeyPath, KeyRange, PathFit, PathTerm, fit_path
from docs_layer.ordering import OrderTerm, describe_term, without_repeats
from docs_layer.predicates import describe


class Branch(NamedTuple):
    """One path to read.

    Attributes:
        keys: Whole keys to get, or empty: then `ranges` are scanned.
        ranges: Ascending and disjoint.
        reverse: Whether they are read downwards.
        served: What the ranges ensure by themselves.
        condition: What is left to test on each row.
    """

    path: KeyPath
    keys: tuple[bytes, ...]
    ranges: tuple[KeyRange, ...]
    reverse: bool
    served: Condition
    condition: Condition


class Plan(NamedTuple):
    """What a cursor executes.

    Attributes:
        branches: Read one after another; without any there is nothing to find.
        sort: Terms to sort by; empty if the order is served or none was asked for.
        is_full_scan: Whether the whole table is read to filter or to sort it.
        suggestion: Text of an index that would avoid that, or None.
    """

    branches: tuple[Branch, ...]
    sort: tuple[OrderTerm, ...]
    is_full_scan: bool = False
    suggestion: str | None = None


def make_plan(condition: Condition, order: Sequence[OrderTerm], paths: Sequence[KeyPath]) -> Plan:
    """Choose how to find the rows of a query.

    Args:
        condition: What rows must satisfy.
        order: Requested order, most significant term first.
        paths: The primary key, then the indexes that are ready.
    """
    if isinstance(condition, Some) and not condition.parts:
        return Plan((), ())
    order = without_repeats(_placed(condition, order))
    single = _best(condition, order, paths)
    if _is_selective(single.fit):
        return _single_plan(single, order)
    union = _union(condition, paths)
    if union is not None:
        return Plan(union, tuple(order))
    plan = _single_plan(single, order)
    if condition == ALWAYS and single.ordered:
        return plan
    return plan._replace(is_full_scan=True, suggestion=_suggest(condition, order))


def _placed(condition: Condition, order: Sequence[OrderTerm]) -> list[OrderTerm]:
    """Drop placements of nulls that the condition leaves out anyway."""
    sets = {part.column: part.values for part in conjuncts(condition) if isinstance(part, Within)}
    return [
        term._replace(nulls=None) if not intersection(sets.get(term.column, NULL_SET), NULL_SET) else term
        for term in order
    ]


class _Choice(NamedTuple):
    fit: PathFit
    condition: Condition
    ordered: bool
    reverse: bool


def _single_plan(choice: _Choice, order: Sequence[OrderTerm]) -> Plan:
    return Plan((_branch(choice, ALWAYS),), () if choice.ordered else tuple(order))


def _is_selective(fit: PathFit) -> bool:
    return fit.equal_count > 0 or fit.has_range


def _best(condition: Condition, order: Sequence[OrderTerm], paths: Sequence[KeyPath]) -> _Choice:
    """Return the best single path; the first one wins among equals."""
    sets = {part.column: part.values for part in conjuncts(condition) if isinstance(part, Within)}
    choices = []
    for path in paths:
        fit = fit_path(path, sets)
        if fit.keys and not order:
            return _Choice(fit, condition, ordered=True, reverse=False)
        ordered, reverse = _serves_order(fit, order)
        choices.append(_Choice(fit, condition, ordered, reverse))
    return max(choices, key=_score)


def _score(choice: _Choice) -> tuple[bool, float, bool]:
    fit = choice.fit
    return bool(fit.keys), fit.equal_count + (0.5 if fit.has_range else 0.0), choice.ordered


def _serves_order(fit: PathFit, order: Sequence[OrderTerm]) -> tuple[bool, bool]:
    """Return whether reading the path gives the order, and whether it must be read downwards for it."""
    wanted = [term for term in order if term.column not in fit.fixed]
    given = [term for term in (*fit.path.terms, *fit.path.tail) if term.column not in fit.fixed]
    given = [term for place, term in enumerate(given) if term.column not in {one.column for one in given[:place]}]
    if len(wanted) > len(given):
        wanted = wanted[: len(given)]  # the whole primary key precedes: later terms decide nothing
    for reverse in (False, True):
        if all(_runs(have, want, reverse) for have, want in zip(given, wanted, strict=False)):
            return True, reverse
    return False, False


def _runs(have: PathTerm, want: OrderTerm, reverse: bool) -> bool:
    return have.column == want.column and want.nulls is None and (have.descending != want.descending) == reverse


def _branch(choice: _Choice, excluded: Condition) -> Branch:
    """Separate what the path ensures from what must be tested; `excluded` is tested as well."""
    parts = conjuncts(choice.condition)
    served = [part for part in parts if isinstance(part, Within) and part.column in choice.fit.served]
    left = every([*(part for part in parts if part not in served), excluded])
    fit = choice.fit
    return Branch(fit.path, fit.keys, fit.ranges, choice.reverse, every(served), left)


def _union(condition: Condition, paths: Sequence[KeyPath]) -> tuple[Branch, ...] | None:
    """Split at the first `or` whose branches are all served by a path."""
    parts = conjuncts(condition)
    for part in parts:
        if not isinstance(part, Some):
            continue
        rest = [other for other in parts if other is not part]
        choices = [_best(every([branch, *rest]), (), paths) for branch in part.parts]
        if all(_is_selective(choice.fit) for choice in choices):
            earlier = [every(negate(one) for one in part.parts[:place]) for place in range(len(choices))]
            return tuple(_branch(choice, excluded) for choice, excluded in zip(choices, earlier, strict=True))
    return None


def _suggest(condition: Condition, order: Sequence[OrderTerm]) -> str | None:
    """Return a declaration: columns with known values, then the order, else one bounded column."""
    leaves = [part for part in conjuncts(condition) if isinstance(part, Within)]
    equal = [leaf.column.name for leaf in leaves if all(one.is_point for one in leaf.values)]
    bounded = [leaf.column.name for leaf in leaves if leaf.column.name not in equal]
    names = list(equal)
    if order and not bounded:
        names += [
            ("-" if term.descending else "") + term.column.name for term in order if term.column.name not in equal
        ]
    else:
        names += bounded[:1]
    return f"index({', '.join(repr(name) for name in names)})" if names else None


def describe_plan(plan: Plan) -> list[str]:
    """Return the plan in words, one step a line."""
    if not plan.branches:
        return ["nothing to read: the condition can never hold"]
    lines = []
    for branch in plan.branches:
        lines.append(_describe_branch(branch))
        if branch.condition != ALWAYS:
            lines.append(f"  filter: {describe(branch.condition)}")
    if plan.sort:
        terms = ", ".join(map(describe_term, plan.sort))
        lines.append(f"sort by {terms}")
    if plan.suggestion is not None:
        lines.append(f"would be served by {plan.suggestion}")
    return lines


def _describe_branch(branch: Branch) -> str:
    name = branch.path.name if branch.path.number == 0 else f"index {branch.path.name}"
    direction = ", downwards" if branch.reverse else ""
    if branch.keys:
        return f"{name}: {_counted(len(branch.keys), 'key')} ({describe(branch.served)})"
    if branch.served == ALWAYS:
        return f"full scan{direction}" if branch.path.number == 0 else f"{name}: all entries{direction}"
    return f"{name}: {_counted(len(branch.ranges), 'range')} ({describe(branch.served)}){direction}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
