"""Deleting rows on a store transaction, with what their referrers ask for: restrict, cascade, set null; and truncating.

Owns the order of a deletion: rows and entries go first, together with the rows that refer to them by "cascade", and
references by "set_null" are emptied; at the end of the call nothing may refer to any of the rows by "restrict". So a
row and its restricting referrer may go in one call. Each scan for referrers is validated: of two transactions, one that
deletes a row and one that refers to it, at most one commits.

Functions keep no state; a transaction belongs to one thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any, Protocol

from docs_layer.bound_tables import BoundTable
from docs_layer.errors import ForeignKeyViolation
from docs_layer.foreign_keys import find_any_referrer, find_referrers, require_no_referrers
from docs_layer.keyspace import index_range, large_values_range, row_range
from docs_layer.rows_update import StoredRow, change_rows, delete_entry, find_row, read_stored
from docs_layer.rows_write import UndoneOnError
from docs_layer.store import Transaction


class Schema(Protocol):
    """What deleting must know of the other tables."""

    def table_named(self, name: str) -> BoundTable:
        """Return a stored table as the catalog describes it."""
        ...


def delete_row(transaction: Transaction, schema: Schema, table: BoundTable, key: Any) -> bool:
    """Delete one row and its entries, and do what its referrers ask for.

    Returns:
        Whether it was there.

    Raises:
        ForeignKeyViolation: Another row still refers to it, by "restrict".
    """
    found = find_row(transaction, table, key)
    if found is None:
        return False
    delete_rows(transaction, schema, table, [found])
    return True


def delete_rows(transaction: Transaction, schema: Schema, table: BoundTable, rows: Iterable[StoredRow]) -> int:
    """Delete rows as they were read in this transaction; return how many.

    Raises:
        ForeignKeyViolation: A row that stays still refers to one of them; nothing is deleted then.

    Cost: one delete for each row and entry, one short scan for each row and column that refers to its table; rows
    that go by "cascade" count like the others, and all must fit in the transaction.
    """
    with UndoneOnError(transaction):
        deletion = _Deletion(transaction, schema)
        count = 0
        for found in rows:
            deletion.add(table, found)
            count += 1
        deletion.finish()
    return count


class _Deletion:
    """The rows that go in one call, breadth first; each is deleted once, so circles of references end."""

    def __init__(self, transaction: Transaction, schema: Schema) -> None:
        self._transaction = transaction
        self._schema = schema
        self._waiting: deque[tuple[BoundTable, StoredRow]] = deque()
        self._restricted: dict[str, tuple[BoundTable, list[Any]]] = {}

    def add(self, table: BoundTable, found: StoredRow) -> None:
        """Delete a row and all that goes with it."""
        self._delete(table, found)
        while self._waiting:
            self._follow(*self._waiting.popleft())

    def finish(self) -> None:
        """Check that no row refers to a deleted one by "restrict"."""
        for table, keys in self._restricted.values():
            require_no_referrers(self._transaction, table, keys)

    def _delete(self, table: BoundTable, found: StoredRow) -> None:
        self._transaction.delete(table.row_prefix + found.primary)
        if found.large:
            table.large.delete(self._transaction, found.primary)
        for index in table.indexes:
            for entry in index.entries(found.row, found.primary):
                delete_entry(self._transaction, index, entry, found.primary)
        if table.referrers:
            self._waiting.append((table, found))

    def _follow(self, table: BoundTable, found: StoredRow) -> None:
        """Do what the referrers of a deleted row ask for."""
        key = table.key_of(found.row)
        if any(referrer.on_delete == "restrict" for referrer in table.referrers):
            self._restricted.setdefault(table.name, (table, []))[1].append(key)
        for referrer in table.referrers:
            if referrer.on_delete == "restrict":
                continue
            child = self._schema.table_named(referrer.table)
            for primary in list(find_referrers(self._transaction, referrer, key)):
                row = read_stored(self._transaction, child, primary)
                if row is None:
                    continue
                if referrer.on_delete == "cascade":
                    self._delete(child, row)
                else:
                    change_rows(self._transaction, child, [(row, {referrer.column.name: None})])


def truncate_table(transaction: Transaction, schema: Schema, table: BoundTable, *, cascade: bool) -> None:
    """Delete all rows of a table at once; automatic ids go on where they are.

    Args:
        transaction: Where to write.
        schema: The other tables.
        table: The table.
        cascade: Whether tables that refer to it, directly or through others, are emptied as well, whatever their
            `on_delete` says of single rows.

    Raises:
        ForeignKeyViolation: A row of another table refers to one of this; names it.

    Cost: a few range deletions, whatever the number of rows.
    """
    emptied: dict[str, BoundTable] = {table.name: table}
    waiting = [table]
    while waiting:
        current = waiting.pop()
        for referrer in current.referrers:
            if referrer.table in emptied:
                continue
            found = find_any_referrer(transaction, referrer)
            if found is None:
                continue
            if not cascade:
                raise ForeignKeyViolation(
                    referrer.table, referrer.column.name, current.name, "any row", [referrer.decode_key(found)]
                )
            emptied[referrer.table] = child = schema.table_named(referrer.table)
            waiting.append(child)
    for one in emptied.values():
        _delete_everything(transaction, one)


def _delete_everything(transaction: Transaction, table: BoundTable) -> None:
    number = table.entry.number
    transaction.delete_range(*row_range(number))
    transaction.delete_range(*large_values_range(number))
    for index in table.indexes:
        transaction.delete_range(*index_range(number, index.path.number))
