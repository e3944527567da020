"""`Transaction` and `Snapshot`: the verbs on one view of the database.

Owns the life of a view: a transaction begins when its `with` block is entered, commits when it is left, and rolls
back if it is left by an exception; a snapshot reads one moment until it is closed. Each call of a transaction does
all of its writes or none and raises; after an error of a call the block may go on.

A transaction belongs to one thread or task, a snapshot may be used by any number of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import groupby
from types import TracebackType
from typing import Any, NamedTuple, NoReturn, Protocol, Self

from typing_extensions import TypeVar

from docs_layer.bound_tables import BoundTable
from docs_layer.errors import NotFoundError, TransactionError
from docs_layer.expressions import Assignment
from docs_layer.foreign_keys import Parents, require_parents
from docs_layer.query import Query
from docs_layer.row_changes import compile_changes
from docs_layer.rows_delete import delete_row, delete_rows, truncate_table
from docs_layer.rows_update import StoredRow, change_rows, read_stored, replace_row, update_row, upsert_row
from docs_layer.rows_write import UndoneOnError, insert_rows
from docs_layer.scanning import View
from docs_layer.schema_views import SchemaView
from docs_layer.sequences import Sequences
from docs_layer.sources import ReadSettings
from docs_layer.store import Reader
from docs_layer.store import Snapshot as StoreSnapshot
from docs_layer.store import Transaction as StoreTransaction
from docs_layer.tables import Table

Row = TypeVar("Row", bound=Table)
Result = TypeVar("Result")

INSERT_BATCH = 1000
"""Rows that one store insert takes."""


class Home(Protocol):
    """What views need of the database they belong to."""

    @property
    def settings(self) -> ReadSettings:
        """How it is read."""
        ...

    @property
    def sequences(self) -> Sequences:
        """Automatic ids."""
        ...


def read_row(reader: Reader, table: BoundTable, key: Any) -> Any:
    """Return the row with a primary key, or None."""
    primary = table.encode_key(key)
    stored = reader.get(table.row_prefix + primary)
    return None if stored is None else table.show(table.row_of(reader, primary, stored))


class Snapshot:
    """One moment of the database; what is written later is not seen. A context manager that closes itself."""

    takes_views = False

    def __init__(self, home: Home, snapshot: StoreSnapshot, schema: SchemaView) -> None:
        self._home = home
        self._snapshot = snapshot
        self._schema = schema
        self.settings = home.settings

    def get(self, table: type[Row], key: Any) -> Row | None:
        """Return the row with this primary key (a tuple where it is composite), or None."""
        row: Row | None = read_row(self._snapshot, self._schema.table(table), key)
        return row

    def one(self, table: type[Row], key: Any) -> Row:
        """Return the row with this primary key.

        Raises:
            NotFoundError: It is not there.
        """
        row: Row | None = read_row(self._snapshot, self._schema.table(table), key)
        if row is None:
            raise NotFoundError(self._schema.table(table).name, key)
        return row

    def query(self, table: type[Row]) -> Query[Row, Row]:
        """Begin a query that reads this moment."""
        return Query(self, table)

    def table(self, table: type[Table]) -> BoundTable:
        """Return the table as of this moment, for queries."""
        return self._schema.table(table)

    @contextmanager
    def view(self, table: type[Table]) -> Iterator[View]:
        """Open what one run of a query reads."""
        yield View(self._snapshot, self._schema.table(table), self._schema.table, is_live=False)

    def update_matching(
        self, query: Query[Row, Any], assignments: Iterable[Assignment[Row]], values: Mapping[str, Any]
    ) -> NoReturn:
        """Refuse to change what does not change."""
        raise TransactionError("a snapshot is read only; query the database or a transaction to write")

    def delete_matching(self, query: Query[Row, Any]) -> NoReturn:
        """Refuse to change what does not change."""
        raise TransactionError("a snapshot is read only; query the database or a transaction to write")

    def write(self, function: Callable[[Transaction], Any]) -> NoReturn:
        """Refuse to change what does not change."""
        raise TransactionError("a snapshot is read only; write with the database or a transaction")

    def close(self) -> None:
        """Release the moment; a second call does nothing."""
        self._snapshot.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Transaction:
    """Reads and writes that happen together or not at all; serializable."""

    takes_views = False

    def __init__(self, home: Home, transaction: StoreTransaction, schema: SchemaView) -> None:
        self._home = home
        self._transaction = transaction
        self._schema = schema
        self.settings = home.settings

    def get(self, table: type[Row], key: Any) -> Row | None:
        """Return the row with this primary key (a tuple where it is composite), or None; sees own writes."""
        row: Row | None = read_row(self._transaction, self._schema.table(table), key)
        return row

    def one(self, table: type[Row], key: Any) -> Row:
        """Return the row with this primary key.

        Raises:
            NotFoundError: It is not there.
        """
        row = self.get(table, key)
        if row is None:
            raise NotFoundError(self._schema.table(table).name, key)
        return row

    def query(self, table: type[Row]) -> Query[Row, Row]:
        """Begin a query that reads this transaction's view, own writes included."""
        return Query(self, table)

    def insert(self, row: Row) -> Row:
        """Insert a row and return it as it will be read, with its automatic key; the argument stays as it is.

        Raises:
            ValidationError: A value that its column refuses.
            UniqueViolation: Its key or a unique value is already there.
            ForeignKeyViolation: It refers to a row that is not there.
        """
        inserted: Row = self._insert(((type(row), (row,)),))[0]
        return inserted

    def insert_many(self, rows: Iterable[Row]) -> list[Row]:
        """Insert rows, all or none; read as far as they come, written in batches of 1,000.

        Returns and raises as `insert`. References are checked at the end, so a row may refer to a later one. More
        than a transaction of the store may hold (`lsm.Options.transaction_bytes`, about 100,000 small rows on the
        embedded one) raises `TransactionTooLargeError`: insert such loads in several calls.
        """
        return self._insert(groupby(rows, type))

    def insert_into(self, table: type[Any], rows: Iterable[Any]) -> list[Any]:
        """Insert rows, or documents, of one table; see `insert_many`."""
        return self._insert(((table, rows),))

    def update(self, table: type[Row], key: Any, /, *assignments: Assignment[Row], **values: Any) -> Row:
        """Change columns of one row, as `increment(Book.year)` or `year=2024`, and return it as it will be read.

        Raises:
            NotFoundError: It is not there.
            NoSuchField: No column has this name; names the nearest one.
            QueryError: Two assignments of one value.
            ValidationError, UniqueViolation, ForeignKeyViolation: As for `insert`.
        """
        bound = self._schema.table(table)
        change = compile_changes(bound.scope, assignments, values, bound.document)
        updated: Row = update_row(self._transaction, bound, key, change)
        return updated

    def upsert(self, row: Row) -> Row:
        """Insert a row, or replace the one that has its primary key. Returns and raises as `insert`."""
        written: Row = self.upsert_in(type(row), row)
        return written

    def upsert_in(self, table: type[Any], row: Any) -> Any:
        """Insert or replace a row, or document, of one table; see `upsert`."""
        return upsert_row(self._transaction, self._schema.table(table), row, self._home.sequences)

    def replace(self, row: Row) -> Row:
        """Set all columns of the row that has this primary key, and return it as it will be read.

        Raises:
            NotFoundError: It is not there.
            ValidationError, UniqueViolation, ForeignKeyViolation: As for `insert`.
        """
        replaced: Row = self.replace_in(type(row), row)
        return replaced

    def replace_in(self, table: type[Any], row: Any) -> Any:
        """Replace a row, or document, of one table; see `replace`."""
        return replace_row(self._transaction, self._schema.table(table), row)

    def delete(self, table: type[Row], key: Any) -> bool:
        """Delete one row; return whether it was there.

        Rows that refer to it by `on_delete="cascade"` go as well, references by "set_null" become null.

        Raises:
            ForeignKeyViolation: Another row still refers to it by "restrict"; names the referrers.
        """
        return delete_row(self._transaction, self._schema, self._schema.table(table), key)

    def truncate(self, table: type[Row], *, cascade: bool = False) -> None:
        """Delete all rows of a table at once, whatever their number; automatic ids go on where they are.

        Args:
            table: The table.
            cascade: Whether tables with rows that refer to it, directly or through others, are emptied as well.

        Raises:
            ForeignKeyViolation: A row of another table refers to one of this table; names it.
        """
        truncate_table(self._transaction, self._schema, self._schema.table(table), cascade=cascade)

    @contextmanager
    def savepoint(self) -> Iterator[Self]:
        """Give a context whose writes are taken back if it raises; the transaction itself goes on.

        `with db.transaction()` inside of a transaction of the same thread or task is the same.
        """
        with UndoneOnError(self._transaction):
            yield self

    def update_matching(
        self, query: Query[Row, Any], assignments: Iterable[Assignment[Row]], values: Mapping[str, Any]
    ) -> int:
        """Change the rows that a query finds, as of this call; see `Query.update`."""
        query = query.on(self)
        bound = self._schema.table(query.table)
        change = compile_changes(bound.scope, assignments, values, bound.document)
        with UndoneOnError(self._transaction):
            found = self._matching(query, bound)
            return len(change_rows(self._transaction, bound, [(one, change(one.row)) for one in found]))

    def delete_matching(self, query: Query[Row, Any]) -> int:
        """Delete the rows that a query finds, as of this call; see `Query.delete`."""
        query = query.on(self)
        bound = self._schema.table(query.table)
        return delete_rows(self._transaction, self._schema, bound, self._matching(query, bound))

    def _matching(self, query: Query[Row, Any], table: BoundTable) -> list[StoredRow]:
        """Read the rows that a query finds; all of them, before the first is changed."""
        primaries = query.primary_keys()
        return [row for one in primaries if (row := read_stored(self._transaction, table, one)) is not None]

    def write(self, function: Callable[[Transaction], Result]) -> Result:
        """Run a function that writes; part of this transaction."""
        return function(self)

    def _insert(self, groups: Iterable[tuple[type[Any], Iterable[Any]]]) -> list[Any]:
        inserted: list[Any] = []
        parents: Parents = {}
        with UndoneOnError(self._transaction):
            for kind, group in groups:
                table = self._schema.table(kind)
                for batch in _batches(group):
                    inserted += insert_rows(self._transaction, table, batch, self._home.sequences, parents)
            require_parents(self._transaction, parents)
        return inserted

    def nested(self, owner: object) -> Begun:
        """Begin a block inside of this transaction."""
        return Begun(self, self._transaction, owner, UndoneOnError(self._transaction))

    def table(self, table: type[Table]) -> BoundTable:
        """Return the table as of this transaction, for queries."""
        return self._schema.table(table)

    @contextmanager
    def view(self, table: type[Table]) -> Iterator[View]:
        """Open what one run of a query reads."""
        yield View(self._transaction, self._schema.table(table), self._schema.table, is_live=True)


