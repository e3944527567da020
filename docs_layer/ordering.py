"""Orders of rows: terms, and the functions that turn a row into bytes that sort as the terms say.

Owns the placement of nulls: they are the lowest values unless a term places them, and then stand apart from all values.
A sort key is the components of its terms, one behind the other, and an end mark; parts of two keys of the same terms
may be compared one by one as well. Pure; any thread may use the results.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from docs_layer.errors import QueryError
from docs_layer.key_encoding import INVERTED, KINDS, component_encoder, tuple_encoder
from docs_layer.nodes import Nulls
from docs_layer.values import MIXED_KINDS, ColumnShape, encode_loosely, value_reader, values_reader

NULLS_BEFORE: Final = b"\x0f"
"""Stands for a null that was placed before all values, whose components begin with 10 or more."""
NULLS_BEHIND: Final = b"\xf0"
"""Stands for a null that was placed behind all values, whose components begin with EF or less."""
END: Final = b"\x01"

SortKey = Callable[[Any], bytes]


class OrderTerm(NamedTuple):
    """One term of a requested order; nulls are lowest, or where `nulls` places them."""

    column: ColumnShape
    descending: bool
    nulls: Nulls | None = None


def order_term(column: ColumnShape, descending: bool, nulls: Nulls | None, table: str) -> OrderTerm:
    """Return a term in its simplest form.

    Raises:
        QueryError: Values of the column have no order.
    """
    if column.kind not in KINDS and column.kind not in MIXED_KINDS:
        raise QueryError(f"{table}.{column.name}: a {column.kind} has no order")
    usual = "last" if descending else "first"
    return OrderTerm(column, descending, nulls if column.nullable and nulls != usual else None)


def reversed_order(order: Sequence[OrderTerm]) -> tuple[OrderTerm, ...]:
    """Return the exact opposite of an order."""
    other: dict[Nulls | None, Nulls | None] = {None: None, "first": "last", "last": "first"}
    return tuple(OrderTerm(term.column, not term.descending, other[term.nulls]) for term in order)


def without_repeats(order: Sequence[OrderTerm]) -> tuple[OrderTerm, ...]:
    """Return the terms that can decide anything: the first one of each column."""
    kept: dict[ColumnShape, OrderTerm] = {}
    for term in order:
        kept.setdefault(term.column, term)
    return tuple(kept.values())


def sort_key(order: Sequence[OrderTerm]) -> SortKey:
    """Return the function from a row to the bytes that sort as the order says. About 0.3 µs a term."""
    if all(term.nulls is None and term.column.kind not in MIXED_KINDS for term in order):
        encode = tuple_encoder([(term.column.kind, term.descending) for term in order])
        read = values_reader([term.column for term in order])
        return lambda row: encode(read(row))
    parts = [sort_part(term) for term in order]
    return lambda row: b"".join([part(row) for part in parts]) + END


def sort_part(term: OrderTerm) -> SortKey:
    """Return the function from a row to the component of one term."""
    read = value_reader(term.column)
    encode = component_of(term)
    return lambda row: encode(read(row))


def component_of(term: OrderTerm) -> SortKey:
    """Return the function from a value to its component in a term's order."""
    encode_one = encode_loosely if term.column.kind in MIXED_KINDS else component_encoder(term.column.kind)
    null = {"first": NULLS_BEFORE, "last": NULLS_BEHIND}.get(term.nulls or "")

    def encode(value: Any) -> bytes:
        if value is None and null is not None:
            return null
        encoded = encode_one(value)
        return encoded.translate(INVERTED) if term.descending else encoded

    return encode


def describe_term(term: OrderTerm) -> str:
    """Return a term as a person would write it."""
    placed = f" nulls {term.nulls}" if term.nulls else ""
    return f"{'-' if term.descending else ''}{term.column.name}{placed}"
