"""The catalog as a handle knows it, and the tables bound to it; replaced whenever a view has another epoch.

Owns the rule that keeps an old program from corrupting a new index: before the first use of a view its epoch is
compared with that of the cached catalog, and another epoch means the catalog is read from that view. A `SchemaView`
never changes but for tables that are bound when first asked for; binding twice gives the same, so no lock is held for
it.

Thread safety: `SchemaCache` may be used by any thread; the newest view is swapped as one reference, class definitions
are added under a lock.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from types import new_class
from typing import Annotated, Any, Final

from docs_layer.bound_tables import BoundTable
from docs_layer.catalog import Catalog, FieldEntry, TableEntry, load_catalog
from docs_layer.columns import ColumnMarker
from docs_layer.definitions import (
    TYPES_BY_KIND,
    ColumnDefinition,
    TableDefinition,
    read_definition,
)
from docs_layer.document_models import document_form
from docs_layer.document_tables import document_definition
from docs_layer.errors import CorruptionError, DatabaseError, NoSuchTable, SchemaError
from docs_layer.fields import FieldOptions
from docs_layer.row_codec import decode_value
from docs_layer.store import Reader
from docs_layer.tables import Table, table_name

_TYPES: Final[Mapping[str, Any]] = {**TYPES_BY_KIND, "list": list[Any], "dict": dict[Any, Any]}


class SchemaView:
    """All tables as of one epoch."""

    __slots__ = ("_bound", "_definitions", "_stored", "catalog", "epoch")

    def __init__(self, catalog: Catalog, definitions: Mapping[type[Table], TableDefinition]) -> None:
        self.catalog = catalog
        self.epoch = catalog.epoch
        self._definitions = definitions
        self._bound: dict[type[Table], BoundTable] = {}
        self._stored: dict[str, BoundTable] = {}

    def table(self, table: type[Table]) -> BoundTable:
        """Return a table bound to this catalog.

        Raises:
            NoSuchTable: The class was not declared when the database was opened.
            SchemaError: The stored table changed in a way that the class cannot follow.
        """
        bound = self._bound.get(table)
        return self._bind(table) if bound is None else bound

    def table_named(self, name: str) -> BoundTable:
        """Return a stored table as the catalog describes it, whether or not a class declares it.

        Raises:
            NoSuchTable: The catalog has no table of that name.
        """
        bound = self._stored.get(name)
        if bound is None:
            bound = self._stored[name] = bind_stored(self.catalog.table(name), self.catalog)
        return bound

    def _bind(self, table: type[Table]) -> BoundTable:
        definition = self._definitions.get(table)
        if definition is None:
            _require_class(table)
            raise NoSuchTable(f"{table_name(table)} (pass the class in tables=[...])", ())
        with _damage_of_catalog(definition.name):
            bound = self._bound[table] = BoundTable(definition, self.catalog)
        return bound


def _require_class(table: object) -> None:
    if not (isinstance(table, type) and issubclass(table, Table)):
        raise SchemaError(f"{table!r} is no table class")


class SchemaCache:
    """The newest catalog that this handle has seen, and the classes it works with."""

    def __init__(self, tables: Sequence[type[Table]]) -> None:
        """Read the classes.

        Raises:
            SchemaError: A class that cannot be used, or two of one name.
        """
        for table in tables:
            _require_class(table)
        by_name = {table.__name__: table for table in tables}
        self._definitions = {table: read_definition(table, by_name) for table in tables}
        names = [definition.name for definition in self._definitions.values()]
        for name in names:
            if names.count(name) > 1:
                raise SchemaError("two classes have this table name", table=name)
        self._lock = threading.Lock()
        self._collections: dict[tuple[object, ...], type[Table]] = {}  # guarded by _lock
        self._newest: SchemaView | None = None

    @property
    def definitions(self) -> tuple[TableDefinition, ...]:
        """The classes, read."""
        with self._lock:
            return tuple(self._definitions.values())

    @property
    def newest(self) -> SchemaView:
        """The schema that was seen last; there is one as soon as `view` was called."""
        if self._newest is None:
            raise SchemaError("no catalog was read yet")
        return self._newest

    def view(self, reader: Reader) -> SchemaView:
        """Return the schema as of a view of the store. Cost: an attribute, unless the schema changed."""
        newest = self._newest
        if newest is not None and newest.epoch == reader.epoch:
            return newest
        loaded = SchemaView(load_catalog(reader), self._definitions)
        with self._lock:
            if self._newest is None or self._newest.epoch < loaded.epoch:
                self._newest = loaded
        return loaded

    def collection(self, reader: Reader, name: str, model: type[Any] | None, key: str, key_type: type) -> type[Table]:
        """Return the class of a collection's rows, the same for equal arguments.

        Raises:
            SchemaError: A table of this name is no collection, or has another key.
        """
        wanted = (name, model, key, key_type)
        with self._lock:
            known = self._collections.get(wanted)
        if known is not None:
            return known
        form = document_form(name, model, key)
        stored = self.view(reader).catalog.tables.get(name)
        if stored is not None:
            key_type, automatic = _stored_key(stored)
        else:
            key_type = form.key_type or key_type
            automatic = key_type is int and form.is_automatic
        definition = document_definition(name, key, key_type, form, automatic=automatic)
        with self._lock:
            found = self._collections.setdefault(wanted, definition.row_type)
            if found is definition.row_type:
                self._definitions[found] = definition
        return found

    def class_of(self, name: str, reader: Reader) -> type[Table]:
        """Return the class of a table: the declared one, else one made from the catalog.

        Raises:
            NoSuchTable: The catalog has no table of that name.
        """
        catalog = self.view(reader).catalog
        entry = catalog.table(name)
        with self._lock:
            for table, definition in self._definitions.items():
                if definition.name == name:
                    return table
            definition = make_definition(entry, catalog)
            self._definitions[definition.row_type] = definition
        return definition.row_type


def _stored_key(entry: TableEntry) -> tuple[type, bool]:
    """Return the type of a collection's key, and whether the database gives it."""
    kinds = [entry.field(number).kind for number in entry.key]
    if len(kinds) != 1 or [field.kind for field in entry.fields if field.number not in entry.key] != ["document"]:
        raise SchemaError("a table of this name is there, and is no collection", table=entry.name)
    return TYPES_BY_KIND[kinds[0]], entry.automatic


