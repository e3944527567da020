"""Mending indexes in place: entries that do not say what their rows say go, and entries that rows lack come.

Owns the two passes. Each batch is a transaction of its own, so writers go on meanwhile; a conflict halves it. What
cannot be mended is reported: rows that cannot be read, and rows that share a unique value. Works from the catalog
alone, like `verification`. Memory is bounded by one batch and the list of what is left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from docs_layer.bound_tables import BoundTable
from docs_layer.errors import ConflictError, CorruptionError, ValidationError
from docs_layer.indexes import Entry, IndexMaintainer
from docs_layer.key_encoding import MalformedKeyError, UnencodableError
from docs_layer.keyspace import index_range, row_range
from docs_layer.schema_views import SchemaCache
from docs_layer.store import Store, Transaction

LARGEST_BATCH: Final = 1000
LISTED_DAMAGE: Final = 1000


@dataclass(slots=True)
class RepairReport:
    """What was mended.

    Attributes:
        added: Entries that rows lacked.
        removed: Entries that did not say what a row says.
        left: What could not be mended, at most 1,000 of it.
    """

    added: int = 0
    removed: int = 0
    left: list[CorruptionError] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"{self.added} entries added, {self.removed} removed, {len(self.left)} places left damaged"]
        return "\n".join([*lines, *(f"  {one}" for one in self.left)])


def repair_indexes(store: Store, cache: SchemaCache) -> RepairReport:
    """Mend every ready index of every table; see the module text.

    Cost: every entry and every row is read once, with one look at the other side for each.
    """
    report = RepairReport()
    with store.snapshot() as snapshot:
        tables = [cache.view(snapshot).table_named(name) for name in cache.view(snapshot).catalog.tables]
    for table in tables:
        for index in table.indexes:
            if index.is_ready:
                _Pass(store, cache, table.name, report).remove_stale(index.path.number)
        _Pass(store, cache, table.name, report).add_missing()
    return report


class _Pass:
    """One way through rows or entries of a table, in batches."""

    def __init__(self, store: Store, cache: SchemaCache, name: str, report: RepairReport) -> None:
        self._store = store
        self._cache = cache
        self._name = name
        self._report = report

    def remove_stale(self, number: int) -> None:
        """Delete the entries of an index that no row makes."""
        with self._store.snapshot() as snapshot:
            entry = self._cache.view(snapshot).catalog.table(self._name)
        self._run(*index_range(entry.number, number), lambda *batch: self._remove(number, *batch))

    def add_missing(self) -> None:
        """Put the entries that rows lack."""
        with self._store.snapshot() as snapshot:
            entry = self._cache.view(snapshot).catalog.table(self._name)
        self._run(*row_range(entry.number), self._add)

    def _run(
        self,
        start: bytes,
        stop: bytes,
        mend: Callable[[Transaction, BoundTable, list[bytes], list[bytes]], RepairReport],
    ) -> None:
        size = LARGEST_BATCH
        while True:
            transaction = self._store.transaction()
            try:
                table = self._cache.view(transaction).table_named(self._name)
                keys: list[bytes] = []
                values: list[bytes] = []
                for chunk in transaction.scan(start, stop, limit=size):
                    keys += chunk.keys
                    values += chunk.values
                if not keys:
                    return
                found = mend(transaction, table, keys, values)
                transaction.commit()
            except ConflictError:
                size = max(size // 2, 1)
                continue
            finally:
                transaction.rollback()
            self._report.added += found.added
            self._report.removed += found.removed
            self._report.left += found.left[: LISTED_DAMAGE - len(self._report.left)]
            start, size = keys[-1] + b"\0", min(size * 2, LARGEST_BATCH)

    def _remove(
        self, number: int, transaction: Transaction, table: BoundTable, keys: list[bytes], values: list[bytes]
    ) -> RepairReport:
        found = RepairReport()
        index = next((one for one in table.indexes if one.path.number == number), None)
        if index is None:
            return found
        row_keys = [table.row_prefix + _primary_of(index, entry) for entry in zip(keys, values, strict=True)]
        rows = transaction.multi_get(row_keys)
        for entry, row_key, stored in zip(zip(keys, values, strict=True), row_keys, rows, strict=True):
            if stored is None or entry not in _entries_of(transaction, table, index, row_key, stored):
                transaction.delete(entry[0])
                found.removed += 1
        return found

    def _add(self, transaction: Transaction, table: BoundTable, keys: list[bytes], values: list[bytes]) -> RepairReport:
        found = RepairReport()
        wanted: dict[bytes, tuple[IndexMaintainer, bytes, bytes]] = {}
        ready = [index for index in table.indexes if index.is_ready]
        columns = frozenset[str]().union(*(index.columns for index in ready))
        for row_key, stored in zip(keys, values, strict=True):
            try:
                primary = row_key[len(table.row_prefix) :]
                row = table.row_with(transaction, primary, stored, columns)
                for index in ready:
                    for key, value in index.entries(row, primary):
                        if key in wanted:
                            found.left.append(_shared(index, row_key))
                        wanted.setdefault(key, (index, value, row_key))
            except (CorruptionError, UnencodableError, ValidationError) as error:
                found.left.append(CorruptionError(f"table {table.name}", str(error), key=row_key))
        for key, there in zip(wanted, transaction.multi_get(list(wanted)), strict=True):
            index, value, row_key = wanted[key]
            if there is None:
                transaction.put(key, value)
                found.added += 1
            elif there != value:
                found.left.append(_shared(index, row_key))
        return found


def _shared(index: IndexMaintainer, row_key: bytes) -> CorruptionError:
    return CorruptionError(f"index {index.path.name}", "another row has the same unique values", key=row_key)


def _primary_of(index: IndexMaintainer, entry: Entry) -> bytes:
    try:
        return index.primary_of(*entry)
    except MalformedKeyError:
        return b""


def _entries_of(
    transaction: Transaction, table: BoundTable, index: IndexMaintainer, row_key: bytes, stored: bytes
) -> tuple[Entry, ...]:
    """Return the entries of a row, none of one that cannot be read."""
    primary = row_key[len(table.row_prefix) :]
    try:
        return index.entries(table.row_with(transaction, primary, stored, index.columns), primary)
    except (CorruptionError, UnencodableError):
        return ()
