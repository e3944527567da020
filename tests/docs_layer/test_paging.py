"""Pages: every row once, forward and backward, by every path, while rows come and go; and tokens nobody can misuse."""

import base64
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docs_layer import (
    Database,
    InvalidTokenError,
    MemoryStore,
    Query,
    QueryError,
    open_db,
)
from docs_layer.page_tokens import Place, decode_token, encode_token
from tests.docs_layer.samples import Author, Book
from tests.docs_layer.test_query_properties import (
    BOTH,
    CONDITIONS,
    NUMBERS,
    ORDERS,
    ROWS,
    Condition,
    Indexed,
    _filled,
    _order_key,
    _order_terms,
)

ROOT = Path(__file__).parents[2]


def _pages(query: Query[Any, Any], size: int) -> list[list[Any]]:
    pages = []
    page = query.page(size)
    while page.rows:
        pages.append(page.rows)
        if page.next is None:
            break
        page = query.page(size, after=page.next)
    return pages


@given(ROWS, CONDITIONS, ORDERS, st.integers(1, 7), st.booleans())
def test_pages_hold_every_row_once_in_order(
    rows: list[tuple[Any, ...]], condition: Condition, order: list[tuple[str, bool]], size: int, nulls_last: bool
) -> None:
    """Forward pages together are the ordered result, backward pages are the same ones again."""
    build, holds = condition
    with _filled(rows) as db:
        for table in BOTH:
            wanted = {place for place, row in enumerate(rows, 1) if holds(row)}
            terms: list[Any] = _order_terms(table, order)
            if nulls_last and terms:
                terms[0] = terms[0].nulls_last()
            query = db.query(table).where(build(table)).order_by(*terms)
            pages = _pages(query, size)
            found = [row for page in pages for row in page]
            assert sorted(row.id for row in found) == sorted(wanted)
            assert all(len(page) == size for page in pages[:-1])
            if not nulls_last:
                keys = [_order_key(row, order) for row in found]
                assert keys == sorted(keys)
            if len(pages) > 1:
                last = query.page(size, after=query.page(size).next)
                first = query.page(size, before=last.previous).rows
                assert [row.id for row in first] == [row.id for row in pages[0]]


@given(ROWS, ORDERS, st.integers(1, 4))
def test_pages_go_backward_to_the_beginning(
    rows: list[tuple[Any, ...]], order: list[tuple[str, bool]], size: int
) -> None:
    """From the last page back, every page is met again from its other side."""
    with _filled(rows) as db:
        query = db.query(Indexed).order_by(*_order_terms(Indexed, order))
        found = query.all() if order else [row for page in _pages(query, 100) for row in page]
        page = query.page(size)
        while page.next is not None:
            page = query.page(size, after=page.next)
        met = list(page.rows)
        while page.previous is not None:
            page = query.page(size, before=page.previous)
            met[:0] = page.rows
        assert [row.id for row in met] == [row.id for row in found] if not order else len(met) == len(found)
        assert sorted(row.id for row in met) == [row.id for row in db.query(Indexed)]


@given(st.lists(NUMBERS, min_size=4, max_size=12), st.data())
def test_rows_that_come_and_go_disturb_no_page(numbers: list[int | None], data: st.DataObject) -> None:
    """Rows that stay are met once; rows behind the place come, rows before it do not; the token's own row may go."""
    db = open_db(MemoryStore(), tables=[Indexed])
    db.insert_many([Indexed(a=number) for number in numbers])
    query = db.query(Indexed).order_by(-Indexed.a)
    page = query.page(2)
    gone = data.draw(st.sets(st.sampled_from(range(1, len(numbers) + 1))))
    for key in gone:
        db.delete(Indexed, key)
    expected = {row.id for row in db.query(Indexed)} - {row.id for row in page.rows}
    met: list[int] = []
    while page.next is not None:
        page = query.page(2, after=page.next)
        met += [row.id for row in page.rows]
    assert sorted(met) == sorted(expected)


def test_a_later_page_reads_only_its_own_rows(library: Database) -> None:
    """Where a path gives the order, the ranges begin at the place; a filter or a sort reads no page before it."""
    library.insert_many([Book(title=f"more {place}", year=place, author_id=1) for place in range(1_000)])
    query = library.query(Book).where(Book.author_id == 1)
    page = query.page(10)
    for _ in range(5):
        page = query.page(10, after=page.next)
    years = [book.year or 0 for book in page.rows]
    assert years == sorted(years, reverse=True)
    assert [len(batch) for batch in query.batches(300)] == [300, 300, 300, 103]
    names = query.select(Book.title).page(2)
    assert names.rows == ["book 3", "book 5"]
    assert query.select(Book.title).page(1, after=names.next).rows == ["more 999"]


