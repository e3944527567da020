"""Scans in chunks over one or two sorted sets of keys. Pure but for the functions they are given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from docs_layer.store import Chunk

KeySource: TypeAlias = Callable[[bytes, bytes, int, bool], list[bytes]]
"""(start, stop, count, reverse) to at most `count` keys, in order."""

FIRST_CHUNK_ENTRIES = 32
CHUNK_ENTRIES_LIMIT = 1024


def scan_chunks(
    sources: Sequence[KeySource],
    look: Callable[[bytes], bytes | None],
    start: bytes,
    stop: bytes,
    *,
    reverse: bool,
    limit: int | None,
    values: bool,
) -> Iterator[Chunk]:
    """Iterate over the keys of all sources that have a value, in chunks that grow.

    Args:
        sources: Where keys come from; a key may come from several.
        look: The value of a key, None if it is absent.
        start: First key.
        stop: Key behind the last one.
        reverse: From the greatest key down.
        limit: Greatest number of entries, None for all.
        values: False for keys only.
    """
    count = FIRST_CHUNK_ENTRIES
    while start < stop and (limit is None or limit > 0):
        keys, edge = _next_keys(sources, start, stop, count, reverse)
        found = [(key, value) for key in keys if (value := look(key)) is not None][:limit]
        if found:
            yield Chunk([key for key, _ in found], [value for _, value in found] if values else [])
        if edge is None:
            return
        if reverse:
            stop = edge
        else:
            start = edge + b"\0"
        if limit is not None:
            limit -= len(found)
        count = min(count * 2, CHUNK_ENTRIES_LIMIT)


def _next_keys(
    sources: Sequence[KeySource], start: bytes, stop: bytes, count: int, reverse: bool
) -> tuple[list[bytes], bytes | None]:
    """Return the next keys of all sources together, and the last key up to which they are complete (None: the end)."""
    parts = [source(start, stop, count, reverse) for source in sources]
    edges = [part[-1] for part in parts if len(part) == count]
    edge = (max if reverse else min)(edges, default=None)
    if len(parts) == 1:
        return parts[0], edge
    keys = sorted(set().union(*parts), reverse=reverse)
    if edge is not None:
        keys = [key for key in keys if (key >= edge if reverse else key <= edge)]
    return keys, edge
