"""Struct types made for a table: one with all stored columns, and one that validates. Pure functions."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from docs_layer.catalog import FieldEntry
from docs_layer.definitions import STORED_KINDS, TYPES_BY_KIND, ColumnDefinition, TableDefinition

_INT_META: Final = Meta(ge=-(1 << 63), le=(1 << 63) - 1)


def generated_struct(definition: TableDefinition, fields: list[FieldEntry]) -> Any:
    """Make a struct of all stored columns; unknown ones of stored-only kinds stay raw msgpack."""
    members: list[tuple[str, Any, Any]] = []
    for field in fields:
        column = definition.columns.get(field.name)
        if column is not None:
            members.append((field.name, column.annotation, msgspec.field(default=msgspec.UNSET)))
            continue
        kind: Any = msgspec.Raw if field.kind in STORED_KINDS else TYPES_BY_KIND[field.kind]
        annotation = kind | None if field.nullable and kind is not msgspec.Raw else kind
        stored = field.default or b"\xc0"
        default = msgspec.msgpack.decode(stored, type=annotation)
        members.append((field.name, annotation, msgspec.field(default=default)))
    return msgspec.defstruct(definition.name, members, array_like=True, frozen=True, kw_only=True, gc=False)


def constrained_struct(definition: TableDefinition, fields: list[FieldEntry]) -> Any:
    """Make the struct that validates: the same columns, with the constraints of kind and class."""
    members: list[tuple[str, Any]] = []
    for field in fields:
        column = definition.columns.get(field.name)
        members.append((field.name, Any if column is None else _constrained(column)))
    return msgspec.defstruct(definition.name, members, array_like=True)


def _constrained(column: ColumnDefinition) -> Any:
    limit = column.options.max_length
    if limit is not None:
        meta: Meta | None = Meta(max_length=limit)
    elif column.bare_annotation is int:
        meta = _INT_META
    elif column.kind in {"datetime", "datetime_naive"}:
        meta = Meta(tz=column.kind == "datetime")
    elif column.kind == "time":
        meta = Meta(tz=False)
    else:
        return column.annotation
    bare: Any = column.bare_annotation
    inner: Any = Annotated[bare, meta]
    return inner | None if column.nullable else inner
