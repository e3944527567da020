"""What a table class declares, as frozen values: columns with their kinds, key, indexes, references.

Owns the reading of annotations and the rules a class must obey; everything above works on `TableDefinition` and never
looks at annotations again. A definition is computed when a database is opened, because annotations may name classes
that are declared later. Pure functions; the results are immutable.

Kinds: those of `key_encoding` can be compared, ordered and indexed; `list`, `dict`, `struct`, `any` and `document` (the
schemaless part of a collection's rows) are stored only.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import partial
from keyword import iskeyword
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec

from docs_layer.columns import ColumnMarker
from docs_layer.conditions import Scope
from docs_layer.errors import NoSuchField, SchemaError
from docs_layer.expressions import Relation
from docs_layer.fields import MISSING, FieldOptions, Index
from docs_layer.index_definitions import IndexDefinition, IndexTermDefinition, read_index
from docs_layer.tables import Table, struct_fields, table_name
from docs_layer.values import ColumnShape, member_shape

SCALAR_KINDS: Final[Mapping[type, str]] = {
    int: "int",
    float: "float",
    str: "str",
    bytes: "bytes",
    bool: "bool",
    datetime: "datetime",
    date: "date",
    time: "time",
    timedelta: "timedelta",
    Decimal: "decimal",
    UUID: "uuid",
}
TYPES_BY_KIND: Final[Mapping[str, type]] = {kind: type_ for type_, kind in SCALAR_KINDS.items()} | {
    "datetime_naive": datetime
}
STORED_KINDS: Final = frozenset({"list", "dict", "struct", "any", "document"})
_SIZED_KINDS: Final = frozenset({"str", "bytes", "list", "dict"})


@dataclass(frozen=True, slots=True)
class ColumnDefinition:
    """One column of a class.

    Attributes:
        kind: Kind of its values; of an enum, the kind of its members' values.
        annotation: The plain type, None included where null is allowed.
        bare_annotation: The same without None.
        default: Gives the value of rows that do not name one, or None if there is none.
        references: Name of the table it refers to, or None.
    """

    name: str
    kind: str
    nullable: bool
    annotation: Any
    bare_annotation: Any
    default: Callable[[], Any] | None
    references: str | None
    options: FieldOptions

    @property
    def shape(self) -> ColumnShape:
        """What conditions and keys must know of it."""
        if _is_plain_enum(self.bare_annotation):
            return member_shape(self.name, self.kind, self.nullable)
        return ColumnShape(self.name, self.kind, self.nullable)


@dataclass(frozen=True, slots=True)
class DocumentColumn:
    """The column of a collection that holds its documents.

    Attributes:
        name: Its name.
        to_row: From what a program gives to a row.
        show: From a row to what a program gets.
    """

    name: str
    to_row: Callable[[Any], Any]
    show: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class TableDefinition:
    """A table class, read and checked. `key` names the columns of the primary key in order."""

    name: str
    row_type: type[Table]
    columns: Mapping[str, ColumnDefinition]
    key: tuple[str, ...]
    automatic: bool
    indexes: tuple[IndexDefinition, ...]
    checks: tuple[Callable[[Any], bool], ...] = ()
    document: DocumentColumn | None = None

    def with_document(self, document: DocumentColumn) -> TableDefinition:
        """Return the same table with rows that a program sees as documents."""
        return replace(self, document=document)


def read_definition(table: type[Table], tables: Mapping[str, type[Table]]) -> TableDefinition:
    """Read a table class.

    Args:
        table: The class.
        tables: Classes by name, for annotations that name a class declared later.

    Raises:
        SchemaError: An annotation that cannot be resolved or stored, no primary key, an index over a stored value, ...
        NoSuchField: An index or relation names a column that is not there.
    """
    name = table_name(table)
    hints = _resolve_hints(table, name, tables)
    options: Mapping[str, FieldOptions] = getattr(table, "__field_options__")  # noqa: B009 - unknown to checkers
    defaults = _struct_defaults(table)
    columns = {
        field: _read_column(name, field, hints[field], options.get(field, FieldOptions()), defaults[field], tables)
        for field in struct_fields(table)
    }
    key = tuple(field for field in columns if _marker(hints[field]).role == "key")
    automatic = [field for field in columns if columns[field].options.automatic]
    _check_key(name, columns, key, automatic)
    _check_relations(table, name, columns, tables)
    indexes = _read_indexes(table, name, columns)
    checks: Any = getattr(table, "__checks__", [])
    if not isinstance(checks, (list, tuple)) or not all(map(callable, checks)):
        raise SchemaError("__checks__ is a list of functions from a row to a bool", table=name)
    return TableDefinition(name, table, columns, key, bool(automatic), indexes, tuple(checks))


def _resolve_hints(table: type[Table], name: str, tables: Mapping[str, type[Table]]) -> dict[str, Any]:
    """Resolve annotations, and leave the resolved ones on the class, where msgspec looks for them."""
    try:
        hints = typing.get_type_hints(table, localns=dict(tables), include_extras=True)
    except NameError as error:
        raise SchemaError(
            f"the annotations name {error.name!r}, which is neither in the module nor in tables=[...]", table=name
        ) from error
    for base in table.__mro__:
        own = base.__dict__.get("__annotations__")  # noqa: RUF063 - the dict itself is changed
        if own and issubclass(base, Table):
            own.update({field: hints[field] for field in own if field in hints})
    return hints


def _struct_defaults(table: type[Table]) -> dict[str, Callable[[], Any] | None]:
    """Return for each column what makes its default."""
    makers: dict[str, Callable[[], Any] | None] = {}
    struct: Any = table  # checkers see a plain class
    for field in msgspec.structs.fields(struct):
        if field.default_factory is not msgspec.NODEFAULT:
            makers[field.name] = field.default_factory
        elif field.default is not msgspec.NODEFAULT:
            makers[field.name] = partial(_same, field.default)
        else:
            makers[field.name] = None
    return makers


def _same(value: object) -> object:
    return value


def _marker(hint: Any) -> ColumnMarker:
    """Return what `Key`, `Col` or `Ref` left in an annotation."""
    for extra in getattr(hint, "__metadata__", ()):
        if isinstance(extra, ColumnMarker):
            return extra
    return ColumnMarker("none")


def _read_column(
    table: str,
    name: str,
    hint: Any,
    options: FieldOptions,
    default: Callable[[], Any] | None,
    tables: Mapping[str, type[Table]],
) -> ColumnDefinition:
    marker = _marker(hint)
    if marker.role == "document":
        return ColumnDefinition(name, "document", False, Any, Any, default, None, options)
    if marker.role not in {"key", "column", "reference"}:
        raise SchemaError(
            "annotate it as Key[...], Col[...] or Ref[...], or relations with inverse() or follow()",
            table=table,
            field=name,
        )
    if not name.isidentifier() or iskeyword(name):
        raise SchemaError("the name of a column must be a Python identifier", table=table, field=name)
    inner, nullable = _without_none(_plain(table, name, hint))
    bare = _plain(table, name, inner)
    annotation = bare | None if nullable and bare is not Any else bare
    kind = _kind_of(table, name, bare)
    is_sized = kind in _SIZED_KINDS and (typing.get_origin(bare) or bare) in {str, bytes, list, dict}
    if options.max_length is not None and (not is_sized or options.max_length < 0):
        raise SchemaError(f"a {kind} has no max_length={options.max_length}", table=table, field=name)
    if kind == "datetime" and not options.time_zone:
        kind = "datetime_naive"
    if kind in STORED_KINDS and (marker.role != "column" or options.unique):
        raise SchemaError(
            f"a {kind} is stored only: it can be neither key nor reference nor unique", table=table, field=name
        )
    if marker.role != "column" and _is_plain_enum(bare):
        raise SchemaError("an enum is a key or reference only as StrEnum or IntEnum", table=table, field=name)
    references = None
    if marker.role == "reference":
        references = _target_name(table, name, marker.target, tables)
        if options.on_delete == "set_null" and not nullable:
            raise SchemaError('on_delete="set_null" needs a reference that may be null', table=table, field=name)
    return ColumnDefinition(name, kind, nullable, annotation, bare, default, references, options)


def _plain(table: str, name: str, annotation: Any) -> Any:
    """Take off what was annotated beside the type; limits of msgspec are refused, since reading would apply them."""
    while typing.get_origin(annotation) is Annotated:
        if any(isinstance(extra, msgspec.Meta) for extra in annotation.__metadata__):
            raise SchemaError("limit values by col(max_length=..., check=...), not by Meta", table=table, field=name)
        annotation = annotation.__origin__
    return annotation


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if typing.get_origin(annotation) in (typing.Union, UnionType):
        parts = [part for part in typing.get_args(annotation) if part is not NoneType]
        if len(parts) < len(typing.get_args(annotation)):
            return typing.Union[tuple(parts)], True  # noqa: UP007 - built from a list at run time
    return annotation, annotation is Any


def _kind_of(table: str, name: str, annotation: Any) -> str:
    if annotation in SCALAR_KINDS:
        return SCALAR_KINDS[annotation]
    if annotation is Any:
        return "any"
    if typing.get_origin(annotation) is Literal:
        return _kind_of_values(table, name, typing.get_args(annotation))
    origin = typing.get_origin(annotation) or annotation
    if isinstance(origin, type):
        if issubclass(origin, Enum):
            return _kind_of_values(table, name, [member.value for member in origin])
        if issubclass(origin, Table):
            raise SchemaError("a row cannot be stored inside a row; use Ref[...]", table=table, field=name)
        if issubclass(origin, (list, tuple, dict)):
            return "dict" if issubclass(origin, dict) else "list"
        if issubclass(origin, msgspec.Struct):
            return "struct"
    raise SchemaError(f"values of type {annotation!r} cannot be stored", table=table, field=name)


def _kind_of_values(table: str, name: str, values: Iterable[object]) -> str:
    """Return the kind of an enum's or a literal's values."""
    kinds = {type(value) for value in values}
    if kinds not in ({str}, {int}):
        raise SchemaError("the values of an enum or literal are all str or all int", table=table, field=name)
    return SCALAR_KINDS[kinds.pop()]


def _is_plain_enum(annotation: Any) -> bool:
    """Return whether members of a type are no str or int themselves."""
    return isinstance(annotation, type) and issubclass(annotation, Enum) and not issubclass(annotation, (str, int))


def _target_name(table: str, name: str, target: Any, tables: Mapping[str, type[Table]]) -> str:
    if isinstance(target, typing.ForwardRef):
        target = target.__forward_arg__
    if isinstance(target, str):
        if target not in tables:
            raise SchemaError(f"refers to {target}, which is not in tables=[...]", table=table, field=name)
        target = tables[target]
    if not (isinstance(target, type) and issubclass(target, Table)):
        raise SchemaError(f"refers to {target!r}, which is no table class", table=table, field=name)
    return table_name(target)


def _check_key(table: str, columns: Mapping[str, ColumnDefinition], key: tuple[str, ...], automatic: list[str]) -> None:
    if not key:
        raise SchemaError("it has no primary key: annotate a column as Key[...]", table=table)
    for field in key:
        if columns[field].nullable:
            raise SchemaError("a primary key is never null", table=table, field=field)
    for field in automatic:
        if key != (field,) or columns[field].kind != "int":
            raise SchemaError("auto() is for a primary key of one int column", table=table, field=field)


def _check_relations(
    table: type[Table], name: str, columns: Mapping[str, ColumnDefinition], tables: Mapping[str, type[Table]]
) -> None:
    """Check that each relation names a reference between its two tables, as far as the other class is known."""
    members: Mapping[str, object] = getattr(table, "__members__")  # noqa: B009 - unknown to checkers
    targets = _relation_targets(table, tables)
    for field, relation in members.items():
        if not isinstance(relation, Relation):
            continue
        if not relation.many:
            if relation.column not in columns:
                raise NoSuchField(name, relation.column, columns)
            if columns[relation.column].references is None:
                raise SchemaError(f"follows {relation.column}, which is no reference", table=name, field=field)
        elif (target := targets.get(field)) is not None and relation.column not in struct_fields(target):
            raise NoSuchField(table_name(target), relation.column, struct_fields(target))


def _relation_targets(table: type[Table], tables: Mapping[str, type[Table]]) -> dict[str, type[Table]]:
    annotations: Mapping[str, object] = getattr(table, "__relation_annotations__")  # noqa: B009 - unknown to checkers
    found = {}
    for field, annotation in annotations.items():
        target = _marker(annotation).target
        if isinstance(target, typing.ForwardRef):
            target = target.__forward_arg__
        if isinstance(target, str):
            target = tables.get(target)
        if isinstance(target, type) and issubclass(target, Table):
            found[field] = target
    return found


def _read_indexes(
    table: type[Table], name: str, columns: Mapping[str, ColumnDefinition]
) -> tuple[IndexDefinition, ...]:
    """Collect declared indexes, those of unique columns, and one for each reference that none begins with."""
    written: Any = getattr(table, "__indexes__", [])
    if not isinstance(written, (list, tuple)) or not all(isinstance(one, Index) for one in written):
        raise SchemaError("__indexes__ is a list of index(...)", table=name)
    declared = [Index((field,), unique=True) for field in columns if columns[field].options.unique]
    declared += written
    scope = table_scope(table, name, columns)
    annotations = {field: column.annotation for field, column in columns.items()}
    indexes = [read_index(scope, annotations, one) for one in declared]
    for field, column in columns.items():
        if column.references is not None and not any(one.terms[0].column == field for one in indexes if one.is_plain):
            indexes.append(read_index(scope, annotations, Index((field,))))
    names = [one.name for one in indexes]
    for one in names:
        if names.count(one) > 1:
            raise SchemaError("two indexes have this name", table=name, field=one)
    return tuple(indexes)


def table_scope(table: type[Table], name: str, columns: Mapping[str, ColumnDefinition]) -> Scope:
    """Return what the conditions and indexes of a class are bound to."""
    return Scope(name, table, {field: column.shape for field, column in columns.items()})


__all__ = [
    "MISSING",
    "SCALAR_KINDS",
    "STORED_KINDS",
    "TYPES_BY_KIND",
    "ColumnDefinition",
    "DocumentColumn",
    "IndexDefinition",
    "IndexTermDefinition",
    "TableDefinition",
    "read_definition",
    "table_scope",
]
