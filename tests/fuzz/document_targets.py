"""Fuzz targets for what `docs_layer` keeps in the store: rows, keys, catalog entries, and a database over them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from uuid import UUID

import msgspec

from docs_layer import Database, MemoryStore, open_db
from docs_layer.bound_tables import BoundTable
from docs_layer.catalog import Catalog, load_catalog
from docs_layer.document_codec import decode_document, encode_document
from docs_layer.errors import CorruptionError, DatabaseError
from docs_layer.key_encoding import INVERTIBLE_KINDS, tuple_decoder, tuple_encoder, tuple_skipper
from docs_layer.keyspace import catalog_header_key, row_range
from docs_layer.schema_views import bind_stored
from docs_layer.store import Chunk
from tests.docs_layer.samples import Author, Book, Visit
from tests.fuzz.limits import Limits
from tests.fuzz.target import Target

TABLES = [Author, Book, Visit]
_SAMPLES: dict[str, object] = {
    "int": -5, "float": 2.5, "decimal": Decimal("12.50"), "str": "a\0b", "bytes": b"\0\xff", "bool": True,
    "datetime": datetime(2024, 2, 29, tzinfo=UTC), "datetime_naive": datetime(2024, 2, 29, 1, 2, 3),  # noqa: DTZ001
    "date": date(2024, 2, 29), "time": time(1, 2, 3), "timedelta": timedelta(days=-1, microseconds=5),
    "uuid": UUID(int=7), "any": [1, "x", [None, 2.5]],
}  # fmt: skip


@cache
def _pairs() -> tuple[tuple[bytes, bytes], ...]:
    """Return all entries of a small database."""
    store = MemoryStore()
    _fill(store)
    with store.snapshot() as snapshot:
        return tuple(
            pair for chunk in snapshot.scan(b"", b"\xff" * 8) for pair in zip(chunk.keys, chunk.values, strict=True)
        )


def _fill(store: MemoryStore) -> None:
    db = open_db(store, tables=TABLES)
    db.insert_many([Author(name="Ann"), Author(name="Bob")])
    db.insert_many(Book(title=f"t{n}", year=2000 + n, author_id=1 + n % 2, tags=["x"] * n) for n in range(4))
    db.insert_many([Visit(country="at", year=2020, note="n"), Visit(country="de", year=2021)])


def _ask_database(data: bytes) -> None:
    """Replace one entry of a database (the first byte says which, the second how), and ask everything."""
    pairs = list(_pairs())
    place = (data[0] if data else 0) % len(pairs)
    key, value = pairs[place]
    how = data[1] % 4 if len(data) > 1 else 0
    rest = data[2:]
    pairs[place] = [(key, rest), (key[:3] + rest, value), (rest or b"?", value), (key, value + rest)][how]
    store = MemoryStore()
    transaction = store.transaction()
    for entry in pairs:
        transaction.put(*entry)
    transaction.commit()
    errors: list[DatabaseError] = []
    for question in _QUESTIONS:
        try:
            question(open_db(store, tables=TABLES))
        except DatabaseError as error:
            errors.append(error)
    if errors:
        raise errors[0]


def _scan_all(db: Database) -> None:
    for table in TABLES:
        list(db.query(table))


def _use_indexes(db: Database) -> None:
    list(db.query(Book).where((Book.author_id == 1) & (Book.year > 1999)).order_by(-Book.year))
    list(db.query(Author).where(Author.name == "Ann"))
    list(db.query(Visit).where(Visit.year == 2020))
    list(db.query(Visit).order_by(-Visit.note))


def _write(db: Database) -> None:
    db.update(Book, 1, Book.year.to(1990))
    db.delete(Book, 2)
    db.insert(Author(name="Cid"))
    db.get(Author, 1)


def _verify(db: Database) -> None:
    db.verify()


_QUESTIONS = (_scan_all, _use_indexes, _write, _verify)


def _documents() -> list[bytes]:
    chosen = [bytes((place, 0)) + value for place, (_, value) in enumerate(_pairs())][::4]
    return [*chosen, bytes((0, 2)), bytes((5, 1, 9)), bytes((9, 3, 1))]


@cache
def _codec() -> tuple[Catalog, BoundTable]:
    store = MemoryStore()
    _fill(store)
    with store.snapshot() as snapshot:
        catalog = load_catalog(snapshot)
    return catalog, bind_stored(catalog.table("Book"), catalog)


def _parse_row(data: bytes) -> None:
    _codec()[1].codec.decode(data)


def _rows() -> list[bytes]:
    return [value for key, value in _pairs() if value[:1] == b"\x01"]


class _Entries:
    """A view of given entries."""

    epoch = 1

    def __init__(self, entries: dict[bytes, bytes]) -> None:
        self._entries = entries

    def get(self, key: bytes) -> bytes | None:
        """Return one value."""
        return self._entries.get(key)

    def scan(self, start: bytes, stop: bytes) -> Iterator[Chunk]:
        """Yield all entries of a range."""
        keys = [key for key in sorted(self._entries) if start <= key < stop]
        yield Chunk(keys, [self._entries[key] for key in keys])


@cache
def _catalog_pairs() -> list[tuple[bytes, bytes]]:
    low, high = catalog_header_key(), row_range(1)[0]
    return [(key, value) for key, value in _pairs() if low <= key < high]


def _parse_catalog(data: bytes) -> None:
    """Load a catalog of which one entry, chosen by the first byte, is the rest of the input; bind all its tables."""
    pairs = _catalog_pairs()
    key, _ = pairs[(data[0] if data else 0) % len(pairs)]
    catalog = load_catalog(_Entries({**dict(pairs), key: data[1:]}))  # type: ignore[arg-type]  # only read
    for entry in catalog.tables.values():
        bind_stored(entry, catalog)


def _catalog_entries() -> list[bytes]:
    return [bytes((place,)) + value for place, (_, value) in enumerate(_catalog_pairs())]


_KINDS = sorted(INVERTIBLE_KINDS)


def _parse_key(data: bytes) -> None:
    """Skip and decode a tuple of a kind and direction that the first byte chooses; what decodes encodes to itself."""
    choice = data[0] if data else 0
    kinds = [(_KINDS[choice // 2 % len(_KINDS)], bool(choice & 1)), ("int", False)]
    key = data[1:]
    tuple_skipper(kinds)(key, 0)
    values = tuple_decoder(kinds)(key, 0)
    again = tuple_encoder(kinds)(values)
    assert tuple_decoder(kinds)(again, 0) == values or values[0] != values[0]


def _keys() -> list[bytes]:
    found = []
    for place, kind in enumerate(_KINDS):
        for descending in (False, True):
            encode = tuple_encoder([(kind, descending), ("int", False)])
            found.append(bytes((2 * place + descending,)) + encode((_SAMPLES.get(kind), 7)))
    return found


def _parse_document(data: bytes) -> None:
    try:
        decode_document(data)
    except (msgspec.MsgspecError, ValueError) as error:  # what its callers are told to expect
        raise CorruptionError("document", str(error)) from error


def _values() -> list[bytes]:
    return [encode_document(value)[0] for value in ({"a": [1, None, 2.5, "x"]}, datetime(2024, 1, 1, tzinfo=UTC), 5)]


DOCUMENT_TARGETS = [
    Target("row", _parse_row, _rows),
    Target("tuple-key", _parse_key, _keys),
    Target("catalog-entry", _parse_catalog, _catalog_entries),
    Target("document", _parse_document, _values),
    Target(
        "documents",
        _ask_database,
        _documents,
        limits=Limits(calls=400_000, calls_each_byte=2_000, memory_bytes=8 << 20),
    ),
]
