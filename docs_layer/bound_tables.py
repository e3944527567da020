"""A table class tied to the catalog of one epoch: the functions that turn its rows into keys, bytes and entries.

Owns the meeting of class and catalog. Where the class lacks columns that are stored, rows are worked on as a generated
struct of all stored columns, and shown as the class; so unknown columns survive and their indexes are maintained.
A bound table is immutable and may be used by any number of threads; it is thrown away when the epoch changes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from operator import attrgetter
from typing import Any

from docs_layer.bound_indexes import Reference, bound_index, column_shapes, key_decoder, referrers_of
from docs_layer.catalog import Catalog
from docs_layer.conditions import Scope
from docs_layer.covered_rows import CoveredRows
from docs_layer.definitions import TableDefinition
from docs_layer.errors import ValidationError
from docs_layer.indexes import KEY_LIMIT_BYTES, IndexMaintainer, fixed_size_bytes, too_long
from docs_layer.key_encoding import UnencodableError, component_encoder, tuple_encoder, tuple_skipper
from docs_layer.key_paths import KeyPath, PathTerm
from docs_layer.keyspace import large_values_prefix, row_id_sequence, row_key_prefix
from docs_layer.large_values import LargeValues, Pending, has_large_values
from docs_layer.row_codec import RowCodec
from docs_layer.row_structs import constrained_struct, generated_struct
from docs_layer.schema_changes import check_compatible
from docs_layer.store import Reader
from docs_layer.values import ColumnShape, document_root


class BoundTable:
    """One table as one program sees it in one epoch.

    Attributes:
        annotations: Declared types by column name.
        struct: Type of the rows that are worked on: the class itself, or a generated one with all stored columns.
        is_whole: Whether `struct` is the class.
        codec: Rows to bytes and back.
        primary_of_row: From a struct to its encoded primary key.
        document: Name of the column that holds documents, or None.
        large: What moves large values out of rows and back.
        key_of: From a struct to its primary key, a tuple where that is composite.
        skip_key: From a key and the offset of a primary key in it to the offset behind that.
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
        "document",
        "encode_key",
        "entry",
        "id_sequence",
        "indexes",
        "is_whole",
        "key_columns",
        "key_of",
        "large",
        "name",
        "paths",
        "primary_of_row",
        "references",
        "referrers",
        "row_prefix",
        "scope",
        "show",
        "skip_key",
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
        self.document = None if definition.document is None else definition.document.name
        self.annotations: Mapping[str, Any] = {name: one.annotation for name, one in definition.columns.items()}
        shapes = column_shapes(entry) | {
            name: column.shape for name, column in definition.columns.items() if column.shape.source is not None
        }
        self.scope = Scope(
            entry.name,
            definition.row_type,
            {name: shape for name, shape in shapes.items() if name in definition.columns},
            None if self.document is None else document_root(self.document),
            frozenset() if self.document is None else frozenset(definition.key),
        )
        self._bind_rows(catalog)
        self._bind_keys(shapes)
        self.references = tuple(
            Reference(field.name, catalog.table_numbered(field.references))
            for field in entry.fields
            if field.references is not None
        )
        self.referrers = tuple(referrers_of(entry, catalog))

    def _bind_rows(self, catalog: Catalog) -> None:
        layouts = {layout.number: layout.fields for layout in catalog.layouts[self.entry.number]}
        ordered = [self.entry.field(number) for number in layouts[max(layouts)]]
        names = [field.name for field in ordered]
        row_type = self.definition.row_type
        self.is_whole = names == list(self.definition.columns)
        self.struct: Any = row_type if self.is_whole else generated_struct(self.definition, ordered)
        self.large = LargeValues(
            self.name,
            large_values_prefix(self.entry.number),
            layouts,
            self.entry.key,
            {field.number: field.name for field in self.entry.fields},
        )
        self.codec = RowCodec(
            self.name,
            self.struct,
            constrained_struct(self.definition, ordered),
            layouts,
            {field.number: field.default for field in ordered if field.default is not None},
            {
                name: column.options.check
                for name, column in self.definition.columns.items()
                if column.options.check is not None
            },
            self.definition.checks,
            self.large.open,
            [field.name for field in ordered if field.kind == "document"],
        )
        form = self.definition.document
        if form is not None:
            self.is_whole = False
            self.show: Callable[[Any], Any] = form.show
            self.to_struct: Callable[[Any], Any] = form.to_row
            return
        shared = list(self.definition.columns)
        self.show = _same if self.is_whole else _projector(row_type, shared)
        self.to_struct = _same if self.is_whole else _projector(self.struct, shared)

    def _bind_keys(self, shapes: Mapping[str, ColumnShape]) -> None:
        number = self.entry.number
        self.row_prefix = row_key_prefix(number)
        key_terms = tuple(PathTerm(shapes[name], descending=False) for name in self.key_columns)
        primary = KeyPath("primary key", self.row_prefix, key_terms, (), 0, unique=True)
        self.encode_key = _key_encoder(self.name, primary)
        self.key_of: Callable[[Any], Any] = attrgetter(*self.key_columns)
        self.primary_of_row = _primary_of_row(self.encode_key, self.key_columns)
        self.decode_key = key_decoder(primary)
        self.skip_key = tuple_skipper([(term.column.kind, term.descending) for term in key_terms])
        self.indexes = tuple(bound_index(self.entry, index, shapes, key_terms) for index in self.entry.indexes)
        self.paths = (primary, *(index.path for index in self.indexes if index.is_ready))

    def covered(self, number: int) -> CoveredRows:
        """Return what reads rows from the entries of an index alone; the same whoever makes it first."""
        found = self._covered.get(number)
        if found is None:
            found = self._covered[number] = CoveredRows(self.index_numbered(number), self.annotations)
        return found

    def row_of(self, reader: Reader, primary: bytes, stored: bytes) -> Any:
        """Decode a stored row as a struct with all of its values. Raises `CorruptionError`."""
        if has_large_values(stored):
            stored = self.large.join(stored, self.large.load(reader, primary, stored))
        return self.codec.decode(stored)

    def row_with(self, reader: Reader, primary: bytes, stored: bytes, columns: Collection[str] | None) -> Any:
        """Decode a stored row as a struct with the values of these columns (None: all); others may be `Pending`."""
        if has_large_values(stored) and (columns is None or not self.large.open(stored)[1].isdisjoint(columns)):
            return self.row_of(reader, primary, stored)
        return self.codec.decode(stored)

    def stored_form(self, row: Any) -> bytes:
        """Return a decoded row as bytes that decode to the same again, whether or not values are `Pending`."""
        for name in self.struct.__struct_fields__:
            value = getattr(row, name)
            if value.__class__ is Pending:
                stored: bytes = value.stored
                return stored
        return self.codec.encode(row)

    def completed(self, reader: Reader, row: Any, columns: Collection[str] | None) -> Any:
        """Return a decoded row with the values of these columns (None: all) in place of `Pending`."""
        for name in self.struct.__struct_fields__ if columns is None else columns:
            value = getattr(row, name)
            if value.__class__ is Pending:
                return self.row_of(reader, self.primary_of_row(row), value.stored)
        return row

    def index_numbered(self, number: int) -> IndexMaintainer:
        """Return one of its indexes. Raises `KeyError`."""
        for index in self.indexes:
            if index.path.number == number:
                return index
        raise KeyError(number)


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


def _same(row: Any) -> Any:
    return row


def _projector(target: Any, names: list[str]) -> Callable[[Any], Any]:
    """Return what makes a `target` of the columns that both types have; others take their defaults."""

    def project(row: Any) -> Any:
        return target(**{name: getattr(row, name) for name in names})

    return project
