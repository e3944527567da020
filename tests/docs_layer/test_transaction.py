"""Transactions and snapshots: together or not at all, serializable, and never beside each other by mistake."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import lsm
from docs_layer import (
    ClosedError,
    ConflictError,
    Database,
    ForeignKeyViolation,
    NotFoundError,
    TransactionError,
    TransactionTooLargeError,
    UniqueViolation,
    ValidationError,
    index,
    open_db,
)
from docs_layer.store import Store
from tests.docs_layer.samples import Author, Book


def test_a_block_commits_as_a_whole(db: Database) -> None:
    """Others see nothing before the end and everything after it; the block sees its own writes."""
    with db.transaction() as transaction:
        ann = transaction.insert(Author(name="Ann"))
        transaction.insert(Book(title="x", author_id=ann.id))
        assert transaction.one(Author, ann.id) == ann
        assert transaction.query(Book).where(Book.author_id == ann.id).count() == 1
        assert transaction.get(Author, 99) is None
        assert db.query(Author).count() == 0
    assert db.query(Author).count() == db.query(Book).count() == 1


def test_an_exception_takes_everything_back(db: Database) -> None:
    """A block that raises leaves nothing."""
    with pytest.raises(KeyError), db.transaction() as transaction:
        transaction.insert(Author(name="Ann"))
        raise KeyError
    assert db.query(Author).count() == 0


def test_a_failed_call_leaves_the_block_usable(db: Database) -> None:
    """After an error that the program catches, the other calls of the block still count."""
    with db.transaction() as transaction:
        transaction.insert(Author(name="Ann"))
        with pytest.raises(UniqueViolation):
            transaction.insert_many([Author(name="Bob"), Author(name="Ann")])
        with pytest.raises(ValidationError):
            transaction.insert_many([Author(name="Cy"), Author(name="x" * 100)])
        with pytest.raises(ForeignKeyViolation):
            transaction.insert(Book(title="x", author_id=9))
        with pytest.raises(NotFoundError):
            transaction.one(Book, 1)
        transaction.insert(Author(name="Dy"))
    assert [author.name for author in db.query(Author)] == ["Ann", "Dy"]


def test_insert_many_in_several_batches_is_one_call(db: Database) -> None:
    """A mistake in the last of many rows leaves none of them, also inside a block."""
    rows = [Author(name=f"a{place}") for place in range(2500)]
    with db.transaction() as transaction:
        with pytest.raises(UniqueViolation):
            transaction.insert_many([*rows, Author(name="a0")])
        assert transaction.query(Author).count() == 0
        assert len(transaction.insert_many(iter(rows))) == 2500
    assert db.query(Author).count() == 2500


def test_a_write_on_the_database_beside_an_open_transaction_is_refused(library: Database) -> None:
    """The same thread must write with its transaction; reading the database, and other threads, are free."""
    calls: list[Callable[[], object]] = [
        lambda: library.insert(Author(name="x")),
        lambda: library.insert_many([Author(name="x")]),
        lambda: library.update(Author, 1, name="x"),
        lambda: library.upsert(Author(id=1, name="x")),
        lambda: library.delete(Book, 1),
        lambda: library.run(lambda transaction: transaction.delete(Book, 1)),
    ]
    with library.transaction():
        for call in calls:
            with pytest.raises(TransactionError, match="open transaction"):
                call()
        assert library.query(Author).count() == 2
        other = threading.Thread(target=lambda: library.insert(Author(name="other thread")))
        other.start()
        other.join()
    assert library.insert(Author(name="after")).name == "after"
    assert library.query(Author).count() == 4


def test_a_write_on_the_database_inside_run_is_refused(db: Database) -> None:
    """A function that `run` calls must write with its transaction, too; afterwards the database is free."""
    with pytest.raises(TransactionError, match="open transaction"):
        db.run(lambda _: db.insert(Author(name="x")))
    assert db.insert(Author(name="after")).id > 0


def test_a_transaction_belongs_to_where_it_was_entered(db: Database) -> None:
    """A block that was made in one thread and entered in another guards the other."""
    block = db.transaction()
    refused: list[bool] = []

    def enter() -> None:
        with block:
            try:
                db.insert(Author(name="x"))
            except TransactionError:
                refused.append(True)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert refused == [True]
    assert db.insert(Author(name="here")).id > 0


def test_a_limit_in_a_transaction_counts_rows_that_are_there(db: Database) -> None:
    """Rows that the block deletes while it reads do not use a limit up."""
    db.insert(Author(name="Ann"))
    db.insert_many([Book(title=f"{place}", author_id=1, year=place) for place in range(100)])
    with db.transaction() as transaction:
        query = transaction.query(Book).where(Book.author_id == 1, Book.year >= 0).order_by(Book.year).limit(50)
        found: list[int] = []
        for book in query:
            if not found:
                for other in range(20, 60):
                    transaction.delete(Book, other)
            found.append(book.id)
        assert len(found) == 50


@pytest.mark.parametrize(
    "condition",
    [Book.year != 50, Book.year.in_([10, 20, 30]), (Book.title == "odd") | (Book.year >= 0), Book.year >= 0],
    ids=["two ranges", "points", "or", "one range"],
)
def test_rows_that_the_loop_moves_come_once(db: Database, condition: Any) -> None:
    """Rows are those of the moment when the loop began, however many parts of an index they are read from."""

    class Shelved(Book):
        __table_name__ = "Shelved"
        __indexes__ = [index("year"), index("title")]

    db.insert(Author(name="Ann"))
    shelf = open_db(db.store, tables=[Author, Shelved])
    shelf.insert_many([Shelved(title=("even", "odd")[n % 2], year=n % 60, author_id=1) for n in range(120)])
    wanted = shelf.query(Shelved).where(condition).count()
    with shelf.transaction() as transaction:
        found = []
        for book in transaction.query(Shelved).where(condition):
            found.append(book.id)
            title = {"odd": "even", "even": "odd"}[book.title]
            transaction.update(Shelved, book.id, year=(book.year or 0) + 10, title=title)
        assert len(found) == len(set(found)) == wanted


def test_tasks_of_one_thread_do_not_see_each_other_s_transactions(db: Database) -> None:
    """A transaction belongs to its task: another task of the same thread may write on the database."""

    async def hold(entered: asyncio.Event, leave: asyncio.Event) -> None:
        with db.transaction() as transaction:
            transaction.insert(Author(name="held"))
            entered.set()
            await leave.wait()
            with pytest.raises(TransactionError):
                db.insert(Author(name="beside"))

    async def main() -> None:
        entered, leave = asyncio.Event(), asyncio.Event()
        holder = asyncio.create_task(hold(entered, leave))
        await entered.wait()
        db.insert(Author(name="other task"))
        leave.set()
        await holder

    asyncio.run(main())
    assert sorted(author.name for author in db.query(Author)) == ["held", "other task"]


def test_a_transaction_object_is_entered_once(db: Database) -> None:
    """Reusing the context manager is refused, and so is using a transaction after its end."""
    block = db.transaction()
    with block as transaction:
        pass
    with pytest.raises(TransactionError, match="once"), block:
        pass
    with pytest.raises(ClosedError):
        transaction.insert(Author(name="late"))
    assert db.insert(Author(name="fine")).id > 0


def test_a_lost_update_is_a_conflict(library: Database) -> None:
    """Two transactions that read and write one row cannot both commit."""
    with pytest.raises(ConflictError) as caught, library.transaction() as transaction:
        book = transaction.one(Book, 1)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(lambda: library.update(Book, 1, title="first")).result()
        transaction.update(Book, 1, title=book.title + "!")
    assert caught.value.retryable
    assert library.one(Book, 1).title == "first"


def test_a_parent_cannot_go_while_a_child_comes(library: Database) -> None:
    """The write skew that leaves a dangling reference is a conflict, in both orders."""
    ann = library.insert(Author(name="childless"))
    with pytest.raises(ConflictError), library.transaction() as transaction:
        transaction.insert(Book(title="x", author_id=ann.id))
        with ThreadPoolExecutor(1) as pool:
            pool.submit(library.delete, Author, ann.id).result()
    assert library.query(Book).where(Book.author_id == ann.id).exists() is False
    bob = library.insert(Author(name="soon a parent"))
    with pytest.raises(ConflictError), library.transaction() as transaction:
        transaction.delete(Author, bob.id)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(library.insert, Book(title="x", author_id=bob.id)).result()
    assert library.get(Author, bob.id) == bob


def test_children_of_one_parent_do_not_conflict(library: Database) -> None:
    """Inserting children, and changing the parent's other columns, go together."""
    with library.transaction() as transaction:
        transaction.insert(Book(title="x", author_id=1))
        with ThreadPoolExecutor(1) as pool:
            pool.submit(library.insert, Book(title="y", author_id=1)).result()
            pool.submit(lambda: library.update(Author, 1, name="renamed")).result()
    assert library.query(Book).where(Book.author_id == 1).count() == 5


