"""Tables on the simulated disk: after a crash rows, index entries and references agree, and nothing promised is gone.

The oracle is a dictionary of rows beside the database; the classes change half-way, so that schema changes and index
builds are crashed as well.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from docs_layer import Col, Key, Ref, Table, auto, col, index, open_db, ref
from docs_layer.database import Database
from docs_layer.testing import checked_rows
from lsm.testing import SMALL_OPTIONS, Crash, Exploration, Ledger, Plan, Recording
from tests.support.soak import SOAK

Rows = dict[str, list[Any]]


class Author(Table):
    """A parent with a unique column; deleting one takes its books along."""

    id: Key[int] = auto()
    name: Col[str] = col(unique=True)


class Book(Table):
    """A child without an index of its own."""

    id: Key[int] = auto()
    title: Col[str]
    year: Col[int] = col(default=0)
    author_id: Ref[Author] = ref(on_delete="cascade")


class IndexedBook(Table):
    """The same child, later, with an index that must be built over the rows that are there."""

    __table_name__ = "Book"
    id: Key[int] = auto()
    title: Col[str]
    year: Col[int] = col(default=0)
    author_id: Ref[Author] = ref(on_delete="cascade")
    __indexes__ = [index("year", "title")]


class Library:
    """A database and the rows that it must hold, as a dictionary of dictionaries."""

    def __init__(self, recording: Recording[Rows], seed: int) -> None:
        self.recording = recording
        self.generator = random.Random(seed)
        self.authors: dict[int, Any] = {}
        self.books: dict[int, Any] = {}

    def open(self, book: type[Table]) -> Database:
        """Open with one of the two classes of books."""
        return open_db("/data", [Author, book], SMALL_OPTIONS, environment=self.recording.environment)

    def run(self) -> None:
        """Write with the first classes, open with the second, and write on."""
        with self.open(Book) as db:
            self.write(db, Book, 12)
        self.recording.settle()
        with self.open(IndexedBook) as db:
            self.write(db, IndexedBook, 12)
        self.recording.settle()

    def write(self, db: Database, book: type[Any], count: int) -> None:
        """Make random transactions over both tables."""
        for number in range(count):
            sync = self.generator.random() < 0.4
            with db.transaction(sync=sync) as tx:
                self._change(tx, book, number)
                self.recording.ledger.issue(self.rows())
            self.recording.ledger.acknowledge()
            if sync:
                self.recording.settle()

    def _change(self, tx: Any, book: type[Any], number: int) -> None:
        """Insert an author with books; sometimes move a book, or delete an author with all that refers to him."""
        author = tx.insert(Author(name=f"{book.__name__} {number}"))
        self.authors[author.id] = author
        for year in range(self.generator.randrange(4)):
            made = tx.insert(book(title=f"Volume {year}" * 9, year=2000 + year, author_id=author.id))
            self.books[made.id] = made
        if self.books and self.generator.random() < 0.5:
            key = self.generator.choice(list(self.books))
            self.books[key] = tx.update(book, key, year=1900 + number, author_id=author.id)
        if self.generator.random() < 0.3:
            gone = self.generator.choice(list(self.authors))
            tx.delete(Author, gone)
            del self.authors[gone]
            self.books = {key: one for key, one in self.books.items() if one.author_id != gone}

    def rows(self) -> Rows:
        """Return what the database must hold when the transaction is made."""
        tables = {"Author": self.authors, "Book": self.books}
        return {name: [_plain(rows[key]) for key in sorted(rows)] for name, rows in tables.items()}


def _plain(row: Any) -> tuple[object, ...]:
    return tuple(getattr(row, name) for name in row.__struct_fields__)


def _check(crash: Crash[Rows]) -> Rows:
    """Open with the last classes, whatever was there, and compare."""
    with open_db("/data", [Author, IndexedBook], SMALL_OPTIONS, environment=crash.environment) as db:
        found = {name: [_plain(row) for row in rows] for name, rows in checked_rows(db).items()}
    crash.check_state(found)
    return found


@pytest.mark.crash
@pytest.mark.parametrize("seed", range(10 if SOAK else 1))
def test_tables_survive_crashes(seed: int, record_property: Callable[[str, object], None]) -> None:
    """Also a crash of the opening that changes the schema and builds the index."""
    plan = Plan(
        call_stride=1 if SOAK else 37,
        canonical=SOAK,
        samples=4,
        seed=seed,
        aftermath_stride=3,
        recovery=Plan(canonical=False, call_stride=1 if SOAK else 11, disk_stride=41, aftermath_stride=9),
    )
    exploration: Exploration[Rows] = Exploration(_check, plan)

    exploration.run(lambda recording: Library(recording, seed).run(), Ledger([{"Author": [], "Book": []}]))

    for name, count in exploration.counts.items():
        record_property(name, count)
    exploration.raise_failures()
    assert exploration.counts["crash points"] > 50
