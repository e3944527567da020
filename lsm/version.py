"""The version: which tables exist, in which level and order, as one frozen value; and edits, the steps between them.

Tables hold no sequence numbers for their entries: where a table stands is what says how old it is. Newer data always
lies above. Level 0 is listed newest first and its tables may overlap; the order of the list, not the number, is the
age. Every deeper level is ascending by key and disjoint.

Bounds of a table are inclusive and include its range tombstones. They may lie outside what the table really holds
(shortened bounds, see `shortened_smallest`), never inside. All questions about overlap use them and nothing else.

No I/O, no policy, nothing that changes: every function here is pure and may be called from any thread.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise

import msgspec

from lsm.errors import Error
from lsm.runs import Range

BOUND_BYTES = 64
"""Length to which bounds are shortened, so that keys of 64 KiB do not make manifests of megabytes."""


class EditConflictError(Error):
    """The edit does not fit the version as it is now; throw its outputs away. `reason` says what does not fit."""

    retryable = True

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the edit does not fit the current version: {reason}")

    def __reduce__(self) -> tuple[type[EditConflictError], tuple[str]]:
        return (EditConflictError, (self.reason,))


class LogReference(msgspec.Struct, frozen=True):
    """A log by its number (its name) and its random 64-bit identity (its content)."""

    number: int
    identity: int


class TableMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a table without opening it.

    number, identity: its name, and the random 128 bits in its footer.
    size_bytes: length of the file.
    smallest, largest: inclusive bounds of keys and range tombstones; a largest of None means no upper bound.
    entry_count: entries, tombstones among them; tombstone_count: those that delete; range_tombstone_count: ranges.
    first_sequence, last_sequence: of the writes that are in it.
    level_at_creation: the level it was written for; it may have been moved down since.
    """

    number: int
    identity: int
    size_bytes: int
    smallest: bytes
    largest: bytes | None
    entry_count: int
    tombstone_count: int
    range_tombstone_count: int
    first_sequence: int
    last_sequence: int
    level_at_creation: int

    @property
    def stop(self) -> bytes | None:
        """The exclusive end of the table's keys; None = no upper bound. There is no key between it and `largest`."""
        return None if self.largest is None else self.largest + b"\0"

    def overlaps(self, start: bytes | None, stop: bytes | None) -> bool:
        """Tell whether the table's bounds and [start, stop) have a key in common; None = no bound."""
        return (stop is None or self.smallest < stop) and (
            start is None or self.largest is None or start <= self.largest
        )


Tables = tuple[TableMetadata, ...]


class Version(msgspec.Struct, frozen=True):
    """All tables of a database at one moment.

    levels: level 0 newest first, deeper levels ascending by key and disjoint. Their number never changes.
    last_sequence: every write up to this sequence is in the tables.
    """

    levels: tuple[Tables, ...]
    last_sequence: int = 0

    def tables(self) -> Iterator[TableMetadata]:
        """Yield every table, upper levels first, in the order of the levels."""
        return chain.from_iterable(self.levels)

    def size_bytes(self, level: int) -> int:
        """Return the size of all files of a level in bytes."""
        return sum(table.size_bytes for table in self.levels[level])

    def size_in_range(self, start: bytes | None, stop: bytes | None) -> int:
        """Return the size of all files that overlap [start, stop) in bytes; None = no bound."""
        found = (self.overlapping(level, start, stop) for level in range(len(self.levels)))
        return sum(table.size_bytes for tables in found for table in tables)

    def overlapping(self, level: int, start: bytes | None, stop: bytes | None) -> Tables:
        """Return the tables of a level whose bounds overlap [start, stop), in the order of the level.

        None = no bound. Cost: one pass over level 0, O(log n + found) in deeper levels.
        """
        tables = self.levels[level]
        if level == 0:
            return tuple(table for table in tables if table.overlaps(start, stop))
        first = 0 if start is None else bisect_left(tables, (False, start), key=_largest)
        last = len(tables) if stop is None else bisect_left(tables, stop, key=_smallest)
        return tables[first:last]

    def check(self) -> None:
        """Check every invariant; raise a `ValueError` that lists the broken ones."""
        broken = [problem for table in self.tables() for problem in _table_problems(table, self.last_sequence)]
        numbers = sorted(table.number for table in self.tables())
        broken += [f"table {left} is listed twice" for left, right in pairwise(numbers) if left == right]
        for level, tables in enumerate(self.levels[1:], start=1):
            broken += _level_problems(level, tables)
        if not self.levels:
            broken.append("there are no levels")
        if self.last_sequence < 0:
            broken.append(f"last sequence {self.last_sequence} is negative")
        if broken:
            raise ValueError("; ".join(broken))


def empty_version(level_count: int) -> Version:
    """Return the version of a new database."""
    return Version(((),) * level_count)


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """What turns one version into the next.

    removed: numbers of tables that go. added: (level, table) pairs; those for level 0 newest first.
    last_sequence: new value, or None if the edit adds no writes (a compaction).
    oldest_log: the oldest log that is still needed afterwards, or None if that does not change.
    """

    removed: frozenset[int] = frozenset()
    added: tuple[tuple[int, TableMetadata], ...] = ()
    last_sequence: int | None = None
    oldest_log: LogReference | None = None


