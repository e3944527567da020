"""Changing rows that are there, on a store transaction: one row or many, with the entries that differ.

Owns the order of a change: validate all rows, put them, delete the entries that go, insert those that come, and check
references at the end. So a call may move a unique value from one of its rows to another. An index none of whose
columns changed costs nothing. Updating validates the value it replaces; see `rows_write` for the rest.

Functions keep no state; a transaction belongs to one thread.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import InvalidOperation
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from docs_layer.bound_tables import BoundTable
from docs_layer.errors import NotFoundError, ValidationError
from docs_layer.foreign_keys import Parents, collect_parents, require_parents
from docs_layer.indexes import KEY_LIMIT_BYTES, Entry, IndexMaintainer
from docs_layer.key_encoding import UnencodableError
from docs_layer.large_values import INLINE_LIMIT_BYTES, has_large_values
from docs_layer.row_changes import RowChange
from docs_layer.rows_write import UndoneOnError, insert_rows, unique_violation
from docs_layer.sequences import Sequences
from docs_layer.store import Transaction


class StoredRow(NamedTuple):
    """A row as it was read.

    Attributes:
        primary: Its encoded primary key.
        stored: Its bytes, with large values in it.
        row: What they say.
        large: The large values that are stored out of line, by field number.
    """

    primary: bytes
    stored: bytes
    row: Any
    large: Mapping[int, bytes] = MappingProxyType({})


class Change(NamedTuple):
    """A row before and after."""

    primary: bytes
    old: Any
    new: Any


def find_row(transaction: Transaction, table: BoundTable, key: Any) -> StoredRow | None:
    """Read the row with a primary key, validated; None if it is not there."""
    return read_stored(transaction, table, table.encode_key(key))


def read_stored(transaction: Transaction, table: BoundTable, primary: bytes) -> StoredRow | None:
    """Read the row with an encoded primary key, validated; None if it is not there."""
    stored = transaction.get(table.row_prefix + primary)
    if stored is None:
        return None
    if not has_large_values(stored):
        return StoredRow(primary, stored, table.codec.decode(stored))
    large = table.large.load(transaction, primary, stored)
    whole = table.large.join(stored, large)
    return StoredRow(primary, whole, table.codec.decode(whole), large)


def update_row(transaction: Transaction, table: BoundTable, key: Any, change: RowChange) -> Any:
    """Change columns of one row.

    Returns:
        The row as it will be read.

    Raises:
        NotFoundError: No row has the key.
        ValidationError: A value that its column refuses, or a changed primary key.
        UniqueViolation, ForeignKeyViolation: As for inserting.
    """
    found = find_row(transaction, table, key)
    if found is None:
        raise NotFoundError(table.name, key)
    with UndoneOnError(transaction):
        return table.show(change_rows(transaction, table, [(found, change(found.row))])[0])


def replace_row(transaction: Transaction, table: BoundTable, row: Any) -> Any:
    """Set all columns of the row that has the row's key; columns that the class lacks stay.

    Raises and returns as `update_row`.
    """
    struct = table.to_struct(row)
    key = table.key_of(struct)
    found = None if key is UNSET else find_row(transaction, table, key)
    if found is None:
        raise NotFoundError(table.name, None if key is UNSET else key)
    with UndoneOnError(transaction):
        return table.show(change_rows(transaction, table, [(found, _all_columns(table, struct))])[0])


def upsert_row(transaction: Transaction, table: BoundTable, row: Any, sequences: Sequences) -> Any:
    """Insert a row, or set all columns of the row that has its key; columns the class lacks stay.

    Raises and returns as `update_row`.
    """
    struct = table.to_struct(row)
    if table.automatic is None or getattr(struct, table.automatic) is not UNSET:
        found = read_stored(transaction, table, table.primary_of_row(struct))
        if found is not None:
            with UndoneOnError(transaction):
                return table.show(change_rows(transaction, table, [(found, _all_columns(table, struct))])[0])
    parents: Parents = {}
    with UndoneOnError(transaction):
        inserted = insert_rows(transaction, table, [row], sequences, parents)
        require_parents(transaction, parents)
    return inserted[0]


def _all_columns(table: BoundTable, row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in table.definition.columns if name not in table.key_columns}


def change_rows(
    transaction: Transaction, table: BoundTable, wanted: Iterable[tuple[StoredRow, Mapping[str, Any]]]
) -> list[Any]:
    """Write changed rows and the entries that differ; undoing them on an error is the caller's matter.

    Args:
        transaction: Where to write.
        table: Their table.
        wanted: Rows as they were read in this transaction, each with the new values of its columns.

    Returns:
        The rows as they will be read, as structs of the table.

    Raises:
        ValidationError: A value that its column refuses, or a changed primary key.
        UniqueViolation: A unique value that another row has.
        ForeignKeyViolation: A reference to a row that is not there.

    Cost: for each row that differs one `put`, and two writes for each entry that differs.
    """
    written: list[Any] = []
    changes: list[Change] = []
    names: set[str] = set()
    for found, values in wanted:
        value, new = _validated(table, found, values)
        written.append(new)
        if value != found.stored:
            if found.large or len(value) > INLINE_LIMIT_BYTES:
                value, large = table.large.split(value)
                table.large.write(transaction, found.primary, found.large, large)
            transaction.put(table.row_prefix + found.primary, value)
            changes.append(Change(found.primary, found.row, new))
            names.update(values)
    if changes:
        _change_entries(transaction, table, changes, names)
        _check_parents(transaction, table, changes, names)
    return written


def _validated(table: BoundTable, found: StoredRow, values: Mapping[str, Any]) -> tuple[bytes, Any]:
    for name in table.key_columns:
        if name in values and values[name] != getattr(found.row, name):
            raise ValidationError(table.name, name, values[name], "a primary key never changes; delete and insert")
    return table.codec.checked(msgspec.structs.replace(found.row, **values))


def _change_entries(
    transaction: Transaction, table: BoundTable, changes: Sequence[Change], names: Collection[str]
) -> None:
    """Delete the entries that go, then insert those that come; entries that stay the same are left alone."""
    comes: dict[bytes, tuple[IndexMaintainer, Any]] = {}
    unique: list[Entry] = []
    plain: list[Entry] = []
    affected = [index for index in table.indexes if not index.columns.isdisjoint(names)]
    for change in changes if affected else ():
        differing = {name for name in names if differs(getattr(change.old, name), getattr(change.new, name))}
        for index in affected:
            if index.columns.isdisjoint(differing):
                continue
            before = index.entries(change.old, change.primary)
            after = new_entries(table, index, change.new, change.primary)
            for entry in before:
                if entry not in after:
                    delete_entry(transaction, index, entry, change.primary)
            added = [entry for entry in after if entry not in before]
            (unique if index.path.unique else plain).extend(added)
            if index.path.unique:
                comes.update((key, (index, change.new)) for key, _ in added)
    for entry in plain:
        transaction.put(*entry)
    for key in transaction.insert(unique) if unique else ():
        raise unique_violation(transaction, table, *comes[key], key)


def new_entries(table: BoundTable, index: IndexMaintainer, row: Any, primary: bytes) -> tuple[Entry, ...]:
    """Return the entries of a row that is about to be written. Raises `ValidationError` where there can be none."""
    try:
        entries = index.entries(row, primary)
    except UnencodableError as error:
        raise index.refusal(table.name, row) from error
    for key, _ in entries:
        if len(key) > KEY_LIMIT_BYTES:
            raise index.refusal(table.name, row)
    return entries


def delete_entry(transaction: Transaction, index: IndexMaintainer, entry: Entry, primary: bytes) -> None:
    """Delete an entry; while a unique index is being built, only if it names this row."""
    key, value = entry
    if index.is_ready or not value or _names(transaction.get(key), index, key, primary):
        transaction.delete(key)


def _names(stored: bytes | None, index: IndexMaintainer, key: bytes, primary: bytes) -> bool:
    return stored is not None and index.primary_of(key, stored) == primary


def _check_parents(
    transaction: Transaction, table: BoundTable, changes: Sequence[Change], names: Collection[str]
) -> None:
    parents: Parents = {}
    for reference in table.references:
        if reference.column in names:
            column = reference.column
            moved = [one.new for one in changes if getattr(one.old, column) != getattr(one.new, column)]
            collect_parents(table, reference, moved, parents)
    require_parents(transaction, parents)


def differs(old: object, new: object) -> bool:
    """Return whether two values are unequal; a signaling NaN, which refuses to be compared, differs from everything."""
    try:
        return bool(old != new)
    except InvalidOperation:
        return True
