"""The stored description of all tables: fields, layouts, indexes and their states, and numbers that are never reused.

Owns what lies under the catalog keys of `keyspace`. The catalog, not the class, says how rows and entries lie in the
store: a column or index that a program does not know is kept and maintained by it all the same. Every change is
written together with a new epoch, and a handle whose catalog has another epoch than its view loads the view's.

Bytes (msgpack maps from attribute names to values; unknown attributes are kept out by `format`):

    header    catalog_header_key()         {"format": 2, "next_table": n}
    table     catalog_table_key(t)         TableEntry
    layout    catalog_layout_key(t, l)     LayoutEntry
    progress  index_build_key(t, i)        the last row key whose entry is built, raw

Attributes that have their default may be left out. Tables, fields, indexes and layouts count from 1. A field's
`default` never changes after it was written, because rows of older layouts and entries made from them depend on it.

`Catalog` is immutable and may be shared by any number of threads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from keyword import iskeyword
from types import MappingProxyType
from typing import Final, Literal

import msgspec
from typing_extensions import TypeVar

from docs_layer.errors import CorruptionError, NoSuchTable, SchemaError
from docs_layer.fields import OnDelete
from docs_layer.keyspace import (
    catalog_header_key,
    catalog_layout_key,
    catalog_layouts_range,
    catalog_table_key,
    catalog_tables_range,
)
from docs_layer.store import Reader, Transaction

FORMAT: Final = 2
"""Version of the catalog's and the rows' format, written with every change of the schema.

1: the first one. 2: actions of references, indexes of more kinds, values out of line; all of 1 is read as it is.
"""

NULL_BYTES: Final = b"\xc0"
"""Null in msgpack."""

IndexState = Literal["building", "ready"]
EntryType = TypeVar("EntryType")


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """Format and the next unused table number."""

    format: int = FORMAT
    next_table: int = 1


class FieldEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One column.

    Attributes:
        default: Msgpack of the value of rows that lack the column (older ones, and those of programs that do not
            know it), or None if no row may lack it.
        references: Number of the table it refers to, or None.
        on_delete: What deleting the row it refers to does to its row.
    """

    number: int
    name: str
    kind: str
    nullable: bool
    default: bytes | None = None
    references: int | None = None
    on_delete: OnDelete = "restrict"


class IndexTermEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One value of an index.

    Attributes:
        field: Number of the column it is, or lies in.
        steps: The way from the column to the value: ("item", name), ("place", number), ("call", function) or
            ("each", "") for every element of a list.
        converts: Kind that values are brought to before they are encoded, or None.
    """

    field: int
    descending: bool = False
    steps: tuple[tuple[str, str | int], ...] = ()
    converts: str | None = None


class IndexEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One index; every writer maintains it in both states, only a ready one answers queries.

    Attributes:
        where: Condition of the rows that have entries, see `stored_conditions`; None for all.
        include: Numbers of the columns that entries hold beside the terms.
    """

    number: int
    name: str
    terms: tuple[IndexTermEntry, ...]
    unique: bool
    state: IndexState
    where: bytes | None = None
    include: tuple[int, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether every row has exactly one entry, made from columns alone."""
        return self.where is None and not any(term.steps for term in self.terms)


class TableEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One table. `key` holds field numbers; `next_field` and `next_index` have never been given out."""

    number: int
    name: str
    fields: tuple[FieldEntry, ...]
    key: tuple[int, ...]
    automatic: bool
    indexes: tuple[IndexEntry, ...] = ()
    next_field: int = 1
    next_index: int = 1

    def field(self, number: int) -> FieldEntry:
        """Return the field with this number. Raises `KeyError`."""
        for field in self.fields:
            if field.number == number:
                return field
        raise KeyError(number)

    def field_named(self, name: str) -> FieldEntry | None:
        """Return the field of this name, or None."""
        return next((field for field in self.fields if field.name == name), None)

    def index_named(self, name: str) -> IndexEntry | None:
        """Return the index of this name, or None."""
        return next((index for index in self.indexes if index.name == name), None)


class LayoutEntry(msgspec.Struct, frozen=True, kw_only=True):
    """The field numbers of one layout, in the order in which its rows hold them."""

    table: int
    number: int
    fields: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Catalog:
    """All tables as of one view.

    Attributes:
        epoch: The epoch of that view.
        tables: Entries by table name.
        layouts: All layouts of each table, by table number, oldest first; the last one is current.
    """

    epoch: int
    header: Header
    tables: Mapping[str, TableEntry]
    layouts: Mapping[int, tuple[LayoutEntry, ...]]

    def table(self, name: str) -> TableEntry:
        """Return the entry of a table. Raises `NoSuchTable`."""
        entry = self.tables.get(name)
        if entry is None:
            raise NoSuchTable(name, self.tables)
        return entry

    def table_numbered(self, number: int) -> TableEntry:
        """Return the entry of the table with this number. Raises `KeyError`."""
        for entry in self.tables.values():
            if entry.number == number:
                return entry
        raise KeyError(number)


def load_catalog(reader: Reader) -> Catalog:
    """Read the whole catalog as of a view.

    Raises:
        CorruptionError: An entry cannot be read.
        SchemaError: It was written by a newer version of the library.
    """
    stored = reader.get(catalog_header_key())
    header = Header() if stored is None else _decode(catalog_header_key(), stored, Header)
    if not 1 <= header.format <= FORMAT:
        raise SchemaError(f"the tables have format {header.format}; this version reads formats 1 to {FORMAT}")
    tables = {entry.name: entry for entry in _scan(reader, catalog_tables_range(), TableEntry)}
    for entry in tables.values():
        _check_numbers(entry)
    layouts = {
        entry.number: tuple(_scan(reader, catalog_layouts_range(entry.number), LayoutEntry))
        for entry in tables.values()
    }
    for entry in tables.values():
        _check(entry, layouts[entry.number])
    return Catalog(reader.epoch, header, MappingProxyType(tables), MappingProxyType(layouts))


def write_header(transaction: Transaction, header: Header) -> None:
    """Write the header; the caller bumps the epoch in the same transaction."""
    transaction.put(catalog_header_key(), msgspec.msgpack.encode(header))


def write_table(transaction: Transaction, entry: TableEntry) -> None:
    """Write one table's entry; the caller bumps the epoch in the same transaction."""
    transaction.put(catalog_table_key(entry.number), msgspec.msgpack.encode(entry))


def write_layout(transaction: Transaction, entry: LayoutEntry) -> None:
    """Write one new layout; the caller bumps the epoch in the same transaction."""
    transaction.put(catalog_layout_key(entry.table, entry.number), msgspec.msgpack.encode(entry))


def _scan(reader: Reader, bounds: tuple[bytes, bytes], kind: type[EntryType]) -> list[EntryType]:
    found = []
    for chunk in reader.scan(*bounds):
        found += [_decode(key, value, kind) for key, value in zip(chunk.keys, chunk.values, strict=True)]
    return found


def _decode(key: bytes, value: bytes, kind: type[EntryType]) -> EntryType:
    try:
        return msgspec.msgpack.decode(value, type=kind)
    except (msgspec.MsgspecError, ValueError) as error:
        raise CorruptionError("catalog", f"not a {kind.__name__}: {error}", key=key) from error


def _check_numbers(entry: TableEntry) -> None:
    """Check that the numbers of which keys are made count from 1."""
    numbers = [entry.number, *(field.number for field in entry.fields), *(index.number for index in entry.indexes)]
    if min(numbers) < 1:
        raise CorruptionError("catalog", f"number {min(numbers)} in the entry of table {entry.name!r}")


def _check(entry: TableEntry, layouts: tuple[LayoutEntry, ...]) -> None:
    """Check that everything an entry names exists, so that later code need not.

    Names become part of generated functions, so a name that is no identifier must never come through.
    """
    for field in entry.fields:
        if not field.name.isidentifier() or iskeyword(field.name):
            raise CorruptionError(
                "catalog", f"{field.name!r} is no name of a column", key=catalog_table_key(entry.number)
            )
    numbers = {field.number for field in entry.fields}
    named = set(entry.key) | {term.field for index in entry.indexes for term in index.terms}
    named |= {field for index in entry.indexes for field in index.include}
    named |= {field for layout in layouts for field in layout.fields}
    if not layouts or not entry.key or not named <= numbers or set(layouts[-1].fields) != numbers:
        raise CorruptionError(
            "catalog", f"the entry of table {entry.name} contradicts itself", key=catalog_table_key(entry.number)
        )
