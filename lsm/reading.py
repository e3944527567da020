"""Reads that the database handle and its snapshots have in common; each works on one view from beginning to end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar, overload

from lsm.core import Core
from lsm.iteration import Chunk, Scan, as_users, limited, while_open
from lsm.keys import (
    EPOCH_KEY,
    POSITION_BYTES,
    RESERVED,
    counter_key,
    counter_name,
    decode_integer,
    internal_key,
    internal_keys,
    internal_range,
    log_prefix,
    prefix_end,
)
from lsm.options import MAXIMUM_KEY_BYTES
from lsm.state import View

Default = TypeVar("Default")


class Reader:
    """Point and range reads over the view that `_view` gives. Any number of threads."""

    __slots__ = ("_core",)

    def __init__(self, core: Core) -> None:
        self._core = core

    def _view(self) -> View:
        """Return the view to read; raise `ClosedError` when that is over."""
        raise NotImplementedError

    @overload
    def get(self, key: bytes) -> bytes | None: ...
    @overload
    def get(self, key: bytes, default: Default) -> bytes | Default: ...
    def get(self, key: bytes, default: object = None) -> object:
        """Return the value of `key`, or `default` when there is none.

        Raises `ClosedError`, `InvalidArgumentError`, `CorruptionError`, `StorageError`. Cost: one hash look-up in each
        memtable, and at most one block in each level, most of them spared by filters.
        """
        # The checks of `keys` in line, for `read_random` in bench.
        if type(key) is not bytes or key >= RESERVED or len(key) > MAXIMUM_KEY_BYTES:
            key = internal_key(key)
        state, sequence = self._view()
        value = state.get(key, sequence)
        return default if value is None else value

    def multi_get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of `keys` in their order, None for absent ones; all from one view. Raises as `get`."""
        state, sequence = self._view()
        return state.multi_get(internal_keys(keys), sequence)

    def scan(
        self,
        start: bytes | None = None,
        stop: bytes | None = None,
        *,
        prefix: bytes | None = None,
        reverse: bool = False,
        limit: int | None = None,
    ) -> Scan[tuple[bytes, bytes]]:
        """Iterate over the entries with start <= key < stop that begin with `prefix`, in the order of keys.

        None means no bound; `reverse` begins at the end; `limit` entries at most. The iterator shows one view, that of
        this call, whatever is written meanwhile; it may be closed early. Cost: about 0.3 µs an entry from tables.
        """
        return Scan(self._core, self._chunks(start, stop, prefix, reverse, limit, values=True), values=True)

    def scan_keys(
        self,
        start: bytes | None = None,
        stop: bytes | None = None,
        *,
        prefix: bytes | None = None,
        reverse: bool = False,
        limit: int | None = None,
    ) -> Scan[bytes]:
        """Iterate as `scan`, over the keys alone."""
        return Scan(self._core, self._chunks(start, stop, prefix, reverse, limit, values=False), values=False)

    def scan_chunks(
        self,
        start: bytes | None = None,
        stop: bytes | None = None,
        *,
        prefix: bytes | None = None,
        reverse: bool = False,
        limit: int | None = None,
        values: bool = True,
    ) -> Iterator[Chunk]:
        """Iterate as `scan`, by pairs of lists (keys, values): the fastest form. Values are empty if not wanted."""
        return self._chunks(start, stop, prefix, reverse, limit, values=values)

    def _chunks(
        self,
        start: bytes | None,
        stop: bytes | None,
        prefix: bytes | None,
        reverse: bool,
        limit: int | None,
        *,
        values: bool,
    ) -> Iterator[Chunk]:
        state, sequence = self._view()
        low, high = internal_range(start, stop, prefix)
        chunks = state.scan(low, high, sequence, reverse=reverse, limit_hint=limit, values=values)
        return as_users(self._core, limited(chunks, limit))

    def estimate(self, start: bytes | None = None, stop: bytes | None = None) -> tuple[int, int]:
        """Return a guess of the number of entries in [start, stop) and of their bytes, from indexes alone."""
        state, _ = self._view()
        return state.estimate(*internal_range(start, stop))

    @property
    def epoch(self) -> int:
        """The number of `Transaction.bump_epoch` calls committed before this view."""
        state, sequence = self._view()
        for since, epoch in reversed(self._core.epochs):
            if since <= sequence:
                return epoch
        return decode_integer(state.get(EPOCH_KEY, sequence))

    def counter(self, name: bytes) -> int:
        """Return the value of a counter; one that was never added to is 0."""
        state, sequence = self._view()
        return decode_integer(state.get(counter_key(name), sequence))

    def counters(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, int]]:
        """Iterate over (name, value) of the counters with start <= name < stop."""
        state, sequence = self._view()
        chunks = state.scan(counter_key(start), counter_key(stop), sequence)
        return ((counter_name(key), decode_integer(value)) for key, value in self._entries(chunks))

    def log(self, name: bytes, after: bytes | None = None, limit: int | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Iterate over (position, value) of a log, in the order of commits, from behind position `after`.

        Nothing will ever appear at or before a position that was seen.
        """
        state, sequence = self._view()
        prefix = log_prefix(name)
        start = prefix if after is None else prefix + after + b"\x00"
        stop = prefix_end(prefix)
        chunks = limited(state.scan(start, stop, sequence, limit_hint=limit), limit)
        return ((key[-POSITION_BYTES:], value) for key, value in self._entries(chunks))

    def _entries(self, chunks: Iterator[Chunk]) -> Iterator[tuple[bytes, bytes]]:
        """Yield the entries of chunks of internal keys."""
        for keys, values in while_open(self._core, chunks):
            yield from zip(keys, values, strict=True)