class Begun(NamedTuple):
    """A transaction that was begun, with the store's own and the task or thread it belongs to.

    Attributes:
        undo: What takes back the writes of a nested block that raises; None for an outermost one.
    """

    transaction: Transaction
    store_transaction: StoreTransaction
    owner: object
    undo: UndoneOnError | None = None


class TransactionBlock:
    """What `db.transaction()` gives: begins when entered, commits or rolls back when left.

    Inside of another one of the same thread or task it is a savepoint: left by an exception it takes back its own
    writes only, and what it wrote is committed with the outermost one.
    """

    def __init__(self, begin: Callable[[], Begun], end: Callable[[object], None], sync: bool | None) -> None:
        self._begin = begin
        self._end = end
        self._sync = sync
        self._begun: Begun | None = None

    def __enter__(self) -> Transaction:
        if self._begun is not None:
            raise TransactionError("a transaction can be entered once; call transaction() again")
        begun = self._begin()
        if begun.undo is not None and self._sync is not None:
            raise TransactionError("sync is for the outermost transaction: that is what commits")
        self._begun = begun
        return begun.transaction

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Commit, or roll back if the block raised.

        Raises:
            ConflictError: A concurrent commit changed what was read; run the whole block again.
        """
        if self._begun is None:
            raise TransactionError("the transaction was never entered")
        if self._begun.undo is not None:
            self._begun.undo.__exit__(kind, error, trace)
            return
        self._end(self._begun.owner)
        if kind is None:
            self._begun.store_transaction.commit(sync=self._sync)
        else:
            self._begun.store_transaction.rollback()


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) == INSERT_BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
