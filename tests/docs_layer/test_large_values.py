"""Values out of line: bytes, what is read and written of them, and damage."""

from collections.abc import Iterator
from typing import Any, Self

import msgspec
import pytest

from docs_layer import (
    Col,
    CorruptionError,
    Database,
    Key,
    MemoryStore,
    Table,
    auto,
    col,
    f,
    index,
    length,
    open_db,
    push,
    table_from_catalog,
)
from docs_layer.keyspace import large_values_range, row_range
from docs_layer.large_values import CHUNK_BYTES, INLINE_LIMIT_BYTES
from docs_layer.store import Store


class Page(Table):
    """Columns that may grow, and some that stay small."""

    id: Key[int] = auto()
    title: Col[str]
    body: Col[str] = col(default="")
    raw: Col[bytes | None] = col(default=None)
    lines: Col[list[str]] = col(default_factory=list)
    data: Col[dict[str, Any] | None] = col(default=None)
    size: Col[int] = col(default=0)
    __indexes__ = [index("title"), index("length(body)"), index("lines[]")]


BIG = "ä" * 100_000
RAW = bytes(range(256)) * 1000


@pytest.fixture
def db(store: Store) -> Iterator[Database]:
    """Give an empty table; whatever a test did, it must be sound in the end."""
    with open_db(store, tables=[Page]) as opened:
        yield opened
        assert str(opened.verify()).endswith("sound")


def _chunks(db: Database) -> dict[bytes, bytes]:
    with db.store.snapshot() as snapshot:
        return {
            key: value
            for chunk in snapshot.scan(*large_values_range(1))
            for key, value in zip(chunk.keys, chunk.values, strict=True)
        }


def test_golden_bytes() -> None:
    """A row with a large value, and the keys of its chunks, are exactly these, today and in every later version."""
    store = MemoryStore()
    db = open_db(store, tables=[Page])
    db.insert(Page(title="t", raw=b"x" * 70_000, size=5))
    with store.snapshot() as snapshot:
        ((key, value),) = [(c.keys[0], c.values[0]) for c in snapshot.scan(*row_range(1))]
    assert key.hex() == "0100" + "208000000000000001"
    assert value.hex() == "00" + "01" + "00000009" + "9701a174a0c090c005" + "91" + "9204ce00011175"
    chunks = _chunks(db)
    begin = "0101" + "208000000000000001" + "208000000000000004"
    assert [one.hex() for one in chunks] == [begin + "208000000000000000", begin + "208000000000000001"]
    assert [len(one) for one in chunks.values()] == [CHUNK_BYTES, 70_005 - CHUNK_BYTES]
    assert msgspec.msgpack.decode(b"".join(chunks.values())) == b"x" * 70_000


@pytest.mark.parametrize("size", [INLINE_LIMIT_BYTES - 3, INLINE_LIMIT_BYTES - 2, 65_531, 65_532, 300_000])
def test_values_of_every_size_come_back(db: Database, size: int) -> None:
    """On both sides of each limit."""
    page = db.insert(Page(title="t", body="x" * size))
    assert db.one(Page, page.id) == page
    assert bool(_chunks(db)) == (size > INLINE_LIMIT_BYTES - 3)
    assert db.query(Page).one() == page


def test_all_kinds_that_grow(db: Database) -> None:
    """Text, bytes, lists and dicts, several in a row, through every way of reading."""
    page = db.insert(
        Page(title="t", body=BIG, raw=RAW, lines=[f"line {n}" for n in range(3000)], data={"x": [BIG, None]}, size=3)
    )
    assert (page.body, page.raw, len(page.lines), page.data) == (BIG, RAW, 3000, {"x": [BIG, None]})
    assert db.one(Page, page.id) == page
    assert db.query(Page).all() == [page]
    assert db.query(Page).where(Page.title == "t").one() == page
    assert db.query(Page).where(Page.body.contains("ää"), Page.size == 3).one() == page
    assert db.query(Page).where(length(Page.body) == 100_000).one() == page
    assert db.query(Page).where(length(Page.data["x"]) == 2).one() == page
    assert db.query(Page).order_by(-Page.size, Page.body).all() == [page]
    with db.snapshot() as snapshot, db.transaction() as transaction:
        assert snapshot.one(Page, page.id) == transaction.one(Page, page.id) == page
        assert transaction.query(Page).where(Page.title == "t").one() == page


def test_changes_write_only_what_changed(db: Database) -> None:
    """Growing, shrinking, staying; chunks of values that stay are not touched."""
    page = db.insert(Page(title="t", body=BIG, raw=RAW))
    before = _chunks(db)
    assert db.update(Page, page.id, size=9).body == BIG
    assert _chunks(db) == before
    assert db.update(Page, page.id, body="short").raw == RAW
    kept = _chunks(db)
    assert len(kept) == 4
    assert kept.items() <= before.items()
    db.update(Page, page.id, raw=RAW[:5000])
    assert len(_chunks(db)) == 1
    db.update(Page, page.id, push(Page.lines, *[str(n) for n in range(2000)]))
    db.update(Page, page.id, push(Page.lines, "last"))
    assert db.one(Page, page.id).lines[-1] == "last"
    db.upsert(Page(id=page.id, title="new"))
    assert _chunks(db) == {}
    assert db.one(Page, page.id) == Page(id=page.id, title="new")


