"""Promises hold while many threads write: uniqueness, references, counts; and automatic ids do not conflict."""

import random
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from docs_layer import (
    ConflictError,
    Database,
    ForeignKeyViolation,
    IntegrityError,
    NotFoundError,
    Transaction,
    UniqueViolation,
    open_db,
)
from docs_layer.store import Store
from tests.docs_layer.conftest import TABLES
from tests.docs_layer.samples import Author, Book

THREADS = 4


def test_parents_and_children_come_and_go(db: Database) -> None:
    """Whatever interleaving, no child is left without parent, and no call raises anything but its own errors."""

    def work(seed: int) -> None:
        choose = random.Random(seed)
        for _ in range(40):
            number = choose.randint(1, 4)
            try:
                match choose.randint(0, 3):
                    case 0:
                        db.upsert(Author(id=number, name=f"author {number}"))
                    case 1:
                        db.insert(Book(title="x", author_id=number))
                    case 2:
                        db.delete(Author, number)
                    case _:
                        db.delete(Book, choose.randint(1, 60))
            except ForeignKeyViolation:
                continue

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))
    present = {author.id for author in db.query(Author)}
    assert {book.author_id for book in db.query(Book)} <= present


def test_one_of_many_gets_a_unique_value(db: Database) -> None:
    """Threads that insert the same value: exactly one succeeds each time."""

    def claim(_: int) -> int:
        won = 0
        for place in range(25):
            try:
                db.insert(Author(name=f"name {place}"))
                won += 1
            except UniqueViolation:
                continue
        return won

    with ThreadPoolExecutor(THREADS) as pool:
        assert sum(pool.map(claim, range(THREADS))) == 25
    assert db.query(Author).count() == 25


def test_inserts_with_automatic_ids_do_not_conflict(db: Database) -> None:
    """Blocks that only insert children of one parent never meet a conflict."""
    db.insert(Author(name="Ann"))

    def insert(worker: int) -> int:
        conflicts = 0
        for place in range(30):
            try:
                with db.transaction() as transaction:
                    transaction.insert(Book(title=f"{worker} {place}", author_id=1, year=place))
            except ConflictError:
                conflicts += 1
        return conflicts

    with ThreadPoolExecutor(THREADS) as pool:
        assert sum(pool.map(insert, range(THREADS))) == 0
    assert db.query(Book).count() == THREADS * 30


def test_a_sum_over_rows_never_changes(db: Database) -> None:
    """Moving amounts between rows in blocks keeps their sum, in every snapshot and at the end."""
    db.insert(Author(name="bank"))
    db.insert_many([Book(title=f"account {place}", author_id=1, year=100) for place in range(5)])

    def move(transaction: Transaction, source: int, target: int) -> None:
        from_row, to_row = transaction.one(Book, source), transaction.one(Book, target)
        transaction.update(Book, source, year=(from_row.year or 0) - 1)
        transaction.update(Book, target, year=(to_row.year or 0) + 1)

    def work(seed: int) -> None:
        choose = random.Random(seed)
        for _ in range(15):
            source, target = choose.sample(range(1, 6), 2)
            db.run(partial(move, source=source, target=target), retries=200)
            with db.snapshot() as snapshot:
                assert sum(book.year or 0 for book in snapshot.query(Book)) == 500

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))
    assert sum(book.year or 0 for book in db.query(Book)) == 500


def test_handles_open_the_same_tables_at_once(store: Store) -> None:
    """Several handles that create the schema at the same time agree on it."""
    with ThreadPoolExecutor(THREADS) as pool:
        handles = list(pool.map(lambda _: open_db(store, tables=TABLES), range(THREADS)))
    rows = [handle.insert(Author(name=f"author {place}")) for place, handle in enumerate(handles)]
    assert [handle.one(Author, row.id) for handle, row in zip(handles, reversed(rows), strict=True)] == rows[::-1]
    with pytest.raises((IntegrityError, NotFoundError)):
        handles[0].update(Author, rows[0].id, name="author 1")
    assert handles[-1].verify().is_sound
