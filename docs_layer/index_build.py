"""Building an index over rows that are there: batch by batch, while every writer already maintains it.

Owns the states of an index after it was written as "building". Each batch is one transaction: it scans rows
(validated, so a concurrent change of one of them is a conflict), inserts the entries that writers have not made yet,
and stores how far it came; a conflict halves the batch. The last one makes the index "ready". A unique index that
meets two rows with the same values is taken back: entries gone, number retired, error with both keys. A build that
was interrupted goes on where the stored progress says.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from docs_layer.bound_tables import BoundTable
from docs_layer.catalog import TableEntry, write_table
from docs_layer.errors import ConflictError, SchemaError
from docs_layer.indexes import KEY_LIMIT_BYTES, IndexMaintainer
from docs_layer.key_encoding import UnencodableError
from docs_layer.keyspace import index_build_key, index_range, row_range
from docs_layer.schema_views import SchemaCache
from docs_layer.store import Store, Transaction
from docs_layer.tables import Table

LARGEST_BATCH: Final = 1000
NAMED_DUPLICATES: Final = 10


def build_indexes(store: Store, cache: SchemaCache, table: type[Table]) -> None:
    """Build every index of a table that is in state "building".

    Raises:
        SchemaError: A unique index met rows with the same values; names them. The index is gone then.
        ValidationError: A stored value has no place in the index; the index stays "building".
    """
    with store.snapshot() as snapshot:
        bound = cache.view(snapshot).table(table)
    for index in bound.indexes:
        if not index.is_ready:
            _build(store, cache, table, index.path.number)


def _build(store: Store, cache: SchemaCache, table: type[Table], number: int) -> None:
    size = LARGEST_BATCH
    while True:
        transaction = store.transaction()
        try:
            bound = cache.view(transaction).table(table)
            index = next((one for one in bound.indexes if one.path.number == number), None)
            if index is None or index.is_ready:
                return
            duplicates, is_done = _build_batch(transaction, bound, index, size)
            if duplicates:
                transaction.rollback()
                _give_up(store, cache, table, number)
                raise _not_unique(bound, index, duplicates)
            if is_done:
                _set_ready(transaction, bound.entry, number)
            transaction.commit()
            size = min(size * 2, LARGEST_BATCH)
        except ConflictError:
            size = max(size // 2, 1)
        finally:
            transaction.rollback()


def _build_batch(
    transaction: Transaction, table: BoundTable, index: IndexMaintainer, size: int
) -> tuple[list[tuple[Any, Any]], bool]:
    """Insert the entries of the next rows; return pairs of keys that clash, and whether no row is left."""
    progress_key = index_build_key(table.entry.number, index.path.number)
    start, stop = row_range(table.entry.number)
    done = transaction.get(progress_key)
    first = start if done is None else done + b"\0"
    entries: dict[bytes, bytes] = {}
    clashes: list[tuple[bytes, bytes]] = []
    count = 0
    for chunk in transaction.scan(first, stop, limit=size):
        count += len(chunk.keys)
        for row_key, stored in zip(chunk.keys, chunk.values, strict=True):
            primary = row_key[len(table.row_prefix) :]
            key, value = _entry_of(table, index, table.codec.decode(stored), primary)
            if key in entries:
                clashes.append((index.primary_of(key, entries[key]), primary))
            entries[key] = value
        transaction.put(progress_key, chunk.keys[-1])
    for key in transaction.insert(entries.items()):
        there = transaction.get(key)
        if there is not None and there != entries[key]:
            clashes.append((index.primary_of(key, there), entries[key]))
    named = [(table.decode_key(one), table.decode_key(other)) for one, other in clashes[:NAMED_DUPLICATES]]
    return named, count < size


def _entry_of(table: BoundTable, index: IndexMaintainer, row: Any, primary: bytes) -> tuple[bytes, bytes]:
    try:
        entry = index.entry(row, primary)
    except UnencodableError as error:
        raise index.refusal(table.name, row) from error
    if len(entry[0]) > KEY_LIMIT_BYTES:
        raise index.refusal(table.name, row)
    return entry


def _set_ready(transaction: Transaction, entry: TableEntry, number: int) -> None:
    indexes = tuple(
        msgspec.structs.replace(index, state="ready") if index.number == number else index for index in entry.indexes
    )
    write_table(transaction, msgspec.structs.replace(entry, indexes=indexes))
    transaction.delete(index_build_key(entry.number, number))
    transaction.bump_epoch()


def _give_up(store: Store, cache: SchemaCache, table: type[Table], number: int) -> None:
    """Take an index that cannot be unique out of the catalog, with its entries; its number is never used again."""
    while True:
        transaction = store.transaction()
        try:
            entry = cache.view(transaction).table(table).entry
            indexes = tuple(index for index in entry.indexes if index.number != number)
            write_table(transaction, msgspec.structs.replace(entry, indexes=indexes))
            transaction.delete(index_build_key(entry.number, number))
            transaction.delete_range(*index_range(entry.number, number))
            transaction.bump_epoch()
            transaction.commit()
        except ConflictError:
            continue
        finally:
            transaction.rollback()
        return


def _not_unique(table: BoundTable, index: IndexMaintainer, duplicates: list[tuple[Any, Any]]) -> SchemaError:
    rows = ", ".join(f"{one!r} and {other!r}" for one, other in duplicates)
    columns = ", ".join(term.column.name for term in index.path.terms)
    return SchemaError(
        f"({columns}) cannot be unique: the same values are in the rows {rows}",
        table=table.name,
        field=index.path.name,
    )
