"""Building an index over rows that are there: batch by batch, while every writer already maintains it.

Owns the states of an index after it was written as "building". Each batch is one transaction: it scans rows
(validated, so a concurrent change of one of them is a conflict), inserts the entries that writers have not made yet,
and stores how far it came; a conflict halves the batch. Rows that come behind the last one of a batch are no conflict:
whoever writes them knows the index, because the epoch was bumped when it was written. The last batch makes the index
"ready". A unique index that meets two rows with the same values is taken back: entries gone, number retired, error with
both keys. A build that was interrupted goes on where the stored progress says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec

from docs_layer.bound_tables import BoundTable
from docs_layer.catalog import TableEntry, write_table
from docs_layer.errors import ConflictError, NotUniqueError
from docs_layer.indexes import IndexMaintainer
from docs_layer.keyspace import index_build_key, index_range, row_range
from docs_layer.rows_update import new_entries
from docs_layer.schema_views import SchemaCache
from docs_layer.store import Store, Transaction

LARGEST_BATCH: Final = 1000
NAMED_DUPLICATES: Final = 100

Progress = Callable[[int, int], object]
"""Called after each batch with the rows done by this call and a guess of the rows of the table."""


class _Batch(NamedTuple):
    """What one batch found: pairs of keys that clash, how many rows it had, and whether it was the last one."""

    duplicates: list[tuple[Any, Any]]
    row_count: int
    is_last: bool


def build_indexes(store: Store, cache: SchemaCache, name: str, progress: Progress | None = None) -> None:
    """Build every index of a table that is in state "building".

    Args:
        store: The store.
        cache: The schema.
        name: The table.
        progress: Is told how far each build is; what it raises ends the build, which can go on later.

    Raises:
        NotUniqueError: A unique index met rows with the same values; names them. The index is gone then.
        ValidationError: A stored value has no place in the index; the index stays "building".

    Cost: every row is read once for each index, in transactions of at most 1,000 rows; constant memory.
    """
    with store.snapshot() as snapshot:
        bound = cache.view(snapshot).table_named(name)
    for index in bound.indexes:
        if not index.is_ready:
            _build(store, cache, name, index.path.number, progress)


def _build(store: Store, cache: SchemaCache, name: str, number: int, progress: Progress | None) -> None:
    size = LARGEST_BATCH
    done = 0
    while True:
        transaction = store.transaction()
        try:
            bound = cache.view(transaction).table_named(name)
            index = next((one for one in bound.indexes if one.path.number == number), None)
            if index is None or index.is_ready:
                return
            batch = _build_batch(transaction, bound, index, size)
            if batch.duplicates:
                transaction.rollback()
                _give_up(store, cache, name, number)
                columns = ", ".join(term.column.name for term in index.path.terms)
                raise NotUniqueError(bound.name, index.path.name, columns, batch.duplicates)
            if batch.is_last:
                _set_ready(transaction, bound.entry, number)
            transaction.commit()
        except ConflictError:
            size = max(size // 2, 1)
            continue
        finally:
            transaction.rollback()
        size = min(size * 2, LARGEST_BATCH)
        done += batch.row_count
        if progress is not None:
            progress(done, max(done, store.estimate(*row_range(bound.entry.number)).entries))


def _build_batch(transaction: Transaction, table: BoundTable, index: IndexMaintainer, size: int) -> _Batch:
    """Insert the entries of the next rows."""
    progress_key = index_build_key(table.entry.number, index.path.number)
    start, stop = row_range(table.entry.number)
    done = transaction.get(progress_key)
    first = start if done is None else done + b"\0"
    last, count = _last_of(transaction, first, stop, size)
    if last is None:
        return _Batch([], 0, is_last=True)
    entries: dict[bytes, bytes] = {}
    clashes: list[tuple[bytes, bytes]] = []
    for chunk in transaction.scan(first, last + b"\0"):
        for row_key, stored in zip(chunk.keys, chunk.values, strict=True):
            primary = row_key[len(table.row_prefix) :]
            row = table.row_with(transaction, primary, stored, index.columns)
            for key, value in new_entries(table, index, row, primary):
                if key in entries:
                    clashes.append((index.primary_of(key, entries[key]), primary))
                entries[key] = value
    transaction.put(progress_key, last)
    for key in transaction.insert(entries.items()):
        there = transaction.get(key)
        if there is not None and there != entries[key]:
            clashes.append((index.primary_of(key, there), index.primary_of(key, entries[key])))
    named = [(table.decode_key(one), table.decode_key(other)) for one, other in clashes[:NAMED_DUPLICATES]]
    return _Batch(named, count, is_last=count < size)


def _last_of(transaction: Transaction, start: bytes, stop: bytes, size: int) -> tuple[bytes | None, int]:
    """Return the key of the last row of a batch, and how many there are; not validated, see the module text."""
    last: bytes | None = None
    count = 0
    for chunk in transaction.unvalidated.scan(start, stop, limit=size, values=False):
        last = chunk.keys[-1]
        count += len(chunk.keys)
    return last, count


def _set_ready(transaction: Transaction, entry: TableEntry, number: int) -> None:
    indexes = tuple(
        msgspec.structs.replace(index, state="ready") if index.number == number else index for index in entry.indexes
    )
    write_table(transaction, msgspec.structs.replace(entry, indexes=indexes))
    transaction.delete(index_build_key(entry.number, number))
    transaction.bump_epoch()


def _give_up(store: Store, cache: SchemaCache, name: str, number: int) -> None:
    while True:
        transaction = store.transaction()
        try:
            take_back(transaction, cache.view(transaction).catalog.table(name), number)
            transaction.commit()
        except ConflictError:
            continue
        finally:
            transaction.rollback()
        return


def take_back(transaction: Transaction, entry: TableEntry, number: int) -> None:
    """Take an index out of the catalog, with its entries; its number is never used again."""
    indexes = tuple(index for index in entry.indexes if index.number != number)
    write_table(transaction, msgspec.structs.replace(entry, indexes=indexes))
    transaction.delete(index_build_key(entry.number, number))
    transaction.delete_range(*index_range(entry.number, number))
    transaction.bump_epoch()
