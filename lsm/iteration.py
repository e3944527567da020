"""Iterators that a user holds: entries or keys of a view, chunk by chunk, until closed, exhausted or collected.

An iterator pins its view (memtables and table files) while it lives. Its first chunks are small, so that taking a few
entries is cheap; the chunks grow, so that a long scan costs little for each entry.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from lsm.core import Core
from lsm.errors import ClosedError
from lsm.keys import user_keys

Item = TypeVar("Item")
Chunk = tuple[list[bytes], list[bytes]]
"""Keys and the values beside them; the values are empty when only keys were asked for."""


class _Guard:
    """Whether an iterator may go on; apart from it, so that it is no cycle and goes as soon as it is dropped."""

    __slots__ = ("closed", "core")

    def __init__(self, core: Core) -> None:
        self.core = core
        self.closed = False

    def check(self) -> None:
        if self.closed:
            raise ClosedError("the iterator was closed")
        if self.core.closed is not None:
            raise self.core.closed_error()


class Scan(Iterator[Item], Generic[Item]):
    """An iterator over a view that never changes, whatever is written, flushed or compacted meanwhile.

    For one thread at a time. `close()` releases the view at once; using the iterator afterwards, or after the database
    was closed, raises `ClosedError` (at the latest at the end of the chunk that was already read). A `for` loop runs
    on the generator inside, which spares a call for each entry.
    """

    def __init__(self, core: Core, chunks: Iterator[Chunk], *, values: bool) -> None:
        self._chunks = chunks
        self._guard = _Guard(core)
        self._items: Iterator[Item] = _walk(self._guard, chunks, values=values)

    def __iter__(self) -> Iterator[Item]:  # noqa: PYI034  # the generator inside, which spares a call for each item
        """Return the generator of items; raise `ClosedError` if this was closed."""
        self._guard.check()
        return self._items

    def __next__(self) -> Item:
        """Return the next item; raise `ClosedError` if this was closed."""
        self._guard.check()
        return next(self._items)

    def __enter__(self) -> Self:
        """Return the iterator itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Release the view. Closing twice is allowed."""
        self._guard.closed = True
        close = getattr(self._chunks, "close", None)
        if close is not None:
            close()


def _walk(guard: _Guard, chunks: Iterator[Chunk], *, values: bool) -> Iterator[Any]:
    """Yield the pairs, or the keys, of all chunks."""
    for keys, entry_values in chunks:
        guard.check()
        yield from zip(keys, entry_values, strict=True) if values else keys
    guard.check()


def limited(
    chunks: Iterator[tuple[list[bytes], list[Item]]], limit: int | None
) -> Iterator[tuple[list[bytes], list[Item]]]:
    """Yield the chunks up to `limit` entries in all; the chunk source is closed as soon as they are reached."""
    if limit is None:
        yield from chunks
        return
    left = limit
    while left > 0:
        chunk = next(chunks, None)
        if chunk is None:
            return
        keys, values = chunk
        yield (keys, values) if len(keys) <= left else (keys[:left], values[:left])
        left -= len(keys)


def as_users(core: Core, chunks: Iterator[tuple[list[bytes], list[Item]]]) -> Iterator[tuple[list[bytes], list[Item]]]:
    """Yield the chunks with users' keys, as long as the database is open."""
    for keys, values in while_open(core, chunks):
        yield user_keys(keys), values


def while_open(core: Core, chunks: Iterator[Item]) -> Iterator[Item]:
    """Yield the chunks; raise `ClosedError` instead of the next one, or of the end, when the database was closed."""
    while True:
        if core.closed is not None:
            raise core.closed_error()
        chunk = next(chunks, None)
        if chunk is None:
            return
        yield chunk
