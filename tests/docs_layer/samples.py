"""Table classes that the tests of `docs_layer` share."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

import msgspec

from docs_layer import Col, Key, Many, One, Ref, Table, auto, col, follow, index, inverse, ref


class Author(Table):
    """A parent, with a unique column."""

    id: Key[int] = auto()
    name: Col[str] = col(unique=True, max_length=40)
    books: Many["Book"] = inverse("author_id")


class Book(Table):
    """A child, with a compound index in two directions."""

    id: Key[int] = auto()
    title: Col[str]
    year: Col[int | None] = col(default=None)
    author_id: Ref[Author] = ref(on_delete="restrict")
    tags: Col[list[str]] = col(default_factory=list)
    author: One[Author] = follow("author_id")
    __indexes__ = [index("author_id", "-year")]


class Country(Table):
    """A key that the program gives; not an int."""

    code: Key[str]
    name: Col[str]


class Visit(Table):
    """A composite key."""

    country: Key[str]
    year: Key[int]
    note: Col[str] = col(default="")
    __indexes__ = [index("-note"), index("year", name="visits_by_year")]


class Address(msgspec.Struct):
    """A nested value."""

    city: str
    zip: int | None = None


class Everything(Table):
    """One column of each kind."""

    id: Key[int] = auto()
    number: Col[int | None] = col(default=None)
    ratio: Col[float | None] = col(default=None)
    text: Col[str | None] = col(default=None)
    raw: Col[bytes | None] = col(default=None)
    flag: Col[bool | None] = col(default=None)
    moment: Col[datetime | None] = col(default=None)
    local: Col[datetime | None] = col(default=None, tz=False)
    day: Col[date | None] = col(default=None)
    clock: Col[time | None] = col(default=None)
    span: Col[timedelta | None] = col(default=None)
    amount: Col[Decimal | None] = col(default=None)
    token: Col[UUID | None] = col(default=None)
    items: Col[list[int] | None] = col(default=None)
    counts: Col[dict[str, int] | None] = col(default=None)
    address: Col[Address | None] = col(default=None)


class Category(Table):
    """A tree: rows refer to rows of the same table."""

    id: Key[int] = auto()
    name: Col[str]
    parent: Ref["Category", int | None] = ref(default=None)
