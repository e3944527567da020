"""Classes against catalog: what must be written so that the stored schema holds what the classes declare.

Owns the rules of what is compatible. Compatible are new tables, new columns with a null or a default, columns that
become nullable, another `on_delete`, new indexes. Columns and indexes that a class does not name stay; a required one
that it does not name is refused, since it could not insert. Pure functions: the decision is a value, `opening` writes
it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from docs_layer.catalog import (
    FORMAT,
    NULL_BYTES,
    Catalog,
    FieldEntry,
    Header,
    IndexEntry,
    IndexState,
    IndexTermEntry,
    LayoutEntry,
    TableEntry,
)
from docs_layer.definitions import STORED_KINDS, ColumnDefinition, TableDefinition
from docs_layer.errors import NoSuchTable, QueryError, SchemaError
from docs_layer.index_definitions import IndexDefinition, IndexTermDefinition, stored_step
from docs_layer.row_codec import decode_value, encode_value
from docs_layer.stored_conditions import condition_bytes

LAYOUT_LIMIT = 255


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """What to write, all in one transaction with a new epoch; nothing if `tables` is empty."""

    header: Header
    tables: tuple[TableEntry, ...]
    layouts: tuple[LayoutEntry, ...]


def plan_schema_change(catalog: Catalog, definitions: Sequence[TableDefinition]) -> SchemaChange:
    """Compare classes with the catalog.

    Raises:
        SchemaError: A change that stored rows cannot follow; names table and field.
        NoSuchTable: A reference to a table that is neither declared nor stored.
    """
    numbers = {name: entry.number for name, entry in catalog.tables.items()}
    next_table = catalog.header.next_table
    for definition in definitions:
        if definition.name not in numbers:
            numbers[definition.name] = next_table
            next_table += 1
    tables: list[TableEntry] = []
    layouts: list[LayoutEntry] = []
    for definition in definitions:
        stored = catalog.tables.get(definition.name)
        if stored is None:
            entry = _new_table(definition, numbers)
            layout = LayoutEntry(table=entry.number, number=1, fields=tuple(field.number for field in entry.fields))
        else:
            check_compatible(definition, stored, numbers)
            entry = _changed_table(definition, stored, numbers)
            layout = _next_layout(entry, catalog.layouts[stored.number][-1], definition)
        if entry != stored:
            tables.append(entry)
        if stored is None or layout != catalog.layouts[stored.number][-1]:
            layouts.append(layout)
    _check_reference_kinds({entry.number: entry for entry in (*catalog.tables.values(), *tables)})
    header = msgspec.structs.replace(catalog.header, format=FORMAT, next_table=next_table)
    return SchemaChange(header, tuple(tables), tuple(layouts))


def check_compatible(definition: TableDefinition, stored: TableEntry, numbers: Mapping[str, int]) -> None:
    """Check that a class can read and write a stored table, apart from what it adds.

    Raises:
        SchemaError: It cannot; names table and field.
    """
    key = tuple(stored.field(number).name for number in stored.key)
    if key != definition.key:
        raise SchemaError(
            f"the stored primary key is ({', '.join(key)}), not ({', '.join(definition.key)})", table=stored.name
        )
    for field in stored.fields:
        column = definition.columns.get(field.name)
        if column is not None:
            _check_column(definition.name, column, field, numbers)
        elif field.default is None:
            raise SchemaError(
                "the class lacks this column, and rows cannot be stored without a value for it",
                table=stored.name,
                field=field.name,
            )
    for index in definition.indexes:
        known = stored.index_named(index.name)
        if known is not None and not _is_same_index(stored, known, index):
            raise SchemaError(
                "an index of this name is stored with other columns, or another uniqueness or condition",
                table=stored.name,
                field=index.name,
            )


def _check_column(table: str, column: ColumnDefinition, field: FieldEntry, numbers: Mapping[str, int]) -> None:
    if column.kind != field.kind and not (column.kind == "any" and field.kind in STORED_KINDS):
        raise SchemaError(f"stored as {field.kind}, declared as {column.kind}", table=table, field=field.name)
    if field.nullable and not column.nullable:
        raise SchemaError("stored rows may hold null here, the class does not allow it", table=table, field=field.name)
    if _reference_number(column, numbers) != field.references:
        raise SchemaError(
            "a reference cannot be added to, taken from or changed in a stored column", table=table, field=field.name
        )


def _check_reference_kinds(tables: Mapping[int, TableEntry]) -> None:
    for entry in tables.values():
        for field in entry.fields:
            if field.references is None:
                continue
            target = tables[field.references]
            kinds = [target.field(number).kind for number in target.key]
            if kinds != [field.kind]:
                raise SchemaError(
                    f"it is of kind {field.kind}, the primary key of {target.name} of ({', '.join(kinds)})",
                    table=entry.name,
                    field=field.name,
                )


def _is_same_index(stored: TableEntry, known: IndexEntry, declared: IndexDefinition) -> bool:
    fields = {field.name: field.number for field in stored.fields}
    if not {term.column for term in declared.terms}.union(declared.include) <= fields.keys():
        return False
    return new_index(known.number, declared, fields, known.state) == known


def _reference_number(column: ColumnDefinition, numbers: Mapping[str, int]) -> int | None:
    if column.references is None:
        return None
    if column.references not in numbers:
        raise NoSuchTable(column.references, numbers)
    return numbers[column.references]


def _field_entry(table: str, number: int, column: ColumnDefinition, numbers: Mapping[str, int]) -> FieldEntry:
    default: bytes | None = NULL_BYTES if column.nullable else None
    if column.default is not None and not column.options.automatic:
        default = _stored_default(table, column, column.default())
    return FieldEntry(
        number=number,
        name=column.name,
        kind=column.kind,
        nullable=column.nullable,
        default=default,
        references=_reference_number(column, numbers),
        on_delete=column.options.on_delete,
    )


def _stored_default(table: str, column: ColumnDefinition, value: object) -> bytes:
    """Encode a default, once it is sure that rows with it can be read."""
    stored = encode_value(table, column.name, value)
    try:
        decode_value(stored, column.annotation)
    except (msgspec.MsgspecError, ValueError) as error:
        raise SchemaError(
            f"its default {value!r} is no value of it: {error}", table=table, field=column.name
        ) from error
    return stored


def _new_table(definition: TableDefinition, numbers: Mapping[str, int]) -> TableEntry:
    fields = tuple(
        _field_entry(definition.name, number, column, numbers)
        for number, column in enumerate(definition.columns.values(), 1)
    )
    by_name = {field.name: field.number for field in fields}
    indexes = tuple(new_index(number, index, by_name, "ready") for number, index in enumerate(definition.indexes, 1))
    return TableEntry(
        number=numbers[definition.name],
        name=definition.name,
        fields=fields,
        key=tuple(by_name[name] for name in definition.key),
        automatic=definition.automatic,
        indexes=indexes,
        next_field=len(fields) + 1,
        next_index=len(indexes) + 1,
    )


def new_index(number: int, index: IndexDefinition, fields: Mapping[str, int], state: IndexState) -> IndexEntry:
    """Return the entry of a declared index.

    Args:
        number: Its number.
        index: The index.
        fields: Field numbers by column name.
        state: Its state.

    Raises:
        SchemaError: Its condition cannot be stored.
    """
    try:
        where = None if index.where is None else condition_bytes(index.where, fields)
    except (QueryError, KeyError) as error:
        raise SchemaError(f"its condition cannot be stored: {error}", field=index.name) from error
    return IndexEntry(
        number=number,
        name=index.name,
        terms=tuple(_new_term(term, fields) for term in index.terms),
        unique=index.unique,
        state=state,
        where=where,
        include=tuple(fields[name] for name in index.include),
    )


def _new_term(term: IndexTermDefinition, fields: Mapping[str, int]) -> IndexTermEntry:
    return IndexTermEntry(
        field=fields[term.column],
        descending=term.descending,
        steps=tuple(map(stored_step, term.steps)),
        converts=term.converts,
    )


def _changed_table(definition: TableDefinition, stored: TableEntry, numbers: Mapping[str, int]) -> TableEntry:
    """Give the stored entry with what the class adds; new indexes are in state "building"."""
    fields = []
    for field in stored.fields:
        column = definition.columns.get(field.name)
        fields.append(field if column is None else _changed_field(field, column))
    next_field = stored.next_field
    for name, column in definition.columns.items():
        if stored.field_named(name) is None:
            fields.append(_added_field(definition.name, next_field, column, numbers))
            next_field += 1
    by_name = {field.name: field.number for field in fields}
    new = [index for index in definition.indexes if stored.index_named(index.name) is None]
    indexes = [new_index(stored.next_index + place, index, by_name, "building") for place, index in enumerate(new)]
    return msgspec.structs.replace(
        stored,
        fields=tuple(fields),
        indexes=(*stored.indexes, *indexes),
        automatic=definition.automatic,
        next_field=next_field,
        next_index=stored.next_index + len(new),
    )


def _changed_field(field: FieldEntry, column: ColumnDefinition) -> FieldEntry:
    """Give a stored column with what the class allows beyond it."""
    if column.nullable and not field.nullable:
        field = msgspec.structs.replace(field, nullable=True, default=field.default or NULL_BYTES)
    if column.options.on_delete != field.on_delete:
        field = msgspec.structs.replace(field, on_delete=column.options.on_delete)
    return field


def _added_field(table: str, number: int, column: ColumnDefinition, numbers: Mapping[str, int]) -> FieldEntry:
    field = _field_entry(table, number, column, numbers)
    if field.default is None:
        raise SchemaError(
            "a new column of a stored table needs a default, or must allow null", table=table, field=column.name
        )
    if field.references is not None and field.default != NULL_BYTES:
        raise SchemaError(
            "a new reference of a stored table must be null in the rows that are there", table=table, field=column.name
        )
    return field


def _next_layout(entry: TableEntry, current: LayoutEntry, definition: TableDefinition) -> LayoutEntry:
    """Give the current layout if it holds all fields, else the next one: the class's order, then fields it lacks."""
    numbers = [field.number for field in entry.fields]
    if set(current.fields) == set(numbers):
        return current
    if current.number >= LAYOUT_LIMIT:
        raise SchemaError(f"more than {LAYOUT_LIMIT} layouts of one table", table=entry.name)
    by_name = {field.name: field.number for field in entry.fields}
    ordered = [by_name[name] for name in definition.columns]
    ordered += [number for number in numbers if number not in ordered]
    return LayoutEntry(table=entry.number, number=current.number + 1, fields=tuple(ordered))