def bind_stored(entry: TableEntry, catalog: Catalog) -> BoundTable:
    """Return a stored table as the catalog describes it. Raises `CorruptionError` if no table is described so."""
    with _damage_of_catalog(entry.name):
        return BoundTable(make_definition(entry, catalog), catalog)


@contextmanager
def _damage_of_catalog(table: str) -> Iterator[None]:
    """Turn what a contradiction in the catalog raises inside of the block into a `CorruptionError`.

    Entries were checked one by one when they were read; kinds, steps and conditions show only here what they are worth.
    """
    try:
        yield
    except DatabaseError:
        raise
    except (ValueError, TypeError, LookupError) as error:
        raise CorruptionError("catalog", f"table {table}: {error}") from error


def make_definition(entry: TableEntry, catalog: Catalog) -> TableDefinition:
    """Make a class for a stored table, with its definition; stored-only columns are read as plain values."""
    names = [entry.field(number).name for number in catalog.layouts[entry.number][-1].fields]
    fields = [field for name in names if (field := entry.field_named(name)) is not None]
    key = tuple(entry.field(number).name for number in entry.key)
    columns = {field.name: _column_of(field, entry, catalog) for field in fields}
    annotations = {
        name: Annotated[column.annotation, ColumnMarker("key" if name in key else "column")]
        for name, column in columns.items()
    }
    specifiers = {name: column.options for name, column in columns.items()}

    def fill(namespace: dict[str, Any]) -> None:
        namespace.update(specifiers, __annotations__=annotations, __table_name__=entry.name)

    row_type = new_class(entry.name, (Table,), exec_body=fill)
    return TableDefinition(entry.name, row_type, columns, key, entry.automatic, ())


def _column_of(field: FieldEntry, entry: TableEntry, catalog: Catalog) -> ColumnDefinition:
    bare = _TYPES.get(field.kind, Any)
    kind = "any" if field.kind == "struct" else field.kind
    annotation = bare | None if field.nullable and bare is not Any else bare
    stored = field.default
    options = FieldOptions(
        automatic=entry.automatic and field.number in entry.key,
        time_zone=field.kind != "datetime_naive",
        default_factory=None if stored is None else partial(decode_value, stored, annotation),
        on_delete=field.on_delete,
    )
    references = None if field.references is None else catalog.table_numbered(field.references).name
    return ColumnDefinition(
        field.name, kind, field.nullable, annotation, bare, options.default_factory, references, options
    )
