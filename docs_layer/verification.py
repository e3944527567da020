"""Checks that rows and index entries say the same, in both directions, and that references hold.

Owns the report. Works from the catalog alone, so tables that no class declares are checked as well. Reads one view;
memory is bounded by one chunk and the list of damage, which ends at a limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from docs_layer.bound_tables import BoundTable
from docs_layer.catalog import Catalog
from docs_layer.errors import CorruptionError, ValidationError
from docs_layer.indexes import Entry, IndexMaintainer
from docs_layer.key_encoding import MalformedKeyError, UnencodableError
from docs_layer.keyspace import index_range, large_values_range, row_range
from docs_layer.large_values import has_large_values
from docs_layer.schema_views import bind_stored
from docs_layer.store import Chunk, Reader

DAMAGE_LIMIT: Final = 1000


@dataclass(frozen=True, slots=True)
class VerificationReport:
    """What was checked and what is wrong; `str()` shows it.

    Attributes:
        tables: Tables checked.
        rows: Rows checked.
        entries: Index entries checked.
        damage: What is wrong, at most 1,000 of it; empty if all is well.
    """

    tables: int
    rows: int
    entries: int
    damage: tuple[CorruptionError, ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.damage

    def __str__(self) -> str:
        state = "sound" if self.is_sound else f"{len(self.damage)} damaged"
        lines = [f"{self.tables} tables, {self.rows} rows, {self.entries} index entries: {state}"]
        return "\n".join([*lines, *(f"  {one}" for one in self.damage)])


def verify_tables(reader: Reader, catalog: Catalog) -> VerificationReport:
    """Check every table of a view.

    Cost: every row is read once and once more for each index.
    """
    damage: list[CorruptionError] = []
    row_count = entry_count = 0
    for entry in catalog.tables.values():
        table = bind_stored(entry, catalog)
        check = _TableCheck(reader, table)
        for found in check.run():
            if len(damage) < DAMAGE_LIMIT:
                damage.append(found)
        row_count += check.row_count
        entry_count += check.entry_count
    return VerificationReport(len(catalog.tables), row_count, entry_count, tuple(damage))


class _TableCheck:
    """The check of one table; counts what it reads."""

    def __init__(self, reader: Reader, table: BoundTable) -> None:
        self.row_count = 0
        self.entry_count = 0
        self._reader = reader
        self._table = table
        self._indexes = [index for index in table.indexes if index.is_ready]

    def run(self) -> Iterator[CorruptionError]:
        number = self._table.entry.number
        for chunk in self._reader.scan(*row_range(number)):
            self.row_count += len(chunk.keys)
            yield from self._check_rows(chunk)
        for chunk in self._reader.scan(*large_values_range(number), values=False):
            yield from self._check_large_values(chunk)
        for index in self._indexes:
            for chunk in self._reader.scan(*index_range(number, index.path.number)):
                self.entry_count += len(chunk.keys)
                yield from self._check_entries(index, chunk)

    def _check_rows(self, chunk: Chunk) -> Iterator[CorruptionError]:
        """Check that rows can be read, lie under their keys, have their entries, and refer to rows that are there."""
        table = self._table
        place = f"table {table.name}"
        wanted: dict[bytes, tuple[IndexMaintainer, bytes, bytes]] = {}
        parents: dict[bytes, tuple[str, bytes]] = {}
        for key, stored in zip(chunk.keys, chunk.values, strict=True):
            try:
                row = table.row_of(self._reader, key[len(table.row_prefix) :], stored)
                primary = table.primary_of_row(row)
                for index in self._indexes:
                    for entry_key, entry_value in index.entries(row, primary):
                        wanted[entry_key] = (index, entry_value, key)
                for reference in table.references:
                    value = getattr(row, reference.column)
                    if value is not None:
                        parents[reference.encode_parent((value,))] = (f"{reference.column}={value!r}", key)
            except CorruptionError as error:
                yield CorruptionError(place, str(error), key=key)
                continue
            except (UnencodableError, ValidationError) as error:
                yield CorruptionError(place, f"no key can be made of the row: {error}", key=key)
                continue
            if table.row_prefix + primary != key:
                yield CorruptionError(place, "the row lies under another key than its own", key=key)
        yield from self._missing(wanted, parents)

    def _check_large_values(self, chunk: Chunk) -> Iterator[CorruptionError]:
        """Check that each chunk belongs to a row that is there; that rows have their chunks is seen by reading them."""
        table = self._table
        begin = len(table.large.prefix)
        owners: dict[bytes, bytes] = {}
        for key in chunk.keys:
            try:
                owners[table.row_prefix + key[begin : table.skip_key(key, begin)]] = key
            except MalformedKeyError:
                owners[b""] = key
        for key, is_there in zip(owners.values(), self._reader.multi_get(list(owners)), strict=True):
            if is_there is None or not has_large_values(is_there):
                yield CorruptionError(f"table {table.name}", "a value out of line has no row", key=key)

    def _missing(
        self, wanted: dict[bytes, tuple[IndexMaintainer, bytes, bytes]], parents: dict[bytes, tuple[str, bytes]]
    ) -> Iterator[CorruptionError]:
        keys = list(wanted)
        for entry_key, found in zip(keys, self._reader.multi_get(keys), strict=True):
            index, value, row_key = wanted[entry_key]
            if found != value:
                problem = "a row has no entry" if found is None else "the entry of a row names another row"
                yield CorruptionError(f"index {index.path.name}", problem, key=row_key)
        keys = list(parents)
        for parent_key, found in zip(keys, self._reader.multi_get(keys), strict=True):
            if found is None:
                text, row_key = parents[parent_key]
                yield CorruptionError(
                    f"table {self._table.name}", f"{text} refers to a row that is not there", key=row_key
                )

    def _check_entries(self, index: IndexMaintainer, chunk: Chunk) -> Iterator[CorruptionError]:
        """Check that each entry is the one its row makes."""
        table = self._table
        place = f"index {index.path.name}"
        row_keys = []
        for key, value in zip(chunk.keys, chunk.values, strict=True):
            try:
                row_keys.append(table.row_prefix + index.primary_of(key, value))
            except MalformedKeyError:
                row_keys.append(b"")
        rows = self._reader.multi_get(row_keys)
        for key, value, row_key, stored in zip(chunk.keys, chunk.values, row_keys, rows, strict=True):
            if stored is None:
                yield CorruptionError(place, "an entry names a row that is not there", key=key)
            elif (key, value) not in self._entries_of(index, stored, row_key):
                yield CorruptionError(place, "an entry does not say what its row says", key=key)

    def _entries_of(self, index: IndexMaintainer, stored: bytes, row_key: bytes) -> tuple[Entry, ...]:
        table = self._table
        primary = row_key[len(table.row_prefix) :]
        try:
            return index.entries(table.row_with(self._reader, primary, stored, index.columns), primary)
        except (CorruptionError, UnencodableError):
            return ()
