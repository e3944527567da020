"""Index entries: a pure function of a row, and the way back from an entry to its row.

    entry of an index               index prefix, values, primary key -> nothing
    entry of a unique index         index prefix, values -> primary key
    ... with a null among values    index prefix, values, primary key -> nothing

Every index holds every row. An entry is made from the stored values alone, so an index can be built, checked and
mended from the rows. Row keys are slices of entries, or their values. Immutable; any thread may use them.

Measured on 3.11, one or two int columns: `entry` 0.45 µs, `primary_of` 0.1 µs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Final

from docs_layer.errors import ValidationError
from docs_layer.key_encoding import UnencodableError, component_encoder, tuple_encoder, tuple_skipper
from docs_layer.key_paths import KeyPath

Entry = tuple[bytes, bytes]
"""Key and value."""

KEY_LIMIT_BYTES: Final = 1024
"""Longest encoded key on every store."""

_FIXED_SIZE_BYTES: Final = {
    "int": 9,
    "float": 9,
    "bool": 1,
    "datetime": 9,
    "datetime_naive": 9,
    "date": 5,
    "time": 9,
    "timedelta": 13,
    "uuid": 17,
}
"""Size of a component that is not null, type code included, where it is always the same."""


class IndexMaintainer:
    """Makes and reads the entries of one index.

    Attributes:
        path: Where its entries lie and in which order.
        columns: Names of the columns that its entries are made from.
        is_ready: False while it is being built: then it answers no queries, and a unique entry may name another row.
        entry: From a row and its encoded primary key to its entry; raises `UnencodableError`.
        entries: The same as a tuple of all entries of the row.
        primary_of: From an entry to the encoded primary key; raises `MalformedKeyError`.
    """

    __slots__ = ("columns", "entries", "entry", "is_ready", "path", "primary_of")

    def __init__(self, path: KeyPath, *, is_ready: bool) -> None:
        self.path = path
        self.columns = frozenset(term.column.name for term in path.terms)
        self.is_ready = is_ready
        self.entry: Callable[[Any, bytes], Entry] = _entry_maker(path)
        self.entries: Callable[[Any, bytes], tuple[Entry, ...]] = _single(self.entry)
        self.primary_of: Callable[[bytes, bytes], bytes] = _primary_finder(path)

    def values_of(self, row: Any) -> dict[str, object]:
        """Return the indexed values of a row by column name, for errors."""
        return {term.column.name: getattr(row, term.column.name) for term in self.path.terms}

    def refusal(self, table: str, row: Any) -> ValidationError:
        """Return the error for a row whose entry cannot be made; names the column."""
        for term in self.path.terms:
            value = getattr(row, term.column.name)
            try:
                component_encoder(term.column.kind, term.descending)(value)
            except UnencodableError as error:
                return ValidationError(table, term.column.name, value, error.reason)
        longest = max((term.column.name for term in self.path.terms), key=lambda name: len(repr(getattr(row, name))))
        return too_long(table, longest, getattr(row, longest), self.path.name)


def _single(entry: Callable[[Any, bytes], Entry]) -> Callable[[Any, bytes], tuple[Entry, ...]]:
    def entries(row: Any, primary: bytes) -> tuple[Entry, ...]:
        return (entry(row, primary),)

    return entries


def too_long(table: str, column: str, value: object, path: str) -> ValidationError:
    """Return the error for a key beyond the limit."""
    return ValidationError(
        table, column, value, f"its key in {path} would be longer than {KEY_LIMIT_BYTES} bytes; index a shorter column"
    )


def fixed_size_bytes(kinds: Sequence[str]) -> int | None:
    """Return the size of a key of these kinds without nulls, or None if it varies."""
    if any(kind not in _FIXED_SIZE_BYTES for kind in kinds):
        return None
    return sum(_FIXED_SIZE_BYTES[kind] for kind in kinds)


def _entry_maker(path: KeyPath) -> Callable[[Any, bytes], Entry]:
    values = _getter(path)
    kinds = [(term.column.kind, term.descending) for term in path.terms]
    encode_part = tuple_encoder(kinds, prefix=path.prefix, complete=False)
    encode_whole = tuple_encoder(kinds, prefix=path.prefix)

    def entry(row: Any, primary: bytes) -> Entry:
        return encode_part(values(row)) + primary, b""

    def unique_entry(row: Any, primary: bytes) -> Entry:
        found = values(row)
        if None in found:
            return encode_part(found) + primary, b""
        return encode_whole(found), primary

    return unique_entry if path.unique else entry


def _getter(path: KeyPath) -> Callable[[Any], tuple[Any, ...]]:
    """Return what reads the indexed columns of a row as a tuple."""
    names = [term.column.name for term in path.terms]
    if len(names) > 1:
        getter: Callable[[Any], tuple[Any, ...]] = attrgetter(*names)
        return getter
    one = attrgetter(names[0])
    return lambda row: (one(row),)


def _primary_finder(path: KeyPath) -> Callable[[bytes, bytes], bytes]:
    """Return what cuts the primary key out of an entry: from the end if its size is fixed, else behind the values."""
    size = fixed_size_bytes([term.column.kind for term in path.tail])
    begin = len(path.prefix)
    skip = tuple_skipper([(term.column.kind, term.descending) for term in path.terms])

    def from_end(key: bytes, value: bytes) -> bytes:
        return value or key[-size:]  # type: ignore[operator]  # only used where the size is known

    def behind_values(key: bytes, value: bytes) -> bytes:
        return value or key[skip(key, begin) :]

    return behind_values if size is None else from_end
