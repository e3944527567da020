"""`Collection`: documents without a schema, with the verbs and queries of tables.

    people = db.collection("people")
    ann = people.insert({"name": "Ann", "user": {"age": 30}})
    people.query().where(f.user.age > 20).order_by(f.name).all()

Owns the verbs as they are for documents; each is that of a table, on the source the collection was asked of: a
database (then it is a transaction of its own), a transaction, or a snapshot (then writing is refused). Thread safety is
that of the source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, Protocol

from typing_extensions import TypeVar

from docs_layer.bound_tables import BoundTable
from docs_layer.expressions import Assignment
from docs_layer.query import Query, Source
from docs_layer.tables import Table
from docs_layer.transaction import Transaction

Document = TypeVar("Document")
Result = TypeVar("Result")


class Owner(Source, Protocol):
    """What a collection reads from and writes to."""

    def get(self, table: type[Any], key: Any) -> Any:
        """Return a row, or None."""
        ...

    def one(self, table: type[Any], key: Any) -> Any:
        """Return a row, or raise."""
        ...

    def write(self, function: Callable[[Transaction], Result]) -> Result:
        """Run a function in a transaction."""
        ...

    def table(self, table: type[Table]) -> BoundTable:
        """Return the table as it is now."""
        ...


class Collection(Generic[Document]):
    """Documents of one name; made by `db.collection(name)`, and brought into transactions and snapshots by `on`.

    A document is a dict, or an instance of the model; the primary key lies in it under the collection's key. Names may
    be any text, values of any type that `document_codec` keeps. What a program gives is never changed, what it gets
    shares nothing with it.
    """

    __slots__ = ("_owner", "_table")

    def __init__(self, owner: Owner, table: type[Any]) -> None:
        self._owner = owner
        self._table = table

    @property
    def name(self) -> str:
        """Its name."""
        return self._owner.table(self._table).name

    @property
    def row_type(self) -> type[Any]:
        """The class of its rows as they are stored: a key and a document."""
        return self._table

    def get(self, key: Any) -> Document | None:
        """Return the document with this primary key, or None."""
        found: Document | None = self._owner.get(self._table, key)
        return found

    def one(self, key: Any) -> Document:
        """Return the document with this primary key.

        Raises:
            NotFoundError: It is not there.
        """
        found: Document = self._owner.one(self._table, key)
        return found

    def query(self) -> Query[Any, Document]:
        """Begin a query; conditions are over paths of `f`, such as `f.user.age > 20` or `f["odd key"] == 1`."""
        return Query(self._owner, self._table)

    def count(self) -> int:
        """Return the number of documents."""
        return self.query().count()

    def insert(self, document: Document) -> Document:
        """Insert a document and return it as it will be read, with its key; the argument stays as it is.

        Raises:
            ValidationError: Something that cannot be stored, or does not fit the model.
            UniqueViolation: Its key or a unique value is already there.
        """
        return self.insert_many((document,))[0]

    def insert_many(self, documents: Iterable[Document]) -> list[Document]:
        """Insert documents, all or none. Returns and raises as `insert`."""
        kept = documents if isinstance(documents, (list, tuple)) else list(documents)
        return self._owner.write(lambda transaction: transaction.insert_into(self._table, kept))

    def update(self, key: Any, /, *assignments: Assignment[Any]) -> Document:
        """Change values of one document, as `increment(f.user.age)` or `set_(f["odd key"], 1)`, and return it.

        Raises:
            NotFoundError: It is not there.
            QueryError: Two assignments of one value.
            ValidationError, UniqueViolation: As for `insert`.
        """
        found: Document = self._owner.write(lambda transaction: transaction.update(self._table, key, *assignments))
        return found

    def replace(self, document: Document) -> Document:
        """Put a document in the place of the one that has its key. Raises `NotFoundError` and as `insert`."""
        found: Document = self._owner.write(lambda transaction: transaction.replace_in(self._table, document))
        return found

    def upsert(self, document: Document) -> Document:
        """Insert a document, or put it in the place of the one that has its key. Raises as `insert`."""
        found: Document = self._owner.write(lambda transaction: transaction.upsert_in(self._table, document))
        return found

    def delete(self, key: Any) -> bool:
        """Delete one document; return whether it was there."""
        return self._owner.write(lambda transaction: transaction.delete(self._table, key))

    def truncate(self) -> None:
        """Delete all documents at once."""
        self._owner.write(lambda transaction: transaction.truncate(self._table))

    def __repr__(self) -> str:
        return f"<collection {self.name}>"

    def on(self, owner: Owner) -> Collection[Document]:
        """Return the same collection in a transaction or a snapshot: `people.on(transaction).insert(...)`."""
        return Collection(owner, self._table)


def row_type_of(table: type[Table] | Collection[Any]) -> type[Any]:
    """Return the class of a table's or a collection's rows."""
    return table.row_type if isinstance(table, Collection) else table
