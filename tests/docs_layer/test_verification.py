"""`verify` finds each way in which rows and entries can disagree."""

from collections.abc import Callable

import pytest

from docs_layer import Database, MemoryStore, open_db
from docs_layer.keyspace import index_prefix, row_key_prefix
from docs_layer.store import Transaction
from tests.docs_layer.samples import Author, Book

AUTHOR_ROW = row_key_prefix(1)
BOOK_ROW = row_key_prefix(2)
BY_NAME = index_prefix(1, 1)
BY_AUTHOR = index_prefix(2, 1)


@pytest.fixture
def damaged() -> tuple[MemoryStore, Database]:
    """Give a sound database whose store the test damages."""
    store = MemoryStore()
    db = open_db(store, tables=[Author, Book])
    db.insert_many([Author(name="Ann"), Author(name="Bob")])
    db.insert_many([Book(title="x", author_id=1), Book(title="y", author_id=2)])
    return store, db


def _first(transaction: Transaction, prefix: bytes) -> tuple[bytes, bytes]:
    chunk = next(iter(transaction.scan(prefix, prefix + b"\xff")))
    return chunk.keys[0], chunk.values[0]


def _delete_first(prefix: bytes) -> Callable[[Transaction], None]:
    return lambda transaction: transaction.delete(_first(transaction, prefix)[0])


def _rewrite_first(prefix: bytes, change: Callable[[bytes], bytes]) -> Callable[[Transaction], None]:
    def damage(transaction: Transaction) -> None:
        key, value = _first(transaction, prefix)
        transaction.put(key, change(value))

    return damage


def _move_first(prefix: bytes, suffix: bytes) -> Callable[[Transaction], None]:
    def damage(transaction: Transaction) -> None:
        key, value = _first(transaction, prefix)
        transaction.put(key + suffix, value)

    return damage


@pytest.mark.parametrize(
    ("damage", "place", "problem"),
    [
        (_delete_first(BY_NAME), "index Author_name", "a row has no entry"),
        (_delete_first(BY_AUTHOR), "index Book_author_id_year", "a row has no entry"),
        (_delete_first(BOOK_ROW), "index Book_author_id_year", "names a row that is not there"),
        (_delete_first(AUTHOR_ROW), "table Book", "author_id=1 refers to a row that is not there"),
        (_rewrite_first(AUTHOR_ROW, lambda value: value.replace(b"Ann", b"Amy")), "index Author_name", "does not say"),
        (_rewrite_first(AUTHOR_ROW, lambda _: b"\x01\xc1"), "table Author", "not a row"),
        (_rewrite_first(BY_NAME, lambda value: value[:-1] + b"\x02"), "index Author_name", "names another row"),
        (_rewrite_first(BY_NAME, lambda _: b""), "index Author_name", "names another row"),
        (_move_first(BY_AUTHOR, b"\x10"), "index Book_author_id_year", "not there"),
        (_move_first(AUTHOR_ROW, b"\x10"), "table Author", "under another key"),
    ],
)
def test_damage_is_found_and_placed(
    damaged: tuple[MemoryStore, Database], damage: Callable[[Transaction], None], place: str, problem: str
) -> None:
    """Each kind of damage is named with the table or index it is in, and the key."""
    store, db = damaged
    assert str(db.verify()) == "2 tables, 4 rows, 4 index entries: sound"
    transaction = store.transaction()
    damage(transaction)
    transaction.commit()
    report = db.verify()
    assert not report.is_sound
    assert any(found.place == place and problem in str(found) and found.key for found in report.damage)
    assert problem in str(report)


def test_tables_without_classes_are_verified(damaged: tuple[MemoryStore, Database]) -> None:
    """The catalog is enough."""
    store, _ = damaged
    assert open_db(store).verify().rows == 4
