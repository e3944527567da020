"""What stands right of the `=` in a table class: column options, references, relations and indexes as written.

Owns the specifiers only; what they mean together with the annotation is found in `definitions`. Each is a frozen value,
so classes may share them and any number of threads may read them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args, overload

from typing_extensions import TypeVar

if TYPE_CHECKING:
    from docs_layer.columns import Col, Ref

Kind = TypeVar("Kind")
OnDelete = Literal["restrict", "cascade", "set_null"]
"""What happens to rows that refer to a row that is deleted."""
MISSING: Final = object()
"""Stands for "no default", since None is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldOptions:
    """Options of one column, as given to `col`, `ref` or `auto`."""

    automatic: bool = False
    default: Any = MISSING
    default_factory: Callable[[], Any] | None = None
    unique: bool = False
    max_length: int | None = None
    check: Callable[[Any], bool] | None = None
    time_zone: bool = True
    is_reference: bool = False
    on_delete: OnDelete = "restrict"


@dataclass(frozen=True, slots=True)
class RelationOptions:
    """Options of one relation, as given to `inverse` or `follow`."""

    column: str
    many: bool


@dataclass(frozen=True, slots=True)
class Index:
    """An index as declared; `index_definitions` reads it."""

    terms: tuple[Any, ...]
    unique: bool = False
    name: str | None = None
    where: Any = None
    include: tuple[str, ...] = ()


@overload
def col(
    *,
    default: Kind,
    unique: bool = ...,
    max_length: int | None = ...,
    check: Callable[[Any], bool] | None = ...,
    tz: bool = ...,
) -> Col[Kind]: ...
@overload
def col(
    *,
    default_factory: Callable[[], Kind],
    unique: bool = ...,
    max_length: int | None = ...,
    check: Callable[[Any], bool] | None = ...,
) -> Col[Kind]: ...
@overload
def col(
    *, unique: bool = ..., max_length: int | None = ..., check: Callable[[Any], bool] | None = ..., tz: bool = ...
) -> Any: ...
def col(
    *,
    default: Any = MISSING,
    default_factory: Callable[[], Any] | None = None,
    unique: bool = False,
    max_length: int | None = None,
    check: Callable[[Any], bool] | None = None,
    tz: bool = True,
) -> Any:
    """Give a column options.

    Args:
        default: Value of new rows that do not name one, and of rows stored before the column was added.
        default_factory: Makes that value; called once for each new row, and once in all for the rows stored before.
        unique: Refuse a second row with the same value; any number of rows may hold null.
        max_length: Most code points of a str, bytes of a bytes value, items of a list or dict.
        check: Called with each non-null value that is written; False refuses it. Not stored.
        tz: False for datetimes without a time zone; aware ones are kept as instants in UTC.
    """
    return FieldOptions(
        default=default,
        default_factory=default_factory,
        unique=unique,
        max_length=max_length,
        check=check,
        time_zone=tz,
    )


def auto() -> Any:
    """Let the database give integer primary keys: unique, increasing within a process, with gaps.

    The column of a row that was not inserted yet is `msgspec.UNSET`; `insert` returns the row with its key.
    """
    return FieldOptions(automatic=True)


@overload
def ref(*, default: Kind, unique: bool = ..., on_delete: OnDelete = ...) -> Ref[Any, Kind]: ...
@overload
def ref(*, unique: bool = ..., on_delete: OnDelete = ...) -> Any: ...
def ref(*, default: Any = MISSING, unique: bool = False, on_delete: OnDelete = "restrict") -> Any:
    """Give a reference options; its rows are indexed by it in any case.

    Args:
        default: Value of new rows that do not name one.
        unique: At most one row may refer to a row of the other table.
        on_delete: What deleting the other row does: "restrict" refuses it while rows refer to it, "cascade" deletes
            them as well, "set_null" makes their references null (which the column must allow).

    Raises:
        ValueError: Another `on_delete`.
    """
    if on_delete not in get_args(OnDelete):
        raise ValueError(f'on_delete is "restrict", "cascade" or "set_null", not {on_delete!r}')
    return FieldOptions(default=default, unique=unique, is_reference=True, on_delete=on_delete)


def inverse(column: str, *, init: Literal[False] = False) -> Any:  # noqa: ARG001 - tells checkers: no argument
    """Declare the rows of another table that refer to this one by their `column`; never a column itself."""
    return RelationOptions(column, many=True)


def follow(column: str, *, init: Literal[False] = False) -> Any:  # noqa: ARG001 - tells checkers: no argument
    """Declare the row that this table's `column` refers to; never a column itself."""
    return RelationOptions(column, many=False)


def index(
    *terms: Any, unique: bool = False, name: str | None = None, where: Any = None, include: Iterable[str] = ()
) -> Index:
    """Declare an index for `__indexes__`, or for `db.create_index`.

    Args:
        terms: What is indexed, most significant first: column names, each with a leading "-" to run downwards;
            "address.city" for what lies in a column, "tags[]" for each element of a list (one of them at most),
            "lower(title)" for what is computed (`lower`, `upper`, `length`). Where the class is there, values as well:
            `-Book.year`, `lower(Book.title)`, `any_(Book.tags)`.
        unique: Refuse a second row with the same values; rows with a null among them are exempt.
        name: Name in plans and errors. Default: the table and the terms, joined by "_".
        where: Condition of the rows that have entries; in a class body a function of the class:
            `where=lambda book: book.deleted.is_null()`. Queries that ask for this condition as well can use the index.
        include: Columns that entries hold beside the terms, so that queries which need no others read no rows.
    """
    return Index(terms, unique, name, where, tuple(include))