def apply_edit(version: Version, edit: Edit) -> Version:
    """Return the version after `edit`; the given one stays as it is.

    Tables added to level 0 become its newest, or take the place in age of the level-0 tables that the edit removes,
    which must then be neighbours. A table that is removed and added moves to the level it is added to.

    Raises:
        EditConflictError: a removed table is not there, an added one does not fit its level, or the sequence would go
            back. The edit was made for another version.
    """
    missing = edit.removed.difference(table.number for table in version.tables())
    if missing:
        raise EditConflictError(f"tables {sorted(missing)} are gone")
    if edit.last_sequence is not None and edit.last_sequence < version.last_sequence:
        raise EditConflictError(f"sequence {edit.last_sequence} is older than {version.last_sequence}")
    wrong = [level for level, _ in edit.added if not 0 <= level < len(version.levels)]
    if wrong:
        raise EditConflictError(f"there is no level {wrong[0]}")
    levels = [_level_after(level, tables, edit) for level, tables in enumerate(version.levels)]
    last_sequence = version.last_sequence if edit.last_sequence is None else edit.last_sequence
    result = Version(tuple(levels), last_sequence)
    try:
        result.check()
    except ValueError as problem:
        raise EditConflictError(str(problem)) from problem
    return result


def hull(tables: Iterable[TableMetadata]) -> Range:
    """Return the smallest range that holds every one of `tables`, of which there must be one at least."""
    every = list(tables)
    stops = [table.stop for table in every]
    return min(table.smallest for table in every), None if None in stops else max(filter(None, stops))


def shortened_smallest(key: bytes, length: int = BOUND_BYTES) -> bytes:
    """Return a lower bound for `key` of at most `length` bytes: its prefix."""
    return key[:length]


def shortened_largest(key: bytes, length: int = BOUND_BYTES) -> bytes:
    """Return an upper bound for `key` of at most `length` bytes: the key, or what follows all keys with its prefix.

    A key of which the first `length` bytes are all FF has no such bound and is returned as it is.
    """
    if len(key) <= length:
        return key
    prefix = key[:length].rstrip(b"\xff")
    return prefix[:-1] + bytes([prefix[-1] + 1]) if prefix else key


def inclusive_largest(largest: bytes | None, largest_is_excluded: bool) -> bytes | None:
    """Return an inclusive upper bound for a table that ends at `largest`, or just before it; None = no end.

    When only the keys below `largest` belong to the table, the bound is the key right before it if there is one.
    """
    if largest is not None and largest_is_excluded and largest.endswith(b"\0"):
        return largest[:-1]
    return largest


def _smallest(table: TableMetadata) -> bytes:
    return table.smallest


def _largest(table: TableMetadata) -> tuple[bool, bytes]:
    """Return the largest key in a form that sorts 'no upper bound' behind all keys."""
    return table.largest is None, table.largest or b""


def _level_after(level: int, tables: Tables, edit: Edit) -> Tables:
    """Return one level after the edit, in the order of that level."""
    kept = [table for table in tables if table.number not in edit.removed]
    added = [table for target, table in edit.added if target == level]
    if level:
        return tuple(sorted([*kept, *added], key=_smallest))
    place = _replaced_place(tables, edit.removed) if added else 0
    return (*kept[:place], *added, *kept[place:])


def _replaced_place(tables: Tables, removed: frozenset[int]) -> int:
    """Return the index in level 0 at which added tables have the age of the removed ones; 0 if none is removed."""
    places = [place for place, table in enumerate(tables) if table.number in removed]
    if places and places[-1] - places[0] >= len(places):
        raise EditConflictError("the tables replaced in level 0 are not neighbours in age")
    return places[0] if places else 0


def _table_problems(table: TableMetadata, last_sequence: int) -> Iterator[str]:
    name = f"table {table.number}"
    if table.largest is not None and table.largest < table.smallest:
        yield f"{name}: its largest key is before its smallest"
    counts = (table.number, table.identity, table.size_bytes, table.range_tombstone_count, table.level_at_creation)
    if min(counts) < 0 or not 0 <= table.tombstone_count <= table.entry_count:
        yield f"{name}: impossible number or count"
    if not table.entry_count and not table.range_tombstone_count:
        yield f"{name}: it is empty"
    if not 0 <= table.first_sequence <= table.last_sequence <= last_sequence:
        yield f"{name}: sequences {table.first_sequence} to {table.last_sequence} do not fit {last_sequence}"


def _level_problems(level: int, tables: Sequence[TableMetadata]) -> Iterator[str]:
    for left, right in pairwise(tables):
        if left.largest is None or left.largest >= right.smallest:
            yield f"level {level}: table {right.number} begins before the end of table {left.number}"
