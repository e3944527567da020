"""Indexes as declared: terms as text or as values, read into columns, steps and directions.

    term   = ["-"] value
    value  = column | value "." name | value "[" place "]" | value "['" name "']" | value "[]" | function "(" value ")"

"address.city" lies in a column, "tags[]" stands for each element of a list, "lower(title)" is computed. A term may as
well be written as a value: `Book.address["city"]`, `any_(Book.tags)`, `-lower(Book.title)`. Values inside of a column
are kept schemaless; where the declared type is one that msgpack stores as text or bytes (UUID, Decimal, dates), the
index remembers it, so that entries are the same for a program that does not know the class.

Pure functions and immutable values; any thread may use them.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Final, NamedTuple
from uuid import UUID

import msgspec

from docs_layer.conditions import Scope
from docs_layer.errors import NoSuchField, SchemaError
from docs_layer.expressions import Comparable, Expression, Order, value_node
from docs_layer.fields import Index
from docs_layer.key_encoding import KINDS
from docs_layer.nodes import CallNode, ColumnNode, ElementNode, Node, RootNode, StepNode, ValueNode
from docs_layer.values import Call, Each, Member, Step, called, each, inside

CONVERTED_KINDS: Final[Mapping[type, str]] = {
    UUID: "uuid",
    Decimal: "decimal",
    date: "date",
    time: "time",
    timedelta: "timedelta",
    datetime: "datetime",
}
"""Types whose values inside of a column are stored as text or bytes, or (datetime) may be."""

_PLAIN_TYPES: Final = (str, int, float, bool, bytes, NoneType, Any)
_TOKEN: Final = re.compile(
    r"""\.(?P<name>\w+) | \[(?P<place>-?\d+)\] | \[(?P<quote>['"])(?P<odd>.*?)(?P=quote)\] | (?P<each>\[\])""",
    re.VERBOSE,
)
_CALL: Final = re.compile(r"(lower|upper|length)\((.*)\)")
_COLUMN: Final = re.compile(r"\w+")


class IndexTermDefinition(NamedTuple):
    """One value of an index and its direction.

    Attributes:
        column: The column it is, or lies in.
        steps: The way from the column to the value.
        converts: Kind that stored values are brought to before they are encoded, or None.
    """

    column: str
    descending: bool
    steps: tuple[Step, ...] = ()
    converts: str | None = None

    @property
    def is_multiple(self) -> bool:
        """Whether a row has an entry for each element."""
        return any(isinstance(step, Each) for step in self.steps)


@dataclass(frozen=True, slots=True)
class IndexDefinition:
    """One index of a class.

    Attributes:
        where: The condition of rows that have an entry, or None for all.
        include: Columns that the entries hold beside the indexed ones.
    """

    name: str
    terms: tuple[IndexTermDefinition, ...]
    unique: bool
    where: Node | None = None
    include: tuple[str, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether every row has exactly one entry, made from columns alone."""
        return self.where is None and not any(term.steps for term in self.terms)


def read_index(scope: Scope, annotations: Mapping[str, Any], declared: Index) -> IndexDefinition:
    """Read a declared index.

    Args:
        scope: The table.
        annotations: Declared types of its columns.
        declared: The index.

    Raises:
        SchemaError: A value that has no order, one twice, lists in two terms, ...
        NoSuchField: A name that is no column; names the nearest one.
    """
    table = scope.table
    terms = tuple(_read_term(scope, annotations, term) for term in declared.terms)
    places = [(term.column, term.steps) for term in terms]
    if not terms or len(set(places)) < len(places):
        raise SchemaError(f"an index needs columns, each once, not {declared.terms!r}", table=table)
    if sum(term.is_multiple for term in terms) > 1:
        raise SchemaError(
            "only one term of an index may stand for the elements of a list", table=table, field=terms[0].column
        )
    where = _read_condition(scope, declared.where)
    for name in declared.include:
        if name not in scope.columns:
            raise NoSuchField(table, name, scope.columns)
    texts = [term_text(term) if scope.root is None else in_document(term_text(term), scope.root.name) for term in terms]
    names = [re.sub(r"\W+", "_", text).strip("_") for text in texts]
    name = declared.name or "_".join([table, *names])
    return IndexDefinition(name, terms, declared.unique, where, tuple(declared.include))


def stored_step(step: Step) -> tuple[str, str | int]:
    """Return a step as the catalog keeps it."""
    match step:
        case Call():
            return ("call", step.function)
        case Each():
            return ("each", "")
        case str():
            return ("item", step)
        case int():
            return ("place", step)
        case Member():
            raise ValueError("the catalog knows no enums, only their values")


def step_of(stored: tuple[str, str | int]) -> Step:
    """Return a step that the catalog keeps. Raises `ValueError` for one that no version has written."""
    match stored:
        case ("call", "lower" | "upper" | "length" as function):
            return Call(function)
        case ("each", ""):
            return Each()
        case ("item", str(name)):
            return name
        case ("place", int(place)):
            return place
    raise ValueError(f"{stored!r} is no step to a value")


def in_document(text: str, column: str) -> str:
    """Return the text of a value of a collection without the name of the column that holds its documents."""
    return re.sub(rf"\b{column}\.", "", text, count=1)


def term_text(term: IndexTermDefinition) -> str:
    """Return a term as it can be declared, without its direction."""
    text = term.column
    for step in term.steps:
        match step:
            case Call():
                text = f"{step.function}({text})"
            case Each():
                text += "[]"
            case str() if step.isidentifier():
                text += f".{step}"
            case _:
                text += f"[{step!r}]"
    return text


def _read_term(scope: Scope, annotations: Mapping[str, Any], written: Any) -> IndexTermDefinition:
    descending = False
    if isinstance(written, Order):
        written, descending = written.node.column, written.node.descending
    elif isinstance(written, Comparable):
        written = value_node(written)
    elif isinstance(written, str):
        descending = written.startswith("-")
        written = parse_value(scope, written.removeprefix("-").strip())
    elif not isinstance(written, ValueNode):
        raise SchemaError(f"an index is over columns and what lies in them, not {written!r}", table=scope.table)
    column, steps = _way(scope, written)
    shape = scope.columns[column]
    for step in steps:
        shape = follow_step(shape, step, scope.table)
    if not steps and shape.kind not in KINDS:
        raise SchemaError(f"a {shape.kind} has no order, so it cannot be indexed", table=scope.table, field=column)
    converts = None
    if steps and not isinstance(steps[-1], Call):
        converts = _conversion(scope.table, column, annotations.get(column, Any), steps)
    return IndexTermDefinition(column, descending, steps, converts)


def follow_step(shape: Any, step: Step, table: str) -> Any:
    """Return the shape of what a step leads to. Raises `QueryError` where it leads nowhere."""
    if isinstance(step, Each):
        return each(shape, table)
    if isinstance(step, Call):
        return called(step.function, shape, table)
    return shape if isinstance(step, Member) else inside(shape, step, table)


def parse_value(scope: Scope, text: str) -> ValueNode:
    """Read the text of a value.

    Raises:
        SchemaError: It is none.
        NoSuchField: It begins with a name that is no column.
    """
    call = _CALL.fullmatch(text)
    if call is not None:
        return CallNode(call[1], parse_value(scope, call[2].strip()))  # type: ignore[arg-type]  # the pattern has the functions
    begin = _COLUMN.match(text)
    if begin is None:
        raise SchemaError(f"{text!r} is no value of a row: write a column, address.city, tags[] ...", table=scope.table)
    if scope.root is None and begin[0] not in scope.columns:
        raise NoSuchField(scope.table, begin[0], scope.columns)
    node: ValueNode = ColumnNode(scope.owner, begin[0]) if scope.root is None else StepNode(RootNode(), begin[0])
    offset = begin.end()
    while offset < len(text):
        token = _TOKEN.match(text, offset)
        if token is None:
            raise SchemaError(f"{text!r} is no value of a row, from {text[offset:]!r} on", table=scope.table)
        if token["each"]:
            node = ElementNode(node, every=False)
        elif token["place"]:
            node = StepNode(node, int(token["place"]))
        else:
            node = StepNode(node, token["name"] or token["odd"])
        offset = token.end()
    return node


def _way(scope: Scope, node: ValueNode) -> tuple[str, tuple[Step, ...]]:
    """Return the column that a value lies in, and the steps to it."""
    steps: list[Step] = []
    while not isinstance(node, (ColumnNode, RootNode)) and not _is_key(scope, node):
        match node:
            case StepNode():
                steps.append(node.step)
            case CallNode():
                steps.append(Call(node.function))
            case ElementNode():
                if any(isinstance(step, Each) for step in steps):
                    raise SchemaError("a list in a list cannot be indexed by its elements", table=scope.table)
                steps.append(Each())
        node = node.of
    shape = scope.column(node)
    if shape.source is None:
        return shape.name, tuple(reversed(steps))
    known = (step for step in shape.source.steps if not isinstance(step, Member))
    return shape.source.column, (*known, *reversed(steps))


def _is_key(scope: Scope, node: ValueNode) -> bool:
    return isinstance(node, StepNode) and isinstance(node.of, RootNode) and node.step in scope.keys


def _read_condition(scope: Scope, written: Any) -> Node | None:
    if written is None:
        return None
    if callable(written) and not isinstance(written, Expression):
        written = written(scope.owner)
    if not isinstance(written, Expression):
        raise SchemaError(f"where= takes a condition, or a function from the class to one, not {written!r}")
    return written.node


def _conversion(table: str, column: str, annotation: Any, steps: Sequence[Step]) -> str | None:
    """Return the kind that stored values must be brought to, so that they equal those of the declared type."""
    for step in steps:
        annotation = _inside(annotation, step)
    bare = _bare(annotation)
    if isinstance(bare, type) and bare in CONVERTED_KINDS:
        return CONVERTED_KINDS[bare]
    if not _is_plain(bare):
        raise SchemaError(
            f"values of type {bare!r} inside of a column cannot be indexed; make it a column", table=table, field=column
        )
    return None


def _inside(annotation: Any, step: Step) -> Any:
    bare = _bare(annotation)
    origin = typing.get_origin(bare) or bare
    arguments = typing.get_args(bare)
    if not isinstance(origin, type) or isinstance(step, Call):
        return Any
    if issubclass(origin, list) and arguments and not isinstance(step, str):
        return arguments[0]
    if issubclass(origin, dict) and len(arguments) > 1 and not isinstance(step, Each):
        return arguments[1]
    if issubclass(origin, msgspec.Struct) and isinstance(step, str):
        if origin.__struct_config__.array_like or origin.__struct_encode_fields__ != origin.__struct_fields__:
            raise SchemaError(
                f"{origin.__name__} is not stored under the names of its fields, so nothing inside of it can be indexed"
            )
        hints = typing.get_type_hints(origin, include_extras=True)
        if step not in hints:
            raise NoSuchField(origin.__name__, step, hints)
        return hints[step]
    return Any


def _bare(annotation: Any) -> Any:
    while typing.get_origin(annotation) is Annotated:
        annotation = annotation.__origin__
    if typing.get_origin(annotation) in {typing.Union, UnionType}:
        parts = [part for part in typing.get_args(annotation) if part is not NoneType]
        return _bare(parts[0]) if len(parts) == 1 else annotation
    return annotation


def _is_plain(annotation: Any) -> bool:
    """Return whether values of a type are read alike with the type and without."""
    bare = _bare(annotation)
    if bare in _PLAIN_TYPES:
        return True
    origin = typing.get_origin(bare) or bare
    if origin in {list, dict, typing.Union, UnionType}:
        return all(map(_is_plain, typing.get_args(bare)))
    return isinstance(origin, type) and issubclass(origin, Enum)
