"""The bytes of tables as a store sees them: catalog, rows and index entries of a small database, pinned key by key.

The golden file has a line for each entry, its key and its value in hexadecimal digits; lines with `#` say what it is.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from docs_layer import Col, Key, MemoryStore, Ref, Table, auto, col, index, open_db

GOLDEN = Path(__file__).parent / "golden"
FORMATS = (1, 2)
"""The version of each golden file; the last one is written today."""


class Author(Table):
    """The first table."""

    id: Key[int] = auto()
    name: Col[str] = col(unique=True)


class Book(Table):
    """The second table, with a compound index and a reference."""

    isbn: Key[str]
    author_id: Ref[Author]
    year: Col[int | None] = col(default=None)
    price: Col[float]
    __indexes__ = [index("author_id", "-year")]


def _golden(version: int) -> Iterator[tuple[bytes, bytes]]:
    for line in (GOLDEN / f"rows-{version}.txt").read_text(encoding="ascii").splitlines():
        if line and not line.startswith("#"):
            key, _, value = line.partition(" =")
            yield bytes.fromhex(key), bytes.fromhex(value)


def _content(store: MemoryStore) -> Iterator[tuple[bytes, bytes]]:
    with store.snapshot() as snapshot:
        for keys, values in snapshot.scan(b"", b"\xff" * 9):
            yield from zip(keys, values, strict=True)


def _filled() -> MemoryStore:
    store = MemoryStore()
    db = open_db(store, tables=[Author, Book])
    db.insert(Author(id=5, name="Emma"))
    db.insert(Book(isbn="a\x00", author_id=5, year=1999, price=-1.5))
    db.insert(Book(isbn="b", author_id=5, price=2.0))
    return store


def test_every_entry_is_pinned() -> None:
    """What a small database stores is, byte by byte, what the newest golden file says."""
    assert [f"{key.hex()} = {value.hex()}" for key, value in _content(_filled())] == [
        f"{key.hex()} = {value.hex()}" for key, value in _golden(FORMATS[-1])
    ]


@pytest.mark.parametrize("version", FORMATS)
def test_pinned_bytes_are_read(version: int) -> None:
    """A store with the golden bytes of any version opens, and its rows are the ones that were written."""
    store = MemoryStore()
    transaction = store.transaction()
    for key, value in _golden(version):
        transaction.put(key, value)
    transaction.bump_epoch()
    transaction.commit()

    db = open_db(store, tables=[Author, Book])

    assert db.get(Author, 5) == Author(id=5, name="Emma")
    assert db.query(Book).where(Book.author_id == 5).order_by(-Book.year).all() == [
        Book(isbn="a\x00", author_id=5, year=1999, price=-1.5),
        Book(isbn="b", author_id=5, price=2.0),
    ]
