"""Adding an index to a live table, and dropping one: what changes in the catalog, each in one transaction.

Owns the rules of both. A new index is written as "building" with a new epoch: from then on every writer of every
process maintains it, and `index_build` fills it; a dropped one goes with its entries and the epoch at once, so no
writer that still knows it can commit. No state; any thread may use the functions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from typing_extensions import TypeVar

from docs_layer.bound_tables import BoundTable
from docs_layer.catalog import FORMAT, IndexEntry, TableEntry, write_header, write_table
from docs_layer.conditions import ALWAYS
from docs_layer.errors import ConflictError, NoSuchIndex, SchemaError
from docs_layer.fields import Index
from docs_layer.index_build import take_back
from docs_layer.index_definitions import in_document, read_index
from docs_layer.predicates import describe
from docs_layer.retrying import DEFAULT_RETRIES, pause, pauses
from docs_layer.schema_changes import new_index
from docs_layer.schema_views import SchemaCache
from docs_layer.store import Store, Transaction

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """An index of a table.

    Attributes:
        terms: What is indexed, as it can be declared.
        where: The condition of rows that have entries, in words; None for all rows.
        include: Columns that entries hold beside the terms.
        state: "building" while it is filled, or after that was interrupted: writers maintain it, queries do not use
            it; then "ready".
    """

    table: str
    name: str
    terms: tuple[str, ...]
    unique: bool
    where: str | None
    include: tuple[str, ...]
    state: str


def describe_indexes(table: BoundTable) -> list[IndexInfo]:
    """Return the indexes of a table, in the order in which they were added."""
    return [
        IndexInfo(
            table.name,
            index.path.name,
            tuple(("-" if term.descending else "") + _shown(table, term.column.name) for term in index.path.terms),
            index.path.unique,
            None if index.path.where == ALWAYS else describe(index.path.where),
            tuple(column.name for column in index.path.included),
            "ready" if index.is_ready else "building",
        )
        for index in table.indexes
    ]


def _shown(table: BoundTable, text: str) -> str:
    return text if table.document is None else in_document(text, table.document)


def add_index(store: Store, cache: SchemaCache, find: Callable[[Transaction], BoundTable], declared: Index) -> str:
    """Write an index as "building"; return its name. An equal one that is there already is left as it is.

    Args:
        store: The store.
        cache: The schema.
        find: Gives the table as of a view, with all columns that the index may name.
        declared: The index.

    Raises:
        SchemaError, NoSuchField: See `index_definitions.read_index`; or another index has the name.
    """

    def change(transaction: Transaction) -> str:
        table = find(transaction)
        definition = read_index(table.scope, table.annotations, declared)
        fields = {field.name: field.number for field in table.entry.fields}
        entry = new_index(table.entry.next_index, definition, fields, "building")
        known = table.entry.index_named(entry.name)
        if known is not None:
            if msgspec.structs.replace(known, number=entry.number, state=entry.state) != entry:
                raise SchemaError("another index has this name", table=table.name, field=entry.name)
            return entry.name
        header = cache.view(transaction).catalog.header
        write_header(transaction, msgspec.structs.replace(header, format=FORMAT))
        write_table(transaction, _with_index(table.entry, entry))
        transaction.bump_epoch()
        return entry.name

    return _in_transaction(store, change)


def remove_index(store: Store, cache: SchemaCache, table: str, name: str) -> None:
    """Drop an index with its entries.

    Raises:
        NoSuchIndex: The table has none of that name; names the nearest one.
        SchemaError: A reference needs it.
    """

    def change(transaction: Transaction) -> None:
        entry = cache.view(transaction).catalog.table(table)
        index = entry.index_named(name)
        if index is None:
            raise NoSuchIndex(table, name, [one.name for one in entry.indexes])
        _require_no_reference(entry, index)
        take_back(transaction, entry, index.number)

    _in_transaction(store, change)


def _with_index(entry: TableEntry, index: IndexEntry) -> TableEntry:
    return msgspec.structs.replace(entry, indexes=(*entry.indexes, index), next_index=index.number + 1)


def _require_no_reference(entry: TableEntry, dropped: IndexEntry) -> None:
    others = [index for index in entry.indexes if index is not dropped and index.is_plain]
    for field in entry.fields:
        begins = dropped.is_plain and dropped.terms[0].field == field.number
        if field.references is not None and begins and not any(one.terms[0].field == field.number for one in others):
            raise SchemaError(
                f"the reference {field.name} needs it: deleting what it refers to looks here",
                table=entry.name,
                field=dropped.name,
            )


def _in_transaction(store: Store, change: Callable[[Transaction], Result]) -> Result:
    for longest in pauses(DEFAULT_RETRIES):
        transaction = store.transaction()
        try:
            result = change(transaction)
            transaction.commit()
        except ConflictError:
            pause(longest)
        else:
            return result
        finally:
            transaction.rollback()
    raise ConflictError
