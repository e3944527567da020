"""Rows made from index entries alone: what a query gets that asks for nothing but indexed columns and the key.

Owns the decision which columns an entry gives back whole, and the struct that stands for a row then. Immutable; any
thread may use it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from docs_layer.definitions import TYPES_BY_KIND
from docs_layer.indexes import IndexMaintainer, included_reader
from docs_layer.key_encoding import component_decoder, component_skipper
from docs_layer.key_paths import PathTerm, covered_terms

EntryReader = Callable[[Sequence[bytes], Sequence[bytes]], list[Any]]


class CoveredRows:
    """Reads rows from the entries of one index.

    Attributes:
        read: From keys and values of entries (no values where the index is not unique) to rows that hold its columns.
        encode: From such a row to bytes.
        decode: And back.
    """

    __slots__ = ("decode", "encode", "read")

    def __init__(self, index: IndexMaintainer, annotations: Mapping[str, Any]) -> None:
        path = index.path
        included = [column.name for column in path.included]
        given = [term for term in covered_terms(path) if term.column.name not in included]
        terms = [term for term in given if term in path.terms]
        tail = [term for term in given if term in path.tail and term.column not in {one.column for one in terms}]
        fields: list[tuple[str, Any]] = [
            (term.column.name, TYPES_BY_KIND[term.column.kind] | None) for term in (*terms, *tail)
        ]
        fields += [(name, annotations.get(name, Any)) for name in included]
        struct: Any = msgspec.defstruct("Covered", fields, array_like=True, frozen=True, gc=False)
        self.read = _entry_reader(struct, index, terms, tail, [annotations.get(name, Any) for name in included])
        self.encode: Callable[[Any], bytes] = msgspec.msgpack.Encoder(uuid_format="bytes").encode
        self.decode: Callable[[bytes], Any] = msgspec.msgpack.Decoder(struct).decode


def _entry_reader(
    struct: Any, index: IndexMaintainer, terms: list[PathTerm], tail: list[PathTerm], included: list[Any]
) -> EntryReader:
    path = index.path
    begin = len(path.prefix)
    decoders = [_decoder_of(term, terms) for term in path.terms]
    tail_decoders = [_decoder_of(term, tail) for term in path.tail]
    primary_of = index.primary_of
    read_included = included_reader(path, included) if included else None

    def read_one(key: bytes, value: bytes) -> Any:
        found: list[Any] = []
        offset = begin
        for decode, is_wanted in decoders:
            part, offset = decode(key, offset)
            if is_wanted:
                found.append(part)
        if tail:
            primary = primary_of(key, value)
            offset = 0
            for decode, is_wanted in tail_decoders:
                part, offset = decode(primary, offset)
                if is_wanted:
                    found.append(part)
        if read_included is not None:
            found += read_included(value)
        return struct(*found)

    def read(keys: Sequence[bytes], values: Sequence[bytes]) -> list[Any]:
        if values:
            return list(map(read_one, keys, values))
        return [read_one(key, b"") for key in keys]

    return read


def _decoder_of(term: PathTerm, wanted: list[PathTerm]) -> tuple[Callable[[bytes, int], tuple[Any, int]], bool]:
    """Return what passes over a component, and whether what it gives is a column's value."""
    if term in wanted:
        return component_decoder(term.column.kind, term.descending), True
    skip = component_skipper(term.column.kind, term.descending)
    return (lambda key, offset: (None, skip(key, offset))), False
