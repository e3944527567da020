"""Faults above the engine: crashes between the writes of a row and of its entries, and calls that meet each other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import pytest

import lsm
from docs_layer import Col, Database, IntegrityError, Key, Ref, Table, auto, col, index, index_build, open_db, ref
from docs_layer.embedded_store import EmbeddedStore
from lsm.testing import EVERYTHING, Call, SimulatedEnvironment, SimulatedFileSystem, WrongRecoveryError, abandon
from tests.defects.acts import MOST_PLACES
from tests.defects.fault_class import Share
from tests.defects.meeting_faults import Meeting, WatchedEnvironment
from tests.support.small import SMALL

PATH = "/data"


class Author(Table):
    """A parent with a unique column."""

    id: Key[int] = auto()
    name: Col[str] = col(unique=True)


class Book(Table):
    """A child with two indexes."""

    id: Key[int] = auto()
    title: Col[str]
    author_id: Ref[Author] = ref(on_delete="restrict")
    __indexes__ = [index("title")]


class IndexedBook(Table):
    """The child after an index was added to its class."""

    __table_name__ = "Book"
    id: Key[int] = auto()
    title: Col[str]
    author_id: Ref[Author] = ref(on_delete="restrict")
    __indexes__ = [index("title"), index("-title", name="backward")]


TABLES = [Author, Book]


def opened(environment: SimulatedEnvironment, tables: list[Any]) -> Database:
    """Open the documents on a simulated disk."""
    return open_db(EmbeddedStore(lsm.open(PATH, SMALL, environment=environment)), tables=tables)


def engine_of(documents: Database) -> lsm.Database:
    """Return the engine's handle under a database."""
    store = documents.store
    assert isinstance(store, EmbeddedStore)
    return store.engine


def check_sound(filesystem: SimulatedFileSystem, tables: list[Any]) -> None:
    """Open what a crash has left: rows and entries say the same, references hold, unique values are unique."""
    documents = opened(SimulatedEnvironment(filesystem), tables)
    try:
        _check(documents)
    finally:
        abandon(engine_of(documents))


def _check(documents: Database) -> None:
    report = documents.verify()
    if not report.is_sound:
        raise WrongRecoveryError(str(report))
    names = [author.name for author in documents.query(Author).all()]
    if len(names) != len(set(names)):
        raise WrongRecoveryError(f"unique names are not: {sorted(names)}")