def test_calls_on_the_database_are_retried(library: Database) -> None:
    """Increments of one row by several threads through `run` lose nothing."""
    library.update(Book, 1, year=0)

    def increment(_: int) -> None:
        for _ in range(20):
            library.run(lambda transaction: transaction.update(Book, 1, year=(transaction.one(Book, 1).year or 0) + 1))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(increment, range(4)))
    assert library.one(Book, 1).year == 80


def test_retries_end(library: Database) -> None:
    """A function that always meets a conflict raises it after its retries."""
    tries = 0

    def collide(year: int) -> None:
        library.update(Book, 1, year=year)

    def unlucky(transaction: object) -> None:
        nonlocal tries
        tries += 1
        transaction.update(Book, 1, year=-tries)  # type: ignore[attr-defined]  # a transaction
        thread = threading.Thread(target=collide, args=(tries,))
        thread.start()
        thread.join()

    with pytest.raises(ConflictError):
        library.run(unlucky, retries=2)
    assert tries == 3


def test_a_snapshot_does_not_move(library: Database) -> None:
    """What is written later is not seen, whatever path a query takes; closing ends it."""
    snapshot = library.snapshot()
    with snapshot:
        library.update(Book, 1, title="changed", author_id=1)
        library.insert(Book(title="later", author_id=1))
        library.delete(Book, 2)
        assert snapshot.one(Book, 1).title == "book 0"
        assert snapshot.get(Book, 7) is None
        assert snapshot.query(Book).count() == 6
        assert snapshot.query(Book).where(Book.author_id == 1).count() == 3
        with pytest.raises(NotFoundError):
            snapshot.one(Book, 99)
        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(lambda _: snapshot.query(Book).count(), range(4))) == [6] * 4
    with pytest.raises(ClosedError):
        snapshot.get(Book, 1)


