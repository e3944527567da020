"""Writing what classes add to the stored schema: decided by `schema_changes`, written here in one transaction."""

from __future__ import annotations

from docs_layer.catalog import write_header, write_layout, write_table
from docs_layer.errors import ConflictError
from docs_layer.retrying import DEFAULT_RETRIES, pause, pauses
from docs_layer.schema_changes import plan_schema_change
from docs_layer.schema_views import SchemaCache
from docs_layer.store import Store


def apply_schema(store: Store, cache: SchemaCache) -> None:
    """Write what the classes add, in one transaction with a new epoch; write nothing if there is nothing to add."""
    with store.snapshot() as snapshot:
        if not plan_schema_change(cache.view(snapshot).catalog, cache.definitions).tables:
            return
    for longest in pauses(DEFAULT_RETRIES):
        transaction = store.transaction()
        try:
            change = plan_schema_change(cache.view(transaction).catalog, cache.definitions)
            if not change.tables:
                return
            write_header(transaction, change.header)
            for entry in change.tables:
                write_table(transaction, entry)
            for layout in change.layouts:
                write_layout(transaction, layout)
            transaction.bump_epoch()
            transaction.commit()
        except ConflictError:
            pause(longest)
        else:
            return
        finally:
            transaction.rollback()
