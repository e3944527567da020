"""The stored catalog: golden bytes, and damage that is named."""

import msgspec
import pytest

from docs_layer import CorruptionError, MemoryStore, NoSuchTable, SchemaError, open_db
from docs_layer.catalog import FORMAT, FieldEntry, TableEntry, load_catalog
from docs_layer.keyspace import catalog_header_key, catalog_layout_key, catalog_table_key
from tests.docs_layer.samples import Country


@pytest.fixture
def countries() -> MemoryStore:
    """Give a store with the catalog of one table."""
    store = MemoryStore()
    open_db(store, tables=[Country])
    return store


def _put(store: MemoryStore, key: bytes, value: bytes) -> None:
    transaction = store.transaction()
    transaction.put(key, value)
    transaction.commit()


def test_golden_entries(countries: MemoryStore) -> None:
    """What is stored for a table, attribute by attribute; formats only grow."""
    with countries.snapshot() as snapshot:
        keys = [catalog_header_key(), catalog_table_key(1), catalog_layout_key(1, 1)]
        header, table, layout = [msgspec.msgpack.decode(value or b"") for value in snapshot.multi_get(keys)]
    assert header == {"format": FORMAT, "next_table": 2}
    assert layout == {"table": 1, "number": 1, "fields": [1, 2]}
    code = {"number": 1, "name": "code", "kind": "str", "nullable": False}
    assert table == {
        "number": 1,
        "name": "Country",
        "fields": [code, code | {"number": 2, "name": "name"}],
        "key": [1],
        "automatic": False,
        "indexes": [],
        "next_field": 3,
        "next_index": 1,
    }


def test_format_1_is_read(countries: MemoryStore) -> None:
    """A catalog of the first format, which wrote every attribute, is what it was, until the schema changes."""
    code = {"number": 1, "name": "code", "kind": "str", "nullable": False, "default": None, "references": None}
    table = {
        "number": 1,
        "name": "Country",
        "fields": [code, code | {"number": 2, "name": "name"}],
        "key": [1],
        "automatic": False,
        "indexes": [
            {"number": 1, "name": "by_name", "terms": [{"field": 2, "descending": True}], "unique": False}
            | {"state": "ready"}
        ],
        "next_field": 3,
        "next_index": 2,
    }
    _put(countries, catalog_header_key(), msgspec.msgpack.encode({"format": 1, "next_table": 2}))
    _put(countries, catalog_table_key(1), msgspec.msgpack.encode(table))
    with countries.snapshot() as snapshot:
        catalog = load_catalog(snapshot)
    assert catalog.header.format == 1
    entry = catalog.tables["Country"]
    assert [(field.name, field.on_delete) for field in entry.fields] == [("code", "restrict"), ("name", "restrict")]
    assert entry.indexes[0].terms[0].descending


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (catalog_header_key(), b"\xc1"),
        (catalog_table_key(1), b""),
        (catalog_table_key(1), b"\x80"),
        (catalog_layout_key(1, 1), msgspec.msgpack.encode({"table": 1, "number": 1, "fields": [1, 9]})),
        (catalog_layout_key(1, 1), msgspec.msgpack.encode({"table": 1, "number": 1, "fields": [1]})),
    ],
)
def test_damage_is_named(countries: MemoryStore, key: bytes, value: bytes) -> None:
    """An entry that cannot be read, or contradicts another, is CorruptionError with its place."""
    _put(countries, key, value)
    with pytest.raises(CorruptionError) as caught:
        load_catalog(countries.snapshot())
    assert caught.value.place == "catalog"


def test_a_name_that_is_no_identifier_is_damage(countries: MemoryStore) -> None:
    """Names come into generated functions; a crafted one is refused before that."""
    with countries.snapshot() as snapshot:
        entry = load_catalog(snapshot).tables["Country"]
    fields = (entry.fields[0], msgspec.structs.replace(entry.fields[1], name="x or print()"))
    _put(countries, catalog_table_key(1), msgspec.msgpack.encode(msgspec.structs.replace(entry, fields=fields)))
    with pytest.raises(CorruptionError, match="no name of a column"):
        open_db(countries)


def test_a_newer_format_is_refused_by_name(countries: MemoryStore) -> None:
    """A catalog of a later version is not guessed at."""
    _put(countries, catalog_header_key(), msgspec.msgpack.encode({"format": FORMAT + 1, "next_table": 2}))
    with pytest.raises(SchemaError, match=f"format {FORMAT + 1}"):
        open_db(countries)


def test_entries_are_found_by_name_and_number(countries: MemoryStore) -> None:
    """Lookups that fail say so."""
    catalog = load_catalog(countries.snapshot())
    entry = catalog.table("Country")
    assert catalog.table_numbered(1) is entry
    assert entry.field(2) == entry.field_named("name")
    assert entry.field_named("nothing") is None
    assert entry.index_named("nothing") is None
    with pytest.raises(NoSuchTable) as caught:
        catalog.table("Countri")
    assert caught.value.nearest == "Country"
    with pytest.raises(KeyError):
        catalog.table_numbered(9)
    with pytest.raises(KeyError):
        TableEntry(number=1, name="x", fields=(), key=(), automatic=False).field(1)
    assert FieldEntry(number=1, name="x", kind="int", nullable=True).default is None
