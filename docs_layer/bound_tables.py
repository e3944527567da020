"""A table class tied to the catalog of one epoch: the functions that turn its rows into keys, bytes and entries.

Owns the meeting of class and catalog. Where the class lacks columns that are stored, rows are worked on as a generated
struct of all stored columns, and shown as the class; so unknown columns survive and their indexes are maintained.
A bound table is immutable and may be used by any number of threads; it is thrown away when the epoch changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from docs_layer.catalog import Catalog, FieldEntry, IndexEntry, IndexTermEntry, TableEntry
from docs_layer.conditions import ALWAYS, Condition, Scope, bind
from docs_layer.covered_rows import CoveredRows
from docs_layer.definitions import STORED_KINDS, TYPES_BY_KIND, ColumnDefinition, TableDefinition
from docs_layer.errors import CorruptionError, QueryError, SchemaError, ValidationError
from docs_layer.fields import OnDelete
from docs_layer.index_definitions import follow_step, step_of
from docs_layer.indexes import KEY_LIMIT_BYTES, IndexMaintainer, fixed_size_bytes, too_long
from docs_layer.key_encoding import UnencodableError, component_decoder, component_encoder, tuple_encoder
from docs_layer.key_paths import KeyPath, PathTerm
from docs_layer.keyspace import index_prefix, row_id_sequence, row_key_prefix
from docs_layer.row_codec import RowCodec
from docs_layer.schema_changes import check_compatible
from docs_layer.stored_conditions import condition_of
from docs_layer.tables import Table
from docs_layer.values import ColumnShape

_INT_META: Final = Meta(ge=-(1 << 63), le=(1 << 63) - 1)


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


class BoundTable:
    """One table as one program sees it in one epoch.

    Attributes:
        annotations: Declared types by column name.
        struct: Type of the rows that are worked on: the class itself, or a generated one with all stored columns.
        is_whole: Whether `struct` is the class.
        codec: Rows to bytes and back.
        primary_of_row: From a struct to its encoded primary key.
        key_of: From a struct to its primary key, a tuple where that is composite.
        decode_key: From an encoded primary key to what `get` takes.
        paths: The primary key, then the indexes that are ready.
        indexes: All indexes, to be maintained.
    """

    __slots__ = (
        "_covered",
        "annotations",
        "automatic",
        "codec",
        "decode_key",
        "definition",
        "encode_key",
        "entry",
        "id_sequence",
        "indexes",
        "is_whole",
        "key_columns",
        "key_of",
        "name",
        "paths",
        "primary_of_row",
        "references",
        "referrers",
        "row_prefix",
        "scope",
        "show",
        "struct",
        "to_struct",
    )

    def __init__(self, definition: TableDefinition, catalog: Catalog) -> None:
        """Bind a class.

        Raises:
            SchemaError: The stored table cannot be read or written with this class.
        """
        entry = catalog.table(definition.name)
        check_compatible(definition, entry, {name: table.number for name, table in catalog.tables.items()})
        self.definition = definition
        self.entry = entry
        self.name = entry.name
        self.key_columns = definition.key
        self._covered: dict[int, CoveredRows] = {}
        self.automatic = definition.key[0] if definition.automatic else None
        self.id_sequence = row_id_sequence(entry.number)
        self.annotations: Mapping[str, Any] = {name: one.annotation for name, one in definition.columns.items()}
        shapes = column_shapes(entry) | {
            name: column.shape for name, column in definition.columns.items() if column.shape.source is not None
        }
        self.scope = Scope(
            entry.name,
            definition.row_type,
            {name: shape for name, shape in shapes.items() if name in definition.columns},
        )
        self._bind_rows(catalog)
        self._bind_keys(shapes)
        self.references = tuple(
            Reference(field.name, catalog.table_numbered(field.references))
            for field in entry.fields
            if field.references is not None
        )
        self.referrers = tuple(_referrers(entry, catalog))

    def _bind_rows(self, catalog: Catalog) -> None:
        layouts = {layout.number: layout.fields for layout in catalog.layouts[self.entry.number]}
        ordered = [self.entry.field(number) for number in layouts[max(layouts)]]
        names = [field.name for field in ordered]
        row_type = self.definition.row_type
        self.is_whole = names == list(self.definition.columns)
        self.struct: Any = row_type if self.is_whole else _generated_struct(self.definition, ordered)
        self.codec = RowCodec(
            self.name,
            self.struct,
            _constrained_struct(self.definition, ordered),
            layouts,
            {field.number: field.default for field in ordered if field.default is not None},
            {
                name: column.options.check
                for name, column in self.definition.columns.items()
                if column.options.check is not None
            },
            self.definition.checks,
        )
        shared = list(self.definition.columns)
        self.show: Callable[[Any], Any] = _same if self.is_whole else _projector(row_type, shared)
        self.to_struct: Callable[[Any], Any] = _same if self.is_whole else _projector(self.struct, shared)

    def _bind_keys(self, shapes: Mapping[str, ColumnShape]) -> None:
        number = self.entry.number
        self.row_prefix = row_key_prefix(number)
        key_terms = tuple(PathTerm(shapes[name], descending=False) for name in self.key_columns)
        primary = KeyPath("primary key", self.row_prefix, key_terms, (), 0, unique=True)
        self.encode_key = _key_encoder(self.name, primary)
        self.key_of: Callable[[Any], Any] = attrgetter(*self.key_columns)
        self.primary_of_row = _primary_of_row(self.encode_key, self.key_columns)
        self.decode_key = key_decoder(primary)
        self.indexes = tuple(bound_index(self.entry, index, shapes, key_terms) for index in self.entry.indexes)
        ready = (index.path for index in self.indexes if index.is_ready)
        self.paths = (primary, *(path for path in ready if path.where == ALWAYS and not path.is_multiple))

    def covered(self, number: int) -> CoveredRows:
        """Return what reads rows from the entries of an index alone; the same whoever makes it first."""
        found = self._covered.get(number)
        if found is None:
            found = self._covered[number] = CoveredRows(self.index_numbered(number))
        return found

    def index_numbered(self, number: int) -> IndexMaintainer:
        """Return one of its indexes. Raises `KeyError`."""
        for index in self.indexes:
            if index.path.number == number:
                return index
        raise KeyError(number)


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
    return bind(condition_of(stored, names, Table), Scope(entry.name, Table, shapes))


def _referrers(target: TableEntry, catalog: Catalog) -> list[Referrer]:
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


def _key_encoder(table: str, path: KeyPath) -> Callable[[Any], bytes]:
    """Return what encodes a primary key, without prefix: a value, or a tuple of them where the key is composite."""
    names = ", ".join(term.column.name for term in path.terms)
    kinds = [(term.column.kind, False) for term in path.terms]
    encode_tuple = tuple_encoder(kinds)
    is_fixed = fixed_size_bytes([kind for kind, _ in kinds]) is not None
    room = KEY_LIMIT_BYTES - len(path.prefix)

    def encode_whole(key: Any) -> bytes:
        if len(kinds) > 1 and not isinstance(key, (tuple, list)):
            raise ValidationError(table, names, key, "its primary key is a tuple")
        values = (key,) if len(kinds) == 1 else key
        try:
            encoded = encode_tuple(values)
        except (UnencodableError, ValueError, TypeError) as error:
            raise ValidationError(table, names, key, f"it is no primary key: {error}") from error
        for (kind, _), value in zip(kinds, values, strict=True):
            if isinstance(value, bool) and kind != "bool":
                raise ValidationError(table, names, key, f"it is no primary key: a bool is no {kind}")
        if None in values:
            raise ValidationError(table, names, key, "a primary key is never null")
        if len(encoded) > room:
            raise too_long(table, names, key, "the primary key")
        return encoded

    encode_one = component_encoder(kinds[0][0])
    takes_bool = kinds[0][0] == "bool"

    def encode_fixed(key: Any) -> bytes:
        try:
            encoded = encode_one(key)
        except UnencodableError:
            return encode_whole(key)
        return encode_whole(key) if key is None or (key.__class__ is bool and not takes_bool) else encoded

    return encode_fixed if is_fixed and len(kinds) == 1 else encode_whole


def _primary_of_row(encode_key: Callable[[Any], bytes], names: tuple[str, ...]) -> Callable[[Any], bytes]:
    values = attrgetter(*names)

    def primary_of_row(row: Any) -> bytes:
        return encode_key(values(row))

    return primary_of_row


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


def _same(row: Any) -> Any:
    return row


def _projector(target: Any, names: list[str]) -> Callable[[Any], Any]:
    """Return what makes a `target` of the columns that both types have; others take their defaults."""

    def project(row: Any) -> Any:
        return target(**{name: getattr(row, name) for name in names})

    return project


def _generated_struct(definition: TableDefinition, fields: list[FieldEntry]) -> Any:
    """Make a struct of all stored columns; unknown ones of stored-only kinds stay raw msgpack."""
    members: list[tuple[str, Any, Any]] = []
    for field in fields:
        column = definition.columns.get(field.name)
        if column is not None:
            members.append((field.name, column.annotation, msgspec.field(default=msgspec.UNSET)))
            continue
        kind: Any = msgspec.Raw if field.kind in STORED_KINDS else TYPES_BY_KIND[field.kind]
        annotation = kind | None if field.nullable and kind is not msgspec.Raw else kind
        stored = field.default or b"\xc0"
        default = msgspec.msgpack.decode(stored, type=annotation)
        members.append((field.name, annotation, msgspec.field(default=default)))
    return msgspec.defstruct(definition.name, members, array_like=True, frozen=True, kw_only=True, gc=False)


def _constrained_struct(definition: TableDefinition, fields: list[FieldEntry]) -> Any:
    """Make the struct that validates: the same columns, with the constraints of kind and class."""
    members: list[tuple[str, Any]] = []
    for field in fields:
        column = definition.columns.get(field.name)
        members.append((field.name, Any if column is None else _constrained(column)))
    return msgspec.defstruct(definition.name, members, array_like=True)


def _constrained(column: ColumnDefinition) -> Any:
    limit = column.options.max_length
    if limit is not None:
        meta: Meta | None = Meta(max_length=limit)
    elif column.bare_annotation is int:
        meta = _INT_META
    elif column.kind in {"datetime", "datetime_naive"}:
        meta = Meta(tz=column.kind == "datetime")
    elif column.kind == "time":
        meta = Meta(tz=False)
    else:
        return column.annotation
    bare: Any = column.bare_annotation
    inner: Any = Annotated[bare, meta]
    return inner | None if column.nullable else inner
