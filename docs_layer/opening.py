"""`open_db`: opens a store, brings its schema to what the classes declare, and gives the database.

Owns the order of opening. Whoever opens with more tables, columns or indexes writes them in one transaction with a new
epoch; indexes over rows that are there are built before the database is given out.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any, Final

from docs_layer.database import Database
from docs_layer.index_build import build_indexes
from docs_layer.planner import Estimate
from docs_layer.schema_apply import apply_schema
from docs_layer.schema_views import SchemaCache
from docs_layer.sources import ReadSettings
from docs_layer.store import Store
from docs_layer.tables import Table

SORT_MEMORY_BYTES: Final = 256 << 20


def open_db(
    path: str | PathLike[str] | Store,
    tables: Sequence[type[Table]] = (),
    options: Any = None,
    *,
    strict: bool = False,
    sort_memory_bytes: int = SORT_MEMORY_BYTES,
    token_key: bytes | None = None,
    environment: Any = None,
) -> Database:
    """Open a database, and bring its stored schema to what the classes declare.

    New tables, columns with a null or default, and indexes are added; an index over rows that are there is built
    before this returns. Nothing that is stored is taken away.

    Args:
        path: Directory of the embedded engine, made if it is missing; or a `Store` such as `MemoryStore()`.
        tables: The table classes of the program.
        options: `lsm.Options` of the embedded engine.
        strict: Refuse queries that would read a whole table (`IndexRequiredError`), and sorts that do not fit in
            memory; meant for tests.
        sort_memory_bytes: What one sort may use where no index gives the order; beyond it, it goes on in a temporary
            file. Default: 256 MiB.
        token_key: A secret that seals page tokens, so that nobody can make or change one; the same in all processes
            that exchange tokens. Default: none.
        environment: The `lsm.Environment` of the embedded engine; None is the real one. For tests, see `lsm.testing`.

    Raises:
        SchemaError: A class that cannot be used, or that stored rows cannot follow; names table and field.

    Errors of the engine's files pass unchanged: `lsm.LockedError` (open in another process), `lsm.StorageError`, ...
    """
    cache = SchemaCache(tables)
    store = _open_store(path, options, environment)
    try:
        apply_schema(store, cache)
        for definition in cache.definitions:
            build_indexes(store, cache, definition.name)
    except BaseException:
        if store is not path:
            store.close()
        raise
    settings = ReadSettings(strict, sort_memory_bytes, token_key, _statistics(store))
    return Database(store, cache, settings)


def _statistics(store: Store) -> Estimate:
    return lambda start, stop: store.estimate(start, stop).entries


def _open_store(path: str | PathLike[str] | Store, options: Any, environment: Any) -> Store:
    if isinstance(path, (str, PathLike)):
        from docs_layer.embedded_store import EmbeddedStore  # noqa: PLC0415 - programs in memory never load the engine

        return EmbeddedStore(path, options, environment=environment)
    return path