def test_a_token_works_in_another_process(tmp_path: Path) -> None:
    """Tokens depend on nothing but the query: not on the hash seed, not on the process."""
    program = """
import sys
from docs_layer import open_db
from tests.docs_layer.samples import Author, Book
with open_db(sys.argv[1], tables=[Author, Book], token_key=b"secret") as db:
    if not db.query(Author).exists():
        db.insert(Author(name="Ann"))
        db.insert_many([Book(title=f"{n % 7}", year=n % 3 or None, author_id=1) for n in range(20)])
    query = db.query(Book).where(Book.year.in_([1, 2, None]) & ~Book.title.contains("6"))
    query = query.order_by(-Book.year, Book.title)
    page = query.page(4, after=sys.argv[2] if len(sys.argv) > 2 else None)
    print([row.id for row in page.rows], page.next)
"""
    ids: list[int] = []
    token: list[str] = []
    for seed in range(5):
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / "db"), *token],
            cwd=ROOT,
            env={"PYTHONHASHSEED": str(seed), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=True,
        )
        shown, _, following = done.stdout.strip().rpartition(" ")
        ids += [int(number) for number in shown.strip("[]").split(",")]
        token = [following]
    assert token == ["None"]
    assert len(ids) == len(set(ids)) == 18


SECRET = b"one"


def test_tokens_are_sealed_and_belong_to_one_query(library: Database) -> None:
    """A changed token, one of another key, one of another query and what is no token are refused by name."""
    store = MemoryStore()
    sealed = open_db(store, tables=[Author, Book], token_key=SECRET)
    sealed.insert(Author(name="Ann"))
    sealed.insert_many([Book(title=str(place), author_id=1) for place in range(5)])
    books = sealed.query(Book).order_by(Book.title)
    token = books.page(2).next
    assert token is not None
    assert len(books.page(2, after=token).rows) == 2
    bits = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    for place in range(len(bits)):
        changed = bytes(bits[:place]) + bytes([bits[place] ^ 1]) + bytes(bits[place + 1 :])
        with pytest.raises(InvalidTokenError):
            books.page(2, after=base64.urlsafe_b64encode(changed).decode())
    others: list[Any] = [
        open_db(store, tables=[Author, Book], token_key=b"two").query(Book).order_by(Book.title),
        open_db(store, tables=[Author, Book]).query(Book).order_by(Book.title),
        sealed.query(Book).order_by(-Book.title),
        books.where(Book.id > 0),
        sealed.query(Author),
    ]
    for other in others:
        with pytest.raises(InvalidTokenError):
            other.page(2, after=token)
    unknown: list[Any] = ["", "x", "*", "é", 5, token + "AA", token[:-3], "A" * 100_000]
    for wrong in unknown:
        with pytest.raises(InvalidTokenError):
            books.page(2, after=wrong)


@given(st.binary(max_size=40))
def test_any_bytes_are_a_token_or_refused(noise: bytes) -> None:
    """Without a seal, whatever is sent gives a place or `InvalidTokenError`, and a place reads no foreign rows."""
    token = base64.urlsafe_b64encode(b"\x01" + noise).decode()
    try:
        decode_token(token, None)
    except InvalidTokenError:
        return
    assert noise


def test_a_forged_place_stays_in_the_query(library: Database) -> None:
    """A place that nobody gave out may miss rows, but shows none that the query does not have."""
    query = library.query(Book).where(Book.author_id == 1)
    token = query.page(1).next
    assert token is not None
    real = decode_token(token, None)
    for parts in ([b"", b""], [b"\xff" * 30, b"\xff"], [b"\x00", b"\x00"], [b"\x10", b""]):
        forged = encode_token(real._replace(parts=tuple(parts)), None)
        for page in (query.page(10, after=forged), query.page(10, before=forged)):
            assert {book.author_id for book in page.rows} <= {1}
    for terms in ((), ("id", "id"), ("nothing", "id"), ("year",)):
        with pytest.raises(InvalidTokenError):
            query.page(1, after=encode_token(Place(real.fingerprint, terms, real.parts), None))


def test_the_bytes_of_a_token_are_pinned() -> None:
    """The form may not change silently: programs keep tokens."""
    place = Place(b"12345678", ("-year", "name>", "id"), (b"\xdf", b"\xf0", b"\x20"))
    assert encode_token(place, None) == "AZPECDEyMzQ1Njc4k6UteWVhcqVuYW1lPqJpZJPEAd_EAfDEASA"
    assert encode_token(place, SECRET) == "AZPECDEyMzQ1Njc4k6UteWVhcqVuYW1lPqJpZJPEAd_EAfDEASBVr9g9ScOgPQGmrBiEB5Ux"
    assert decode_token(encode_token(place, SECRET), SECRET) == place


def test_wrong_uses_of_pages_are_refused(library: Database) -> None:
    """A page has a size, one token, and no limit of its own."""
    books = library.query(Book)
    anything: Any = "2"
    for use in (
        lambda: books.page(0),
        lambda: books.page(anything),
        lambda: books.limit(3).page(2),
        lambda: books.offset(3).page(2),
        lambda: books.page(2, after="a", before="b"),
        lambda: books.select(Book.title).distinct().page(2),
    ):
        with pytest.raises(QueryError):
            use()
    empty = books.where(Book.id < 0).page(3)
    assert (empty.rows, empty.next, empty.previous) == ([], None, None)
