"""Which tables and logs of a damaged directory count, and which of them is newer. Pure functions over a survey.

**With a manifest.** The best one is that which CURRENT names; else the newest whose tables are all there, since a
manifest that never became the live one says the same in other words. What came after it left traces: an edit removes
its inputs only when it is durable, and its outputs say what they were made of. So an edit is applied to the version if
some of its inputs are gone; if all are there, version and edit have the same content. That gives a lost last manifest
exactly (trivial moves leave no trace and change no content).

**Without any.** Tables that others were made of are superseded. Of the rest, one whose writes all came later is newer.
Where that does not decide, the one that was written for the upper level counts as newer, then the one with the higher
number. That may be wrong, since tables are moved down; where such two have keys in common, the picture says so.

**Logs.** See `lsm/repair/log_order.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

from lsm.filenames import manifest_name, table_name
from lsm.manifest import Manifest
from lsm.repair.survey import Survey
from lsm.runs import Range
from lsm.sstable.properties import TableProperties
from lsm.version import LogReference, TableMetadata


class Placed(NamedTuple):
    """A table that counts.

    identity: None when nobody knows it. stop: behind its last key; None has no end. entry_count: -1 when not known.
    """

    number: int
    identity: int | None
    start: bytes
    stop: bytes | None
    entry_count: int
    range_tombstone_count: int


Layer = tuple[Placed, ...]
"""Tables with disjoint entries, ascending."""


class Picture(NamedTuple):
    """The tables of a directory, newest layer first.

    oldest_log: logs with lower numbers are in the tables. first_log: the log that the manifest names, None when nobody
    knows. last_sequence: all writes up to it are in the tables. level_count: None when nobody knows. uncertain: tables
    whose age is not certain, why, and the keys for which it matters. notes: what was put together.
    """

    layers: tuple[Layer, ...]
    oldest_log: int
    first_log: LogReference | None
    last_sequence: int
    level_count: int | None
    uncertain: tuple[tuple[int, str, Range], ...]
    notes: tuple[str, ...]


class _Known(NamedTuple):
    """A table that says about itself what it is."""

    number: int
    identity: int | None
    properties: TableProperties


def _known(survey: Survey) -> list[_Known]:
    """Return the tables whose properties can be read, by number."""
    facts = (survey.tables[number] for number in sorted(survey.tables))
    return [_Known(one.number, one.identity, one.properties) for one in facts if one.properties is not None]


def picture(survey: Survey) -> Picture:
    """Return the tables that count and their order."""
    base = _base(survey)
    if base is None:
        return _without_manifest(survey)
    levels = [[_placed(table) for table in tables] for tables in base.version.levels]
    state = _State(levels, base.oldest_log, base.version.last_sequence)
    notes = [] if base == survey.named else [f"{manifest_name(base.number)} was taken for the live one"]
    notes += _apply_traces(state, survey)
    layers: list[Layer] = [(table,) for table in state.levels[0]]
    layers += [tuple(sorted(tables, key=_start)) for tables in state.levels[1:] if tables]
    return Picture(
        layers=tuple(layers),
        oldest_log=state.oldest_log,
        first_log=state.first_log,
        last_sequence=state.last_sequence,
        level_count=base.level_count,
        uncertain=(),
        notes=tuple(notes),
    )


def _base(survey: Survey) -> Manifest | None:
    """Return the manifest to begin with, or None."""
    named = survey.named
    newest_first = sorted(survey.manifests.values(), key=_number, reverse=True)
    is_old = named is not None and survey.promise.manifest_number > named.number
    if named is not None and not is_old and not any(_follows(other, named) for other in newest_first):
        return named
    whole = (one for one in newest_first if all(table.number in survey.tables for table in one.version.tables()))
    return next(whole, newest_first[0] if newest_first else None)


def _number(manifest: Manifest) -> int:
    return manifest.number


def _follows(other: Manifest, named: Manifest) -> bool:
    """Tell whether `other` proves that `named` is no longer the live one."""
    return other.previous_number is not None and other.previous_number > named.number


class _State:
    """The version while traces are applied to it."""

    def __init__(self, levels: list[list[Placed]], first_log: LogReference, last_sequence: int) -> None:
        self.levels = levels
        self.oldest_log = first_log.number
        self.first_log: LogReference | None = first_log
        self.last_sequence = last_sequence

    def numbers(self) -> set[int]:
        """Return the numbers of all tables."""
        return {table.number for tables in self.levels for table in tables}


class _Trace(NamedTuple):
    """The outputs of one edit that are there, ascending, and whether that is all of them."""

    outputs: list[_Known]
    complete: bool

    @property
    def consumed_tables(self) -> tuple[int, ...]:
        return self.outputs[0].properties.edit.consumed_tables

    @property
    def consumed_logs(self) -> tuple[int, ...]:
        return self.outputs[0].properties.edit.consumed_logs


def _traces(survey: Survey) -> list[_Trace]:
    """Return what is left of every edit, oldest first."""
    groups: dict[tuple[object, ...], list[_Known]] = {}
    for table in _known(survey):
        edit = table.properties.edit
        key = (edit.manifest_number, edit.level, edit.consumed_tables, edit.consumed_logs)
        groups.setdefault(key, []).append(table)
    return [_Trace(outputs, _is_complete(outputs)) for outputs in groups.values()]


def _is_complete(outputs: list[_Known]) -> bool:
    edits = [facts.properties.edit for facts in outputs]
    return edits[-1].output_count == len(edits) and [edit.output_index for edit in edits] == list(range(len(edits)))


def _apply_traces(state: _State, survey: Survey) -> Iterator[str]:
    """Apply every edit that was done after the version of `state`; yield what was found."""
    waiting = _traces(survey)
    while True:
        trace = next((one for one in waiting if _is_done(one, state, survey)), None)
        if trace is None:
            return
        waiting.remove(trace)
        names = ", ".join(table_name(facts.number) for facts in trace.outputs)
        yield f"the edit that made {names} is not in the manifest; its traces show that it was done"
        if trace.consumed_logs:
            _apply_flush(state, trace)
        else:
            _apply_compaction(state, trace)


def _is_done(trace: _Trace, state: _State, survey: Survey) -> bool:
    """Tell whether an edit fits the version, is not in it, and was done for certain."""
    numbers = state.numbers()
    if any(facts.number in numbers for facts in trace.outputs):
        return False
    if trace.consumed_logs:
        gone = [number for number in trace.consumed_logs if number not in survey.logs]
        return bool(gone) and max(trace.consumed_logs) >= state.oldest_log
    gone = [number for number in trace.consumed_tables if number not in survey.tables]
    fits = numbers.issuperset(trace.consumed_tables)
    return fits and bool(gone) and (trace.complete or len(gone) == len(trace.consumed_tables))


def _apply_flush(state: _State, trace: _Trace) -> None:
    state.levels[0][:0] = [_placed_by_itself(facts) for facts in trace.outputs]
    state.last_sequence = max(state.last_sequence, *(facts.properties.last_sequence for facts in trace.outputs))
    state.oldest_log = max(trace.consumed_logs) + 1
    state.first_log = None


def _apply_compaction(state: _State, trace: _Trace) -> None:
    """Put the outputs where the inputs were; among level 0 tables they take the place in age of the removed ones."""
    consumed = set(trace.consumed_tables)
    places = [place for place, table in enumerate(state.levels[0]) if table.number in consumed]
    state.levels[:] = [[table for table in tables if table.number not in consumed] for tables in state.levels]
    level = min(trace.outputs[0].properties.edit.level, len(state.levels) - 1)
    place = places[0] if places and level == 0 else 0
    state.levels[level][place:place] = [_placed_by_itself(facts) for facts in trace.outputs]


def _without_manifest(survey: Survey) -> Picture:
    """Put the tables in order by what they say about themselves."""
    superseded: set[int] = set()
    for trace in _traces(survey):
        inputs_are_there = all(number in survey.tables for number in trace.consumed_tables)
        if trace.complete or not inputs_are_there:
            superseded.update(trace.consumed_tables)
        else:
            superseded.update(facts.number for facts in trace.outputs)
    known = _newest_first([table for table in _known(survey) if table.number not in superseded])
    layers: list[Layer] = [(_placed_by_itself(table),) for table in known]
    # Nobody knows how old these are, so they must not hide what is known.
    live = (facts for facts in survey.tables.values() if facts.number not in superseded)
    unknown = [facts for facts in live if facts.properties is None]
    layers += [(Placed(facts.number, facts.identity, b"", None, -1, -1),) for facts in unknown]
    nothing_known = "nobody knows how old it is; it counts as the oldest"
    return Picture(
        layers=tuple(layers),
        oldest_log=0,
        first_log=None,
        last_sequence=max((facts.properties.last_sequence for facts in known), default=0),
        level_count=None,
        uncertain=(*_uncertain(known), *((facts.number, nothing_known, (b"", None)) for facts in unknown)),
        notes=("there is no manifest; the order of the tables was put together from what they say",) if layers else (),
    )


def _newest_first(tables: list[_Known]) -> list[_Known]:
    """Return tables so that what is certainly newer stands before what it shares keys with. Quadratic in the tables."""
    waiting = sorted(tables, key=_guessed_age)
    ordered: list[_Known] = []
    while waiting:
        free = (one for one in waiting if not any(_is_newer(other, one) for other in waiting))
        chosen = next(free)  # being newer by sequence has no circles, so there is always one
        waiting.remove(chosen)
        ordered.append(chosen)
    return ordered


def _guessed_age(facts: _Known) -> tuple[int, int]:
    return facts.properties.edit.level, -facts.number


def _is_newer(left: _Known, right: _Known) -> bool:
    """Tell whether all writes in `left` came after all writes in `right`."""
    return left.properties.first_sequence > right.properties.last_sequence


def _uncertain(tables: list[_Known]) -> Iterator[tuple[int, str, Range]]:
    """Yield a table, what is not certain, and the keys, for pairs of which nobody knows which is newer."""
    for left, right in combinations(tables, 2):
        one, two = left.properties.edit, right.properties.edit
        made_together = one.manifest_number == two.manifest_number and one.consumed_tables == two.consumed_tables != ()
        if made_together or _is_newer(left, right) or _is_newer(right, left):
            continue
        keys = _shared(left, right)
        if keys is not None:
            yield left.number, f"it is not certain whether it is newer than {table_name(right.number)}", keys


def _shared(left: _Known, right: _Known) -> Range | None:
    """Return the keys that lie within the bounds of both tables."""
    one, two = _placed_by_itself(left), _placed_by_itself(right)
    start = max(one.start, two.start)
    stops = [stop for stop in (one.stop, two.stop) if stop is not None]
    stop = min(stops) if stops else None
    return None if stop is not None and stop <= start else (start, stop)


def _placed(table: TableMetadata) -> Placed:
    return Placed(
        table.number, table.identity, table.smallest, table.stop, table.entry_count, table.range_tombstone_count
    )


def _placed_by_itself(facts: _Known) -> Placed:
    properties = facts.properties
    stop = None if properties.largest is None else properties.largest + b"\0"
    counts = properties.entry_count, properties.range_tombstone_count
    return Placed(facts.number, facts.identity, properties.smallest, stop, *counts)


def _start(table: Placed) -> bytes:
    return table.start
