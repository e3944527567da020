"""The state: everything that holds data at one moment, as one value that never changes; and reading it.

A state names the active memtable, the sealed ones (newest first) and the open tables. Age goes down in that order, so
the first that speaks about a key has the answer. Together with a sequence it is a view; whoever holds one pins all that
is in it, and sees the same data for ever. A new state is made by the methods below and takes effect when the handle
swaps its view, by one assignment.

Invariants: the tables hold no sequence above that of the view; the memtables hold every change between the last
sequence of the tables and that of the view, without a gap. The memtables themselves do change: the active one grows,
but only by entries above the view's sequence, which are invisible in it (see `lsm.memtable`). Tables have no sequences;
that is right because they hold only what was published before this state was made.

Any number of threads may read one state. No lock is taken but the short mutex of a memtable's order, by scans.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from lsm.memtable import FIRST_CHUNK, LARGEST_CHUNK, Memtable
from lsm.merging import Source, merge
from lsm.range_tombstones import flatten
from lsm.runs import MISSING, Missing, Range
from lsm.tables import TableSet
from lsm.version import Version


class State:
    """Active memtable, sealed memtables (newest first) and tables; immutable. See the module."""

    __slots__ = ("_entries", "_get_from_tables", "active", "sealed", "tables")

    def __init__(self, active: Memtable, sealed: tuple[Memtable, ...], tables: TableSet) -> None:
        self.active = active
        self.sealed = sealed
        self.tables = tables
        self._entries = active.entries
        self._get_from_tables = tables.get

    @property
    def version(self) -> Version:
        """The version whose tables these are."""
        return self.tables.version

    def get(self, key: bytes, sequence: int) -> bytes | None:
        """Return the value of `key` at `sequence`, None if there is none.

        Raises `CorruptionError`, `StorageError`. About 0.2 µs when the active memtable has it, else 0.2 µs for each
        memtable and a few µs for the tables.
        """
        # The common cases without a call: no range deletion can hide it, and its newest version is visible or absent.
        entry = self._entries.get(key)
        if self.active.ranges is None:
            if entry is not None:
                if entry[0] <= sequence:
                    return entry[1]
            elif not self.sealed:
                value = self._get_from_tables(key)
                return None if value is MISSING else value
        value = self._in_memtables(key, sequence)
        if value is MISSING:
            value = self._get_from_tables(key)
        return None if value is MISSING else value

    def multi_get(self, keys: Sequence[bytes], sequence: int) -> list[bytes | None]:
        """Return the value at `sequence` of each of `keys`, None for absent ones, in their order. Raises as `get`."""
        found = [self._in_memtables(key, sequence) for key in keys]
        places = [place for place, value in enumerate(found) if value is MISSING]
        if places:
            values = self.tables.multi_get([keys[place] for place in places])
            for place, value in zip(places, values, strict=True):
                found[place] = value
        return [None if value is MISSING else value for value in found]

    def scan(
        self,
        start: bytes | None,
        stop: bytes | None,
        sequence: int,
        *,
        reverse: bool = False,
        limit_hint: int | None = None,
        values: bool = True,
    ) -> Iterator[tuple[list[bytes], list[bytes]]]:
        """Yield keys and values, in lists beside each other, of the entries in [start, stop) as they are at `sequence`.

        None = no bound; `reverse` begins at the end. Chunks are not empty, begin small and belong to the receiver.
        `limit_hint` says how many entries will be taken, if that is known; more are yielded if they are asked for.
        Without `values` the second list is empty. Raises `CorruptionError`, `StorageError`. About 0.3 µs an entry.
        """
        for keys, found in merge(self._sources(start, stop, sequence, reverse, limit_hint), reverse=reverse):
            yield keys, (found if values else [])  # type: ignore[misc]  # the merge has left out all tombstones

    def estimate(self, start: bytes | None, stop: bytes | None) -> tuple[int, int]:
        """Return about how many entries [start, stop) has and their bytes; versions in several places count each."""
        entries, size_bytes = self.tables.estimate(start, stop)
        for memtable in (self.active, *self.sealed):
            more = memtable.estimate(start, stop)
            entries += more[0]
            size_bytes += more[1]
        return entries, size_bytes

    def with_active(self, memtable: Memtable) -> State:
        """Return the state with another active memtable in place of this one, which is thrown away."""
        return State(memtable, self.sealed, self.tables)

    def rotated(self, memtable: Memtable) -> State:
        """Return the state with `memtable` active and the active one sealed."""
        return State(memtable, (self.active, *self.sealed), self.tables)

    def flushed(self, memtables: Sequence[Memtable], tables: TableSet) -> State:
        """Return the state in which `tables` hold what these sealed memtables, the oldest ones, held.

        Raises `ValueError` if they are not the oldest: a flush out of order would hide newer data.
        """
        kept = len(self.sealed) - len(memtables)
        if {id(memtable) for memtable in self.sealed[kept:]} != {id(memtable) for memtable in memtables}:
            raise ValueError("only the oldest sealed memtables can be flushed")
        return State(self.active, self.sealed[:kept], tables)

    def with_tables(self, tables: TableSet) -> State:
        """Return the state with other tables that hold the same data: after a compaction."""
        return State(self.active, self.sealed, tables)

    def _in_memtables(self, key: bytes, sequence: int) -> bytes | Missing | None:
        value = self.active.get(key, sequence)
        if value is MISSING:
            for memtable in self.sealed:
                value = memtable.get(key, sequence)
                if value is not MISSING:
                    break
        return value

    def _sources(
        self, start: bytes | None, stop: bytes | None, sequence: int, reverse: bool, limit_hint: int | None
    ) -> list[Source]:
        """Return all that speaks about [start, stop), newest first."""
        # Without tables nearly all that is copied is wanted; beside them a memtable may have few of the entries.
        largest = FIRST_CHUNK if self.tables.readers or limit_hint is None else LARGEST_CHUNK
        chunk = largest if limit_hint is None else min(max(limit_hint, 1), largest)
        hidden: list[Range] = []
        found: list[Source] = []
        for memtable in (self.active, *self.sealed):
            if memtable.last_sequence:
                ranges = memtable.range_tombstones(sequence, start, stop)
                found.append(Source(memtable.runs(start, stop, sequence, reverse, chunk), ranges))
                hidden += ranges
        return found + self.tables.sources(start, stop, flatten(hidden), reverse=reverse)


View: TypeAlias = tuple[State, int]
"""A state and the sequence up to which it is seen."""
