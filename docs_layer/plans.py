"""Plans as values: which paths a query reads, what is tested, how the order comes about; and plans in words.

Owns no decision (see `planner`) and no act (see `cursor`). Immutable; any thread may share them.
"""

from __future__ import annotations

from typing import NamedTuple

from docs_layer.conditions import ALWAYS, Condition
from docs_layer.elements import Repeats
from docs_layer.key_paths import KeyPath, KeyRange
from docs_layer.ordering import OrderTerm, describe_term
from docs_layer.predicates import describe


class Branch(NamedTuple):
    """One path to read.

    Attributes:
        keys: Whole keys to get, or empty: then `ranges` are scanned.
        ranges: Ascending and disjoint.
        reverse: Whether they are read downwards.
        served: What the ranges ensure by themselves.
        condition: What is left to test on each row.
        index_only: Whether the entries hold all that is asked for, so that no row is read.
        repeats: Which elements are read, where a row may be named by several entries.
        also: Paths whose entries must name the same rows; each has one range, in the order of the primary key.
    """

    path: KeyPath
    keys: tuple[bytes, ...]
    ranges: tuple[KeyRange, ...]
    reverse: bool
    served: Condition
    condition: Condition
    index_only: bool = False
    repeats: Repeats | None = None
    also: tuple[Branch, ...] = ()


class Plan(NamedTuple):
    """What a cursor executes.

    Attributes:
        branches: Read one after another; without any there is nothing to find.
        sort: Terms to sort by; empty if the order is served or none was asked for.
        order: Terms in whose order the rows come.
        unique: Whether of rows that are equal in `order` only the first is wanted.
        after: Only rows with a greater sort key in `order` are wanted, where the ranges do not say so already.
        is_full_scan: Whether the whole table is read to filter or to sort it.
        suggestion: Text of an index that would serve the query better, or None.
        columns: Names of the columns that are looked at beside the condition's, None for whole rows.
    """

    branches: tuple[Branch, ...]
    sort: tuple[OrderTerm, ...]
    order: tuple[OrderTerm, ...] = ()
    unique: bool = False
    after: bytes | None = None
    is_full_scan: bool = False
    suggestion: str | None = None
    columns: frozenset[str] | None = None


def describe_plan(plan: Plan) -> list[str]:
    """Return the plan in words, one step a line."""
    if not plan.branches:
        return ["nothing to read: the condition can never hold"]
    lines = []
    for branch in plan.branches:
        lines.append(_describe_branch(branch))
        lines += [f"  and {_describe_branch(other)}" for other in branch.also]
        if branch.condition != ALWAYS:
            lines.append(f"  filter: {describe(branch.condition)}")
    if plan.sort:
        lines.append(f"sort by {', '.join(map(describe_term, plan.sort))}")
    if plan.unique:
        lines.append("drop repeated values")
    if plan.suggestion is not None:
        lines.append(f"would be served by {plan.suggestion}")
    return lines


def _describe_branch(branch: Branch) -> str:
    name = branch.path.name if branch.path.number == 0 else f"index {branch.path.name}"
    name += " alone" if branch.index_only else ""
    direction = ", downwards" if branch.reverse else ""
    if branch.keys:
        return f"{name}: {_counted(len(branch.keys), 'key')} ({describe(branch.served)})"
    if branch.served == ALWAYS:
        return f"full scan{direction}" if branch.path.number == 0 else f"{name}: all entries{direction}"
    return f"{name}: {_counted(len(branch.ranges), 'range')} ({describe(branch.served)}){direction}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
