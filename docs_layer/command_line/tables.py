"""Tables of a database that no class of this program declares: found in the catalog, or made from inferred columns."""

import types
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

import lsm
from docs_layer import Col, Database, Key, Table, auto, col, open_db, table_from_catalog
from docs_layer.command_line.escaping import unescape
from docs_layer.command_line.failures import CommandError, unknown
from docs_layer.command_line.inference import Column


def existing(directory: Path) -> Database:
    """Open the database of a directory with the tables that are in its catalog; refuse to make a new one."""
    return open_db(directory, options=lsm.Options(create_if_missing=False))


def table(db: Database, name: str) -> type[Table]:
    """Return the class of a table that is in the catalog."""
    if name not in db.table_names():
        raise unknown("table", name, db.table_names())
    return table_from_catalog(db, name)


def fields(rows: type[Table]) -> dict[str, Any]:
    """Map the columns of a table to their types, in the order of the class."""
    struct: Any = rows
    return {field.name: field.type for field in msgspec.structs.fields(struct)}


def reader(name: str, type_: Any, *, strict: bool) -> Callable[[object], Any]:
    """Make the function that brings a text, or a value of JSON, to the type of a column.

    Args:
        name: The column, for the message of an error.
        type_: The type of its values.
        strict: False lets a text stand for a number, a bool or null, as the command line and CSV need it.

    Returns:
        A function that raises `CommandError`, naming column and value, for a value that is not of the type. Bytes are
        read from escaped text.
    """
    convert = partial(msgspec.convert, type=type_, strict=strict)
    from_text = unescape if _holds_bytes(type_) else convert

    def read(value: object) -> Any:
        try:
            return from_text(value) if isinstance(value, str) else convert(value)
        except ValueError as error:
            raise CommandError(f"{name}={value!r}: {error}") from error

    return read


def _holds_bytes(type_: Any) -> bool:
    info = msgspec.inspect.type_info(type_)
    kinds = info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)
    return any(isinstance(kind, msgspec.inspect.BytesType) for kind in kinds)


def declare(name: str, columns: Mapping[str, Column], key: str | None) -> type[Table]:
    """Make the class of a new table: `key` is the primary key, or an automatic integer `id` where it is None."""
    annotations: dict[str, Any] = {}
    defaults: dict[str, Any] = {}
    if key is None:
        annotations["id"] = Key[int]
        defaults["id"] = auto()
    for column_name, column in columns.items():
        if column_name == key:
            annotations[column_name] = Key[column.type]  # type: ignore[name-defined]
        elif column.null:
            annotations[column_name] = Col[column.type | None]  # type: ignore[name-defined]
            defaults[column_name] = col(default=None)
        else:
            annotations[column_name] = Col[column.type]  # type: ignore[name-defined]

    def body(namespace: dict[str, Any]) -> None:
        namespace.update(defaults)
        namespace["__annotations__"] = annotations

    return types.new_class(name, (Table,), exec_body=body)
