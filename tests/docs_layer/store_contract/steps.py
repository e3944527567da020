"""Short words for what the contract's tests do again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from docs_layer.errors import ConflictError
from docs_layer.store import Chunk, Reader, Store, Transaction

Step = Callable[[Transaction], object]


def joined(chunks: Iterable[Chunk]) -> list[tuple[bytes, bytes]]:
    """Give the entries of all chunks; no chunk may be empty or uneven."""
    entries: list[tuple[bytes, bytes]] = []
    for chunk in chunks:
        assert chunk.keys
        entries += zip(chunk.keys, chunk.values, strict=True)
    return entries


def entries(reader: Reader, start: bytes = b"", stop: bytes = b"\xff") -> list[tuple[bytes, bytes]]:
    """Give all entries of a range."""
    return joined(reader.scan(start, stop))


def keys(reader: Reader, start: bytes = b"", stop: bytes = b"\xff", *, limit: int | None = None) -> list[bytes]:
    """Give all keys of a range."""
    return [key for chunk in reader.scan(start, stop, limit=limit, values=False) for key in chunk.keys]


@contextmanager
def committed(store: Store) -> Iterator[Transaction]:
    """Give a transaction and commit it."""
    transaction = store.transaction()
    yield transaction
    transaction.commit()


def seed(store: Store, *names: bytes) -> None:
    """Commit keys with empty values."""
    with committed(store) as transaction:
        for name in names:
            transaction.put(name, b"")


def in_order(*steps: Step) -> Step:
    """Make one step of several."""

    def run(transaction: Transaction) -> None:
        for step in steps:
            step(transaction)

    return run


def overlapping(store: Store, first: Step, second: Step) -> list[bool]:
    """Run two steps in transactions that both begin before either commits; tell which ones committed."""
    transactions = store.transaction(), store.transaction()
    # An implementation may take its snapshot at the first read.
    for transaction in transactions:
        transaction.unvalidated.get(b"never written")
    outcomes = []
    for transaction, step in zip(transactions, (first, second), strict=True):
        try:
            step(transaction)
            transaction.commit()
            outcomes.append(True)
        except ConflictError:
            transaction.rollback()
            outcomes.append(False)
    return outcomes