def test_an_iterator_reads_one_moment(library: Database) -> None:
    """Rows may be deleted and added while a query on the database is read."""
    seen = []
    for book in library.query(Book):
        seen.append(book.id)
        library.delete(Book, book.id)
        library.insert(Book(title="again", author_id=1))
    assert seen == [1, 2, 3, 4, 5, 6]
    assert library.query(Book).count() == 6


def test_rows_deleted_while_a_transaction_reads_them_are_skipped(db: Database) -> None:
    """Inside a block the scan is that of the call, but rows that were not read yet come only if they are there."""
    db.insert(Author(name="Ann"))
    db.insert_many([Book(title=f"{place}", author_id=1) for place in range(2000)])
    with db.transaction() as transaction:
        found: list[int] = []
        for book in transaction.query(Book).where(Book.author_id == 1):
            if not found:
                for other in range(2, 2001):
                    transaction.delete(Book, other)
            found.append(book.id)
        assert found[0] == 1
        assert len(found) < 2000
        assert [book.id for book in transaction.query(Book)] == [1]


def test_closing_a_database(store: Store) -> None:
    """A closed database says so; a second close does nothing."""
    db = open_db(store, tables=[Author, Book])
    db.close()
    db.close()
    with pytest.raises(ClosedError):
        db.get(Author, 1)
    with pytest.raises(ClosedError):
        db.insert(Author(name="x"))


def test_a_call_that_is_too_large_says_so(tmp_path: Path) -> None:
    """The limit of the store is the error, and nothing of the call stays."""
    with open_db(tmp_path, tables=[Author, Book], options=lsm.Options(transaction_bytes=100_000)) as db:
        with pytest.raises(TransactionTooLargeError):
            db.insert_many([Author(name=f"author {place}") for place in range(5000)])
        assert db.query(Author).exists() is False
        assert db.insert(Author(name="small")).name == "small"


def test_a_nested_block_is_a_savepoint(db: Database) -> None:
    """An inner block that raises takes back its own writes only; what succeeds is committed with the outermost."""
    with db.transaction() as outer:
        outer.insert(Author(name="Ann"))
        with pytest.raises(KeyError), db.transaction() as inner:
            inner.insert(Author(name="Bob"))
            with db.transaction() as innermost:
                innermost.insert(Author(name="Cy"))
            assert outer.query(Author).count() == 3
            raise KeyError
        assert outer.query(Author).count() == 1
        with db.transaction() as again:
            again.insert(Author(name="Dy"))
        with pytest.raises(KeyError), outer.savepoint() as point:
            point.insert(Author(name="Ed"))
            raise KeyError
        assert db.query(Author).count() == 0
    assert [author.name for author in db.query(Author)] == ["Ann", "Dy"]


def test_a_nested_block_inside_run_is_a_savepoint(db: Database) -> None:
    """A function that `run` calls may nest as well."""

    def write(transaction: Any) -> None:
        transaction.insert(Author(name="Ann"))
        with pytest.raises(KeyError), db.transaction() as inner:
            inner.insert(Author(name="Bob"))
            raise KeyError

    db.run(write)
    assert [author.name for author in db.query(Author)] == ["Ann"]


def test_only_the_outermost_block_syncs(db: Database) -> None:
    """Asking a savepoint for durability is a mistake, and leaves the outer block usable."""
    with db.transaction(sync=True) as outer:
        with pytest.raises(TransactionError, match="outermost"), db.transaction(sync=True):
            pass
        outer.insert(Author(name="Ann"))
    assert db.query(Author).count() == 1


def test_an_outer_block_that_fails_takes_inner_blocks_along(db: Database) -> None:
    """A savepoint that was left in peace is not a commit."""
    with pytest.raises(KeyError), db.transaction():
        with db.transaction() as inner:
            inner.insert(Author(name="Ann"))
        raise KeyError
    assert db.query(Author).count() == 0
