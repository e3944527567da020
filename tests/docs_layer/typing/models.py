"""Table classes for the files that are only read by type checkers."""

import msgspec

from docs_layer import Col, Key, Many, One, Ref, Table, auto, col, follow, index, inverse, ref


class Author(Table):
    """Automatic key, unique column, inverse relation."""

    id: Key[int] = auto()
    name: Col[str] = col(unique=True)
    books: Many["Book"] = inverse("author_id")


class Country(Table):
    """A key the program gives."""

    code: Key[str]
    name: Col[str]


class Book(Table):
    """References, defaults, indexes."""

    id: Key[int] = auto()
    title: Col[str]
    year: Col[int | None] = col(default=None)
    author_id: Ref[Author] = ref(on_delete="restrict")
    country: Ref[Country, str | None] = ref(default=None)
    tags: Col[list[str]] = col(default_factory=list)
    author: One[Author] = follow("author_id")
    __indexes__ = [index("author_id", "-year")]

    @property
    def shout(self) -> str:
        """A property is no column."""
        return self.title.upper()


class Novel(Book):
    """Columns of its base and one of its own."""

    pages: Col[int]


class Category(Table):
    """A reference to itself."""

    id: Key[int] = auto()
    parent: Ref["Category", int | None] = ref(default=None)


class Visit(Table):
    """A composite key."""

    country: Key[str]
    year: Key[int]
    note: Col[str] = col(default="", max_length=10)


class Address(msgspec.Struct):
    """A nested value."""

    city: str


class Place(Table):
    """A column that holds a struct."""

    id: Key[int] = auto()
    address: Col[Address]
