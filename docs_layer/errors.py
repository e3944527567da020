"""Every error that `docs_layer` raises; owns the tree and nothing else.

    DatabaseError                      catch this to catch them all
    ├─ ClosedError                     use after `close()`
    ├─ CorruptionError                 stored bytes that no version of this library wrote
    ├─ TransactionError                wrong use of transactions
    │  ├─ ConflictError                retryable: a concurrent commit changed what was read
    │  ├─ CommitUnknownError           the commit may or may not have happened
    │  ├─ SnapshotTooOldError          the view outlived what the store keeps
    │  └─ TransactionTooLargeError     split the work
    ├─ SchemaError                     a table class that cannot be used, or does not fit what is stored
    │  ├─ NoSuchTable
    │  ├─ NoSuchField                  names the nearest field (also an AttributeError)
    │  ├─ NoSuchIndex
    │  └─ NotUniqueError               rows that are there keep an index from being unique
    ├─ IntegrityError
    │  ├─ UniqueViolation
    │  └─ ForeignKeyViolation
    ├─ ValidationError                 a value that its column refuses (also a ValueError)
    ├─ NotFoundError                   `one` and `update` of a key that is not there (also a LookupError)
    ├─ MultipleRowsError               `one()` found more than one row
    └─ QueryError                      a query that has no meaning, or needs more than it may use
       ├─ InvalidTokenError            a page token that is none, was changed, or is of another query
       └─ IndexRequiredError           strict mode refuses a full scan

`retryable` tells whether the same call may simply be made again. Errors carry what they speak of as attributes; texts
may change, attributes do not. Errors are values without state of their own and may cross threads.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Final

_SHOWN_LIMIT: Final = 100
_SHOWN_DUPLICATES: Final = 10


class DatabaseError(Exception):
    """Root of everything raised here on purpose."""

    retryable: ClassVar[bool] = False

    def __reduce__(self) -> tuple[Any, ...]:
        """Let errors cross processes with their attributes, whatever their constructors take."""
        return _rebuilt, (type(self), self.args, self.__dict__)


def _rebuilt(kind: type[DatabaseError], arguments: tuple[Any, ...], attributes: dict[str, Any]) -> DatabaseError:
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(attributes)
    return error


class ClosedError(DatabaseError):
    """The database, transaction or snapshot was already closed. Open it again."""


class CorruptionError(DatabaseError):
    """Stored bytes are not what this library writes; restore from a backup and keep the damaged files.

    Attributes:
        place: What holds the bytes: a file, or a table or index of the catalog.
        offset: Position in the file, or None where `place` is not a file.
        key: The stored key, if one is known.
    """

    def __init__(self, place: str, problem: str, *, offset: int | None = None, key: bytes | None = None) -> None:
        where = place if offset is None else f"{place} at offset {offset}"
        super().__init__(f"{where}: {problem}" + ("" if key is None else f" (key {key.hex()})"))
        self.place = place
        self.offset = offset
        self.key = key


class TransactionError(DatabaseError):
    """A transaction was used in a way that cannot be meant, such as a write beside it in the same thread."""


class ConflictError(TransactionError):
    """A concurrent commit changed what this transaction read; nothing was written. Run it again.

    Attributes:
        keys: Stored keys that conflicted, as far as the store knows them.
    """

    retryable: ClassVar[bool] = True

    def __init__(self, keys: Sequence[bytes] = (), message: str = "a concurrent commit changed what was read") -> None:
        super().__init__(message)
        self.keys: tuple[bytes, ...] = tuple(keys)


class CommitUnknownError(TransactionError):
    """The commit may or may not have happened (lost connection, failed sync). Look before you repeat it."""


class SnapshotTooOldError(TransactionError):
    """The view is older than what the store keeps. Take a new one."""


class TransactionTooLargeError(TransactionError):
    """One transaction wrote more than the store takes. Split it."""


class SchemaError(DatabaseError):
    """A table class that cannot be used as written, or that does not fit what is stored.

    Attributes:
        table: Name of the table, if one is known.
        field: Name of the column or index, if one is meant.
    """

    def __init__(self, problem: str, *, table: str | None = None, field: str | None = None) -> None:
        place = ".".join(part for part in (table, field) if part)
        super().__init__(f"{place}: {problem}" if place else problem)
        self.table = table
        self.field = field


class NoSuchTable(SchemaError):
    """No table of that name is known here.

    Attributes:
        nearest: The most similar name that exists, or None.
    """

    def __init__(self, table: str, known: Iterable[str]) -> None:
        self.nearest = nearest_name(table, known)
        hint = f"; did you mean {self.nearest!r}?" if self.nearest else ""
        super().__init__(f"no such table{hint}", table=table)


class NoSuchField(SchemaError, AttributeError):
    """The table has no field of that name.

    Attributes:
        nearest: The most similar name that the table has, or None.
    """

    def __init__(self, table: str, field: str, known: Iterable[str]) -> None:
        self.nearest = nearest_name(field, known)
        hint = f"; did you mean {self.nearest!r}?" if self.nearest else ""
        super().__init__(f"no such field{hint}", table=table, field=field)


class NoSuchIndex(SchemaError):
    """The table has no index of that name.

    Attributes:
        nearest: The most similar name that the table has, or None.
    """

    def __init__(self, table: str, index: str, known: Iterable[str]) -> None:
        self.nearest = nearest_name(index, known)
        hint = f"; did you mean {self.nearest!r}?" if self.nearest else ""
        super().__init__(f"no such index{hint}", table=table, field=index)


class NotUniqueError(SchemaError):
    """A unique index cannot be built, because rows have the same values; the index is gone again.

    Attributes:
        duplicates: Pairs of primary keys of such rows; the first ones that were found, at most 100.
    """

    def __init__(self, table: str, index: str, columns: str, duplicates: Sequence[tuple[object, object]]) -> None:
        self.duplicates = tuple(duplicates)
        rows = ", ".join(f"{one!r} and {other!r}" for one, other in self.duplicates[:_SHOWN_DUPLICATES])
        more = ", ..." if len(self.duplicates) > _SHOWN_DUPLICATES else ""
        super().__init__(
            f"({columns}) cannot be unique: the same values are in the rows {rows}{more}", table=table, field=index
        )


class IntegrityError(DatabaseError):
    """The write would break a promise of the schema; nothing of the call was written."""


class UniqueViolation(IntegrityError):
    """A row with these values is already there.

    Attributes:
        table: Name of the table.
        index: Name of the index, or "primary key".
        key: The values that clash, by column name.
        existing: Primary key of the row that has them (a tuple where the key is composite), or None if unknown. It may
            be another row of the same call, which is not stored then.
    """

    def __init__(self, table: str, index: str, key: dict[str, object], existing: object) -> None:
        values = ", ".join(f"{name}={value!r}" for name, value in key.items())
        super().__init__(f"{table}: {values} is already there in {index} (row {existing!r})")
        self.table = table
        self.index = index
        self.key = key
        self.existing = existing


class ForeignKeyViolation(IntegrityError):
    """A reference would point to nothing.

    Attributes:
        table: The table that holds the reference.
        field: Its referring column.
        target: The table that is referred to.
        value: The key in question.
        referrers: Primary keys of referring rows (at most ten), when a row that is still referred to would be deleted;
            empty when a row refers to a key that is not there.
    """

    def __init__(self, table: str, field: str, target: str, value: object, referrers: Sequence[object] = ()) -> None:
        self.referrers = tuple(referrers)
        if self.referrers:
            keys = ", ".join(repr(key) for key in self.referrers)
            problem = f"{target} {value!r} is still referred to by {table}.{field} of {keys}"
        else:
            problem = f"{table}.{field}={value!r} refers to a row of {target} that is not there"
        super().__init__(problem)
        self.table = table
        self.field = field
        self.target = target
        self.value = value


class ValidationError(DatabaseError, ValueError):
    """A value that its column refuses; nothing of the call was written.

    Attributes:
        table: Name of the table.
        field: Name of the column, or None if the row as a whole is meant.
        value: The value that was given.
    """

    def __init__(self, table: str, field: str | None, value: object, problem: str) -> None:
        super().__init__(f"{table}{'.' + field if field else ''}: {problem} (got {shown_value(value)})")
        self.table = table
        self.field = field
        self.value = value


class NotFoundError(DatabaseError, LookupError):
    """No row has this key, or no row answers the query.

    Attributes:
        table: Name of the table.
        key: The primary key that was asked for, or None for a query.
    """

    def __init__(self, table: str, key: object = None) -> None:
        super().__init__(f"{table}: " + ("no row answers the query" if key is None else f"no row with key {key!r}"))
        self.table = table
        self.key = key


class MultipleRowsError(DatabaseError):
    """Exactly one row was asked for and more than one is there.

    Attributes:
        table: Name of the table.
    """

    def __init__(self, table: str) -> None:
        super().__init__(f"{table}: more than one row answers the query")
        self.table = table


class QueryError(DatabaseError):
    """A query without meaning (wrong type, wrong table), or one that needs more memory than it may use."""


class InvalidTokenError(QueryError):
    """A page token that is none, was changed, or belongs to another query; begin with the first page."""


class IndexRequiredError(QueryError):
    """Strict mode refuses a query that would read the whole table.

    Attributes:
        table: Name of the table.
        suggestion: An index declaration that would serve the query.
    """

    def __init__(self, table: str, suggestion: str) -> None:
        super().__init__(f"{table}: the query would read the whole table; it would be served by {suggestion}")
        self.table = table
        self.suggestion = suggestion


def shown_value(value: object) -> str:
    """Return at most 100 characters of `repr`; Python refuses to write out very long ints, so those are described."""
    try:
        shown = repr(value)
    except ValueError:
        return f"a value of type {type(value).__name__} that is too long to print"
    return shown if len(shown) <= _SHOWN_LIMIT else shown[: _SHOWN_LIMIT - 3] + "..."


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """Return the most similar of the known names, or None if none is similar."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1)), None)
