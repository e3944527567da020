"""Defects of tables of documents: rows and entries that part, and checks that do not hold under concurrency."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import lsm
from docs_layer import index_build
from docs_layer.bound_tables import BoundTable
from docs_layer.embedded_store import EmbeddedStore, EmbeddedTransaction
from docs_layer.keyspace import index_build_key
from docs_layer.store import Chunk
from tests.defects.defect import Defect, Patch, instead, nothing


def entries_in_another_batch(patch: Patch) -> None:
    """Entries of indexes are written after the transaction of the row, one by one."""
    engines: list[lsm.Database] = []
    kept: dict[EmbeddedTransaction, dict[bytes, bytes]] = {}

    def make_begin(begin: Any) -> Any:
        def wrong(self: EmbeddedStore) -> EmbeddedTransaction:
            engines.append(self.engine)
            begun: EmbeddedTransaction = begin(self)
            return begun

        return wrong

    def make_put(put: Any) -> Any:
        def wrong(self: EmbeddedTransaction, key: bytes, value: bytes) -> None:
            if value:
                put(self, key, value)
            else:
                kept.setdefault(self, {})[key] = value

        return wrong

    def make_commit(commit: Any) -> Any:
        def wrong(self: EmbeddedTransaction, *, sync: bool | None = None) -> None:
            commit(self, sync=sync)
            for key, value in kept.pop(self, {}).items():
                engines[-1].put(key, value)

        return wrong

    instead(patch, "docs_layer.embedded_store:EmbeddedStore.transaction", make_begin)
    instead(patch, "docs_layer.embedded_store:EmbeddedTransaction.put", make_put)
    instead(patch, "docs_layer.embedded_store:EmbeddedTransaction.commit", make_commit)


def uniqueness_unvalidated(patch: Patch) -> None:
    """Whether a unique value is there is looked up outside of what the transaction validates."""

    def wrong(self: EmbeddedTransaction, pairs: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
        wanted = dict(pairs)
        present = [key for key in wanted if self.unvalidated.get(key) is not None]
        for key, value in wanted.items() if not present else ():
            self._transaction.put(key, value)
        return present

    patch.setattr(EmbeddedTransaction, "insert", wrong)


def parents_unvalidated(patch: Patch) -> None:
    """Whether a parent is there is looked up outside of what the transaction validates."""

    def wrong(self: EmbeddedTransaction, keys: Sequence[bytes]) -> list[bool]:
        return [self.unvalidated.get(key) is not None for key in keys]

    patch.setattr(EmbeddedTransaction, "exists", wrong)


def referrers_unvalidated(patch: Patch) -> None:
    """Whether rows refer to a deleted one is looked up outside of what the transaction validates."""

    def wrong(self: EmbeddedTransaction, start: bytes, stop: bytes, **rest: Any) -> Iterator[Chunk]:
        return iter(list(self.unvalidated.scan(start, stop, **rest)))

    patch.setattr(EmbeddedTransaction, "scan", wrong)


def builds_not_resumed(patch: Patch) -> None:
    """A build that was interrupted is taken for one that is over."""

    def make(build: Any) -> Any:
        def wrong(store: Any, cache: Any, name: str, number: int, *rest: Any) -> None:
            transaction = store.transaction()
            entry = cache.view(transaction).table_named(name).entry
            if transaction.get(index_build_key(entry.number, number)) is not None:
                index_build._set_ready(transaction, entry, number)
                transaction.commit()
            transaction.rollback()
            build(store, cache, name, number, *rest)

        return wrong

    instead(patch, "docs_layer.index_build:_build", make)


class ReadyOnly:
    """A table of which writers see the indexes that are ready."""

    def __init__(self, table: BoundTable) -> None:
        self._table = table
        self.indexes = tuple(index for index in table.indexes if index.is_ready)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._table, name)


def building_not_maintained(patch: Patch) -> None:
    """Writers leave an index alone while it is being built."""

    def make(write: Any) -> Any:
        return lambda transaction, table, *rest: write(transaction, ReadyOnly(table), *rest)

    instead(patch, "docs_layer.rows_write:_insert_structs", make)
    instead(patch, "docs_layer.rows_update:_change_entries", make)


def old_entries_left(patch: Patch) -> None:
    """An update leaves the entries of the old values."""
    patch.setattr("docs_layer.rows_update.delete_entry", nothing)


def epoch_unvalidated(patch: Patch) -> None:
    """A writer that knows the tables as they were before an index was added may still commit."""
    patch.setattr("lsm.commit.validation.EPOCH_KEY", b"\xff\xffno such key")


DEFECTS = [
    Defect("index entries in another batch than the row", entries_in_another_batch, "crashes of documents"),
    Defect("an update leaves old entries", old_entries_left, "crashes of documents"),
    Defect("unique values are checked outside the transaction", uniqueness_unvalidated, "meetings of documents"),
    Defect("parents are checked outside the transaction", parents_unvalidated, "meetings of documents"),
    Defect("referrers are checked outside the transaction", referrers_unvalidated, "meetings of documents"),
    Defect("the epoch of the catalog is not validated", epoch_unvalidated, "meetings of documents", slow=True),
    Defect("an interrupted build counts as done", builds_not_resumed, "builds of indexes"),
    Defect("an index is not maintained while it is built", building_not_maintained, "builds of indexes"),
]
