"""Ways through the store in key order: the rows by primary key, and each index; what to scan for which values.

Owns the arithmetic from sets of values to ranges of keys, for several components in both directions. A range begins
and ends exactly (see `key_encoding`), so nothing that a path serves needs to be tested again. Immutable and pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from docs_layer.conditions import ALWAYS, NULL_SET, Condition
from docs_layer.intervals import EVERYTHING, HIGHEST, LOWEST, Cut, Interval, IntervalSet
from docs_layer.key_encoding import INVERTED, INVERTIBLE_KINDS, needs_end_marker
from docs_layer.values import ColumnShape, is_multiple

_BEHIND: Final = b"\xff"
_END_MARKER: Final = b"\x01"
_RANGE_LIMIT: Final = 10_000
"""Most ranges or keys that one path is cut into; of more, everything from the lowest to the highest is read."""

KeyRange = tuple[bytes, bytes]


class PathTerm(NamedTuple):
    """One component of a path's keys."""

    column: ColumnShape
    descending: bool


@dataclass(frozen=True, slots=True)
class KeyPath:
    """A contiguous part of the store whose keys begin with these components.

    Attributes:
        name: "primary key", or the name of the index.
        prefix: What stands before the first component.
        terms: The declared components.
        tail: Components behind them that keep the order going: the primary key, for an index.
        number: Number of the index, 0 for the rows.
        unique: Whether keys without null end after `terms`.
        where: The condition of the rows that have entries; a query must ask for it to use the path.
        included: Columns that the values of entries hold.
    """

    name: str
    prefix: bytes
    terms: tuple[PathTerm, ...]
    tail: tuple[PathTerm, ...]
    number: int
    unique: bool
    where: Condition = ALWAYS
    included: tuple[ColumnShape, ...] = ()

    @property
    def is_multiple(self) -> bool:
        """Whether a row may have any number of entries, one for each element of a list."""
        return any(is_multiple(term.column) for term in self.terms)


def covered_terms(path: KeyPath) -> list[PathTerm]:
    """Return the components of a path's keys that give back the value of a column."""
    return [
        term
        for term in (*path.terms, *path.tail)
        if term.column.kind in INVERTIBLE_KINDS and term.column.source is None
    ]


def covered_columns(path: KeyPath) -> frozenset[str]:
    """Return the names of the columns whose values the entries of a path give back."""
    return frozenset({term.column.name for term in covered_terms(path)} | {column.name for column in path.included})


class PathFit(NamedTuple):
    """How far a path serves the sets of a condition.

    Attributes:
        path: The path.
        keys: The whole keys, if every component is known; then `ranges` is empty.
        ranges: What to scan, ascending and disjoint.
        fixed: Columns that have one value in everything read.
        served: Columns whose sets the ranges hold exactly.
        equal_count: Leading components that are known values.
        has_range: Whether the next one is bounded.
    """

    path: KeyPath
    keys: tuple[bytes, ...]
    ranges: tuple[KeyRange, ...]
    fixed: frozenset[ColumnShape]
    served: frozenset[ColumnShape]
    equal_count: int
    has_range: bool


def fit_path(path: KeyPath, sets: Mapping[ColumnShape, IntervalSet]) -> PathFit:
    """Find what of a path must be read for rows whose columns lie in the sets."""
    prefixes = [path.prefix]
    fixed: set[ColumnShape] = set()
    served: set[ColumnShape] = set()
    has_null = False
    for place, term in enumerate(path.terms):
        values = sets.get(term.column, EVERYTHING)
        is_points = all(interval.is_point for interval in values) and len(prefixes) * len(values) <= _RANGE_LIMIT
        if values == EVERYTHING or not is_points:
            if values != EVERYTHING and len(prefixes) * len(values) <= _RANGE_LIMIT:
                served.add(term.column)
            elif values != EVERYTHING:
                values = (Interval(values[0].low, values[-1].high),)
            ranges = _ranges(prefixes, term, values, path.terms[:place])
            return PathFit(path, (), ranges, frozenset(fixed), frozenset(served), place, values != EVERYTHING)
        points = [interval.low.encoded for interval in values]
        if term.descending:
            points = [encoded.translate(INVERTED) for encoded in points]
        prefixes = [prefix + encoded for prefix in prefixes for encoded in points]
        has_null = has_null or any((interval,) == NULL_SET for interval in values)
        served.add(term.column)
        if len(values) == 1:
            fixed.add(term.column)
    whole = not path.tail or (path.unique and not has_null)
    count = len(path.terms)
    if whole:
        end = _END_MARKER if _is_open_ended(path.terms[-1]) else b""
        keys = tuple(sorted(prefix + end for prefix in prefixes))
        return PathFit(path, keys, (), frozenset(fixed), frozenset(served), count, has_range=False)
    ranges = tuple(sorted(_range_with(prefix, path.terms) for prefix in prefixes))
    return PathFit(path, (), ranges, frozenset(fixed), frozenset(served), count, has_range=False)


def _ranges(
    prefixes: Sequence[bytes], term: PathTerm, values: IntervalSet, before: Sequence[PathTerm]
) -> tuple[KeyRange, ...]:
    """Return the ranges of one bounded component behind known ones."""
    if values == EVERYTHING:
        return tuple(sorted(_range_with(prefix, before) for prefix in prefixes))
    bounds = [_bounds(prefix, term, interval) for prefix in prefixes for interval in values]
    return tuple(sorted((start, stop) for start, stop in bounds if start < stop))


def _is_open_ended(term: PathTerm) -> bool:
    """Whether a longer value of the component may begin with the bytes of a shorter one and sort before it."""
    return needs_end_marker(((term.column.kind, term.descending),))


def _range_with(prefix: bytes, terms: Sequence[PathTerm]) -> KeyRange:
    """Return the range of the keys that are these known components, or begin with them."""
    start = prefix + _END_MARKER if terms and _is_open_ended(terms[-1]) else prefix
    return start, prefix + _BEHIND


def _bounds(prefix: bytes, term: PathTerm, interval: Interval) -> KeyRange:
    """Return the range of keys whose next component lies in an interval; see `key_encoding` for 01 and FF."""
    if term.descending:
        return _edge(prefix, term, interval.high), _edge(prefix, term, interval.low)
    return _edge(prefix, term, interval.low), _edge(prefix, term, interval.high)


def _edge(prefix: bytes, term: PathTerm, cut: Cut) -> bytes:
    """Return the key at which a cut between values lies, in either direction."""
    if cut in {LOWEST, HIGHEST}:
        return prefix + (_BEHIND if (cut == HIGHEST) is not term.descending else _END_MARKER)
    component = cut.encoded.translate(INVERTED) if term.descending else cut.encoded
    if cut.side == 0 and len(component) == 1:  # between two types, or before a value that is one byte
        return prefix + (bytes([component[0] + 1]) if term.descending else component)
    if (cut.side == 1) is not term.descending:
        return prefix + component + _BEHIND
    return prefix + component + (_END_MARKER if _is_open_ended(term) else b"")
