"""References hold under concurrency: what a transaction must look at before rows may refer, or be deleted.

Owns the two checks. A referring write validates that its parent is present (an overwrite of the parent by others is no
conflict, its deletion is); a delete validates that the index range of its referrers is empty. So of two transactions,
one that refers and one that deletes, at most one commits. Both checks run at the end of a call and see its writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from docs_layer.bound_tables import BoundTable, Reference, Referrer
from docs_layer.errors import ForeignKeyViolation
from docs_layer.intervals import point
from docs_layer.key_encoding import component_encoder
from docs_layer.key_paths import fit_path
from docs_layer.store import Transaction

NAMED_REFERRERS: Final = 10
"""Most referring rows that an error names."""


def require_parents(
    transaction: Transaction, table: BoundTable, parents: Mapping[bytes, tuple[Reference, Any]]
) -> None:
    """Check that every row referred to is there.

    Args:
        transaction: The transaction, after the writes of the call.
        table: The referring table.
        parents: Row key of each parent to the reference and the value that name it.

    Raises:
        ForeignKeyViolation: One is not there.
    """
    keys = list(parents)
    for key, is_there in zip(keys, transaction.exists(keys), strict=True):
        if not is_there:
            reference, value = parents[key]
            raise ForeignKeyViolation(table.name, reference.column, reference.target, value)


def require_no_referrers(transaction: Transaction, table: BoundTable, keys: Sequence[Any]) -> None:
    """Check that no row refers to deleted ones any more.

    Args:
        transaction: The transaction, after the writes of the call.
        table: The table that was deleted from.
        keys: Primary keys of the deleted rows.

    Raises:
        ForeignKeyViolation: A row refers to one of them; names at most ten.

    Cost: one short scan for each key and each column that refers to the table.
    """
    for referrer in table.referrers:
        for key in keys:
            found = _find_referrers(transaction, referrer, key)
            if found:
                named = [referrer.decode_key(primary) for primary in found]
                raise ForeignKeyViolation(referrer.table, referrer.column.name, table.name, key, named)


def _find_referrers(transaction: Transaction, referrer: Referrer, key: Any) -> list[bytes]:
    """Return the encoded primary keys of at most ten rows whose column holds the key."""
    encoded = component_encoder(referrer.column.kind)(key)
    fit = fit_path(referrer.index.path, {referrer.column: point(encoded, key)})
    primary_of = referrer.index.primary_of
    found = [primary_of(whole, value) for whole in fit.keys if (value := transaction.get(whole)) is not None]
    for start, stop in fit.ranges:
        for chunk in transaction.scan(start, stop, limit=NAMED_REFERRERS):
            found += map(primary_of, chunk.keys, chunk.values)
    return found