@contextmanager
def small_batches() -> Iterator[None]:
    """Let a build of an index take few rows at a time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index_build, "LARGEST_BATCH", 4)
        yield


def _write(documents: Database) -> None:
    """Insert, change and delete rows in every way."""
    ann, bob = documents.insert_many([Author(name="Ann"), Author(name="Bob")])
    books = documents.insert_many(Book(title=f"book {place}", author_id=ann.id) for place in range(12))
    documents.update(Book, books[0].id, title="renamed", author_id=bob.id)
    engine_of(documents).flush()
    documents.delete(Book, books[1].id)
    with documents.transaction() as transaction:
        cid = transaction.insert(Author(name="Cid"))
        transaction.insert(Book(title="last", author_id=cid.id))
    with suppress(IntegrityError):
        documents.delete(Author, ann.id)
    with suppress(IntegrityError):
        documents.insert(Author(name="Bob"))
    with suppress(IntegrityError):
        documents.insert(Book(title="orphan", author_id=99))


def crashes(share: Share) -> int:
    """A kill, and a power loss that keeps everything, at each call of a program of tables."""
    filesystem = SimulatedFileSystem()
    documents = opened(SimulatedEnvironment(filesystem), TABLES)
    version = -1

    def look(call: Call) -> None:
        nonlocal version
        if filesystem.disk.version != version and share.takes():
            version = filesystem.disk.version
            with share.case(f"crash before call {call.number} ({call.operation} {call.path})"):
                check_sound(filesystem.after_power_loss(EVERYTHING), TABLES)

    filesystem.observe(look)
    _write(documents)
    filesystem.observe(None)
    with share.case("no crash"):
        _check(documents)
    abandon(engine_of(documents))
    return share.cases


def interrupted_builds(share: Share) -> int:
    """An index is built over rows that are there; a crash at each of its calls, and others who write meanwhile."""
    filesystem = SimulatedFileSystem()
    documents = opened(SimulatedEnvironment(filesystem), TABLES)
    _write(documents)
    documents.close()
    engine_of(documents).close()
    version = -1

    def look(call: Call) -> None:
        nonlocal version
        if filesystem.disk.version != version and share.takes():
            version = filesystem.disk.version
            with share.case(f"crash before call {call.number} ({call.operation} {call.path}) of a build"):
                _go_on_with_build(filesystem.after_kill())

    environment = SimulatedEnvironment(filesystem)
    filesystem.observe(look)
    with small_batches():
        built = opened(environment, [Author, IndexedBook])
    filesystem.observe(None)
    abandon(engine_of(built))
    for number in range(1, MOST_PLACES, BUILD_STRIDE):
        if share.takes():
            with share.case(f"{BUILD.what}, at place {number}"):
                if not _met(BUILD, number):
                    break
    return share.cases


def _go_on_with_build(survivor: SimulatedFileSystem) -> None:
    """Write with the old classes, then open with the new ones, which finishes the build."""
    old = opened(SimulatedEnvironment(survivor), TABLES)
    first = old.query(Book).order_by(Book.id).first()
    assert first is not None
    old.update(Book, first.id, title="changed meanwhile")
    old.insert(Book(title="new meanwhile", author_id=first.author_id))
    old.delete(Book, first.id + 3)
    engine_of(old).close()
    check_sound(survivor, [Author, IndexedBook])
    documents = opened(SimulatedEnvironment(survivor), [Author, IndexedBook])
    counted = documents.query(IndexedBook).order_by(-IndexedBook.title).all()
    wanted = documents.query(IndexedBook).all()
    abandon(engine_of(documents))
    if sorted(book.id for book in counted) != sorted(book.id for book in wanted):
        raise WrongRecoveryError("the index does not hold every row")


class Pair(NamedTuple):
    """Two calls of which one at most may succeed."""

    first: Callable[[Database], object]
    second: Callable[[Database], object]
    what: str


PAIRS = [
    Pair(
        lambda documents: documents.insert(Author(name="Eve")),
        lambda documents: documents.insert(Author(name="Eve")),
        "two inserts of one unique value",
    ),
    Pair(
        lambda documents: documents.update(Author, 1, name="Eve"),
        lambda documents: documents.insert(Author(name="Eve")),
        "an update and an insert of one unique value",
    ),
    Pair(
        lambda documents: documents.insert(Book(title="child", author_id=3)),
        lambda documents: documents.delete(Author, 3),
        "a new child and the end of its parent",
    ),
    Pair(
        lambda documents: documents.delete(Author, 3),
        lambda documents: documents.insert(Book(title="child", author_id=3)),
        "the end of a parent and a new child",
    ),
    Pair(
        lambda documents: documents.insert(Book(title="new", author_id=1)),
        lambda documents: open_db(EmbeddedStore(engine_of(documents)), tables=[Author, IndexedBook]),
        "a new row and a new index",
    ),
]


BUILD = Pair(
    lambda documents: open_db(EmbeddedStore(engine_of(documents)), tables=[Author, IndexedBook]),
    lambda documents: documents.update(Book, 1, title="changed"),
    "the build of an index and a changed row",
)
BUILD_STRIDE = 11
"""It has more than a thousand places."""


def meetings(share: Share) -> int:
    """Two calls in two threads, one of them between any two steps of the other: unique stays unique, no orphans."""
    for pair in PAIRS:
        for number in range(1, MOST_PLACES):
            if share.takes():
                with share.case(f"{pair.what}, at place {number}"):
                    if not _met(pair, number):
                        break
    return share.cases


def _met(pair: Pair, number: int) -> bool:
    environment = WatchedEnvironment(SimulatedFileSystem())
    documents = opened(environment, TABLES)
    documents.insert_many([Author(name="Ann"), Author(name="Bob"), Author(name="Cid")])
    documents.insert_many(Book(title=f"book {place}", author_id=1) for place in range(6))

    def second() -> None:
        with suppress(IntegrityError):
            pair.second(documents)

    meeting = Meeting(environment, second, number)
    try:
        try:
            with suppress(IntegrityError), small_batches():
                sys.setprofile(meeting)
                pair.first(documents)
        finally:
            sys.setprofile(None)
        if meeting.count < number:
            return False
        meeting.finish()
        _check(documents)
    finally:
        abandon(engine_of(documents))
    return True
