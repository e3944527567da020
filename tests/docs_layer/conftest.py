"""Databases for the tests of `docs_layer`."""

from collections.abc import Iterator

import pytest

from docs_layer import Database, MemoryStore, open_db
from tests.docs_layer.samples import Author, Book, Category, Country, Everything, Visit

TABLES = [Author, Book, Category, Country, Everything, Visit]


@pytest.fixture
def store() -> MemoryStore:
    """Give an empty store."""
    return MemoryStore()


@pytest.fixture
def db(store: MemoryStore) -> Iterator[Database]:
    """Give a database with the sample tables; whatever a test did, it must be sound in the end."""
    with open_db(store, tables=TABLES) as opened:
        yield opened
        assert str(opened.verify()).endswith("sound")


@pytest.fixture
def library(db: Database) -> Database:
    """Give a database with two authors and six books."""
    ann, bob = db.insert_many([Author(name="Ann"), Author(name="Bob")])
    years = [2001, None, 1999, 2020, 2001, 2010]
    db.insert_many(
        Book(title=f"book {place}", year=year, author_id=ann.id if place % 2 else bob.id)
        for place, year in enumerate(years)
    )
    return db