def test_deleting_takes_chunks_along(db: Database) -> None:
    """By key, by query, by truncating, and when a transaction is taken back."""
    ids = [db.insert(Page(title=str(n), body=BIG)).id for n in range(3)]
    with pytest.raises(KeyError), db.transaction() as transaction:
        transaction.insert(Page(title="x", body=BIG))
        transaction.delete(Page, ids[0])
        raise KeyError
    count = len(_chunks(db))
    db.delete(Page, ids[0])
    assert len(_chunks(db)) == count // 3 * 2
    db.query(Page).where(Page.id == ids[1]).delete()
    assert len(_chunks(db)) == count // 3
    db.truncate(Page)
    assert _chunks(db) == {}


class _Reads:
    """A snapshot that remembers the ranges that are scanned."""

    def __init__(self, snapshot: Any, reads: list[bytes]) -> None:
        self._snapshot = snapshot
        self._reads = reads

    def __getattr__(self, name: str) -> Any:
        return getattr(self._snapshot, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._snapshot.close()

    def scan(self, start: bytes, stop: bytes, **options: Any) -> Any:
        """Remember and scan."""
        self._reads.append(start[:2])
        return self._snapshot.scan(start, stop, **options)


class _ReadingStore(MemoryStore):
    """A store whose snapshots tell what is scanned."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[bytes] = []

    def snapshot(self) -> Any:
        """See `docs_layer.store.Store.snapshot`."""
        return _Reads(super().snapshot(), self.reads)


def test_large_values_that_nobody_asks_for_are_not_read() -> None:
    """Neither by a filter on other columns, nor by counting, nor by an index that is built over others."""
    store = _ReadingStore()
    db = open_db(store, tables=[Page])
    db.insert_many([Page(title=f"t{n}", body=BIG, size=n) for n in range(10)])
    store.reads.clear()
    assert db.query(Page).where(Page.size > 100).all() == []
    assert db.query(Page).where(Page.size >= 5).count() == 5
    assert not any(start == b"\1\1" for start in store.reads)
    assert len(db.query(Page).where(Page.size >= 7).all()) == 3
    assert sum(start == b"\1\1" for start in store.reads) == 3
    assert db.query(Page).where(Page.body.starts_with("b")).all() == []
    assert sum(start == b"\1\1" for start in store.reads) == 13


def test_a_program_without_the_class_keeps_large_values(db: Database) -> None:
    """Columns that a class lacks survive its updates, out of line as in line."""

    class Narrow(Table):
        __table_name__ = "Page"
        id: Key[int] = auto()
        title: Col[str]

    page = db.insert(Page(title="t", body=BIG, data={"x": BIG}))
    other = open_db(db.store, tables=[Narrow])
    assert other.update(Narrow, page.id, title="new").title == "new"
    assert other.query(Narrow).where(Narrow.title == "new").one().id == page.id
    assert db.one(Page, page.id).data == {"x": BIG}
    foreign = table_from_catalog(open_db(db.store), "Page")
    assert asdict_of(open_db(db.store), foreign, page.id)["body"] == BIG


def asdict_of(db: Database, table: Any, key: int) -> dict[str, Any]:
    """Read a row of a class that is made from the catalog."""
    from docs_layer import asdict  # noqa: PLC0415 - one user

    db.table_class("Page")
    return asdict(db.one(db.table_class("Page"), key))


def test_old_layouts_with_large_values_are_read(db: Database) -> None:
    """A column that was added later has its default in rows that are partly out of line."""
    page = db.insert(Page(title="t", body=BIG))

    class Wider(Table):
        __table_name__ = "Page"
        extra: Col[str] = col(default="new")
        id: Key[int] = auto()
        title: Col[str]
        body: Col[str] = col(default="")

    wide = open_db(db.store, tables=[Wider])
    assert wide.one(Wider, page.id) == Wider(id=page.id, title="t", body=BIG)
    assert wide.query(Wider).where(Wider.extra == "new").one().body == BIG
    wide.update(Wider, page.id, extra=BIG)
    assert db.one(Page, page.id).body == BIG


def test_damage_is_named() -> None:
    """A chunk that is gone, cut, or without a row; a row whose directory is nonsense."""
    store = MemoryStore()
    db = open_db(store, tables=[Page])
    page = db.insert(Page(title="t", body=BIG))
    keys = list(_chunks(db))

    def put(key: bytes, value: bytes | None) -> None:
        transaction = store.transaction()
        if value is None:
            transaction.delete(key)
        else:
            transaction.put(key, value)
        transaction.commit()

    whole = _chunks(db)[keys[1]]
    for damage in (None, whole[:-1], whole + b"x"):
        put(keys[1], damage)
        with pytest.raises(CorruptionError, match="not whole"):
            db.get(Page, page.id)
        assert "not whole" in str(db.verify())
    put(keys[1], whole)
    assert db.verify().is_sound
    put(keys[1][:10] + b"\x99" + keys[1][11:], b"x")
    assert "has no row" in str(db.verify())
    put(keys[1][:10] + b"\x99" + keys[1][11:], None)
    with store.snapshot() as snapshot:
        ((key, value),) = [(c.keys[0], c.values[0]) for c in snapshot.scan(*row_range(1))]
    for wrong in (
        b"\0",
        value[:4],
        value[:-1],
        value + b"x",
        b"\0\x09" + value[2:],
        value[:2] + b"\xff" * 4 + value[6:],
    ):
        put(key, wrong)
        with pytest.raises(CorruptionError, match="table Page"):
            db.get(Page, page.id)
        with pytest.raises(CorruptionError, match="table Page"):
            db.query(Page).all()
        assert not db.verify().is_sound


def test_documents_of_megabytes(db: Database) -> None:
    """Many megabytes in one column, written and read back whole."""
    big = bytes(8 << 20)
    page = db.insert(Page(title="t", raw=big))
    assert db.one(Page, page.id).raw == big
    assert f is not None
