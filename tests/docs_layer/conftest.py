"""Databases for the tests of `docs_layer`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import lsm
from docs_layer import Database, MemoryStore, open_db
from docs_layer.embedded_store import EmbeddedStore
from docs_layer.store import Store
from tests.docs_layer.samples import Author, Book, Category, Country, Everything, Visit

TABLES = [Author, Book, Category, Country, Everything, Visit]


@pytest.fixture(params=["memory", "embedded"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Give an empty store of each implementation."""
    opened: Store = MemoryStore() if request.param == "memory" else EmbeddedStore(tmp_path, lsm.Options())
    yield opened
    opened.close()


@pytest.fixture
def db(store: Store) -> Iterator[Database]:
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
