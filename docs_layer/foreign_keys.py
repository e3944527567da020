"""References hold under concurrency: what a transaction must look at before rows may refer, or be deleted.

Owns the two checks. A referring write validates that its parent is present (an overwrite of the parent by others is no
conflict, its deletion is); a delete validates that the index range of its referrers is empty. So of two transactions,
one that refers and one that deletes, at most one commits. Both checks run at the end of a call and see its writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from docs_layer.bound_indexes import Reference, Referrer
from docs_layer.bound_tables import BoundTable
from docs_layer.conditions import VALUE_SET
from docs_layer.errors import ForeignKeyViolation
from docs_layer.intervals import IntervalSet, point
from docs_layer.key_encoding import component_encoder
from docs_layer.key_paths import fit_path
from docs_layer.store import Transaction


class Parent(NamedTuple):
    """A row that is referred to, as the reference names it."""

    table: str
    column: str
    target: str
    value: Any


Parents = dict[bytes, Parent]
"""Parents by their row keys."""

NAMED_REFERRERS: Final = 10
"""Most referring rows that an error names."""


def collect_parents(table: BoundTable, reference: Reference, rows: Iterable[Any], parents: Parents) -> None:
    """Add the rows that others refer to, each once."""
    column, encode = reference.column, reference.encode_parent
    for value in {getattr(row, column) for row in rows}:
        if value is not None:
            parents[encode((value,))] = Parent(table.name, column, reference.target, value)


def require_parents(transaction: Transaction, parents: Parents) -> None:
    """Check that every row referred to is there.

    Args:
        transaction: The transaction, after the writes of the call.
        parents: What the call refers to.

    Raises:
        ForeignKeyViolation: One is not there.
    """
    if not parents:
        return
    keys = list(parents)
    for key, is_there in zip(keys, transaction.exists(keys), strict=True):
        if not is_there:
            raise ForeignKeyViolation(*parents[key])


def require_no_referrers(transaction: Transaction, table: BoundTable, keys: Sequence[Any]) -> None:
    """Check that no row refers to deleted ones by "restrict" any more.

    Args:
        transaction: The transaction, after the writes of the call.
        table: The table that was deleted from.
        keys: Primary keys of the deleted rows.

    Raises:
        ForeignKeyViolation: A row refers to one of them; names at most ten.

    Cost: one short scan for each key and each column that refers to the table.
    """
    for referrer in table.referrers:
        if referrer.on_delete != "restrict":
            continue
        for key in keys:
            found = list(find_referrers(transaction, referrer, key, NAMED_REFERRERS))
            if found:
                named = [referrer.decode_key(primary) for primary in found]
                raise ForeignKeyViolation(referrer.table, referrer.column.name, table.name, key, named)


def find_referrers(transaction: Transaction, referrer: Referrer, key: Any, limit: int | None = None) -> Iterator[bytes]:
    """Give the encoded primary keys of the rows whose column holds a key, at most `limit` of each range; validated."""
    encoded = component_encoder(referrer.column.kind)(key)
    return _find(transaction, referrer, point(encoded, key), limit)


def find_any_referrer(transaction: Transaction, referrer: Referrer) -> bytes | None:
    """Give the encoded primary key of one row that refers to any other, or None; validated."""
    return next(_find(transaction, referrer, VALUE_SET, 1), None)


def _find(transaction: Transaction, referrer: Referrer, values: IntervalSet, limit: int | None) -> Iterator[bytes]:
    fit = fit_path(referrer.index.path, {referrer.column: values})
    primary_of = referrer.index.primary_of
    for whole in fit.keys:
        value = transaction.get(whole)
        if value is not None:
            yield primary_of(whole, value)
    for start, stop in fit.ranges:
        for chunk in transaction.scan(start, stop, limit=limit):
            yield from map(primary_of, chunk.keys, chunk.values)
