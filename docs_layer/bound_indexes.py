"""Stored indexes and references tied to the columns of their table: the entries of a catalog as functions of rows.

Owns the way from catalog entries to key paths. What stands here needs no class; `bound_tables` adds that. Immutable
values and pure functions; any thread may use them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from docs_layer.catalog import Catalog, IndexEntry, IndexTermEntry, TableEntry
from docs_layer.conditions import ALWAYS, Condition, Scope, bind
from docs_layer.errors import CorruptionError, QueryError, SchemaError
from docs_layer.fields import OnDelete
from docs_layer.index_definitions import follow_step, step_of
from docs_layer.indexes import IndexMaintainer
from docs_layer.key_encoding import component_decoder, tuple_encoder
from docs_layer.key_paths import KeyPath, PathTerm
from docs_layer.keyspace import index_prefix, row_key_prefix
from docs_layer.stored_conditions import condition_of
from docs_layer.tables import Table
from docs_layer.values import ColumnShape, document_root


class Reference:
    """A column that refers to a table, seen from the referring side."""

    __slots__ = ("column", "encode_parent", "target")

    def __init__(self, column: str, target: TableEntry) -> None:
        kinds = [(target.field(number).kind, False) for number in target.key]
        self.column = column
        self.target = target.name
        self.encode_parent = tuple_encoder(kinds, prefix=row_key_prefix(target.number))


class Referrer:
    """A column of some table that refers to this one, with the index that finds its rows."""

    __slots__ = ("column", "decode_key", "index", "on_delete", "table")

    def __init__(
        self, table: str, column: ColumnShape, on_delete: OnDelete, index: IndexMaintainer, key: KeyPath
    ) -> None:
        self.table = table
        self.column = column
        self.on_delete = on_delete
        self.index = index
        self.decode_key = key_decoder(key)


def column_shapes(entry: TableEntry) -> dict[str, ColumnShape]:
    """Return the stored columns by name."""
    return {field.name: ColumnShape(field.name, field.kind, field.nullable) for field in entry.fields}


def bound_index(
    entry: TableEntry, index: IndexEntry, shapes: Mapping[str, ColumnShape], key_terms: tuple[PathTerm, ...]
) -> IndexMaintainer:
    """Return the maintainer of a stored index."""
    try:
        terms = tuple(_path_term(entry, term, shapes) for term in index.terms)
        where = ALWAYS if index.where is None else _condition(entry, index.where, shapes)
    except (ValueError, QueryError) as error:
        raise CorruptionError("catalog", f"index {index.name} of table {entry.name}: {error}") from error
    path = KeyPath(
        index.name,
        index_prefix(entry.number, index.number),
        terms,
        key_terms,
        index.number,
        index.unique,
        where,
        tuple(shapes[entry.field(number).name] for number in index.include),
    )
    converts = tuple(term.converts for term in index.terms)
    return IndexMaintainer(path, converts, is_ready=index.state == "ready")


def _path_term(entry: TableEntry, term: IndexTermEntry, shapes: Mapping[str, ColumnShape]) -> PathTerm:
    shape = shapes[entry.field(term.field).name]
    for step in term.steps:
        shape = follow_step(shape, step_of(step), entry.name)
    return PathTerm(shape, term.descending)


def _condition(entry: TableEntry, stored: bytes, shapes: Mapping[str, ColumnShape]) -> Condition:
    names = {field.number: field.name for field in entry.fields}
    document = next((field.name for field in entry.fields if field.kind == "document"), None)
    root = None if document is None else document_root(document)
    keys = frozenset(names[number] for number in entry.key)
    return bind(condition_of(stored, names, Table), Scope(entry.name, Table, shapes, root, keys))


def referrers_of(target: TableEntry, catalog: Catalog) -> list[Referrer]:
    """Return every stored column that refers to a table; a ready index is preferred to one that is being built.

    One that is being built serves as well: a new reference is null in all rows that were there, and every writer
    maintains its index, so it misses no row that refers to anything.
    """
    found = []
    for table in catalog.tables.values():
        shapes = column_shapes(table)
        key_terms = tuple(PathTerm(shapes[table.field(number).name], descending=False) for number in table.key)
        key = KeyPath("primary key", row_key_prefix(table.number), key_terms, (), 0, unique=True)
        for field in table.fields:
            if field.references != target.number:
                continue
            candidates = [one for one in table.indexes if one.is_plain and one.terms[0].field == field.number]
            if not candidates:
                raise SchemaError("a reference has no index that begins with it", table=table.name, field=field.name)
            index = min(candidates, key=lambda one: one.state != "ready")
            maintainer = bound_index(table, index, shapes, key_terms)
            found.append(Referrer(table.name, shapes[field.name], field.on_delete, maintainer, key))
    return found


def key_decoder(path: KeyPath) -> Callable[[bytes], Any]:
    """Return what reads an encoded primary key back; kinds that cannot be read back are given as hexadecimal text."""
    try:
        decoders = [component_decoder(term.column.kind, False) for term in path.terms]
    except ValueError:
        return bytes.hex

    def decode(primary: bytes) -> Any:
        values = []
        offset = 0
        for decode_one in decoders:
            value, offset = decode_one(primary, offset)
            values.append(value)
        return values[0] if len(values) == 1 else tuple(values)

    return decode
