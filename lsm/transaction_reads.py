"""The reads of a transaction: its view, its own writes above it, and a memory of what was read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lsm.commit.validation import ReadSet
from lsm.core import Core
from lsm.iteration import Chunk, Scan, as_users, limited
from lsm.keys import (
    EPOCH_KEY,
    counter_key,
    counter_name,
    decode_integer,
    internal_key,
    internal_keys,
    internal_range,
)
from lsm.merging import Source, merge
from lsm.runs import MISSING, Value
from lsm.state import State, View
from lsm.transaction_writes import OwnWrites


class TransactionReads:
    """Reads for one thread. With a `ReadSet` they are remembered and validated at commit; with None they are not."""

    def __init__(self, core: Core, view: View, reads: ReadSet | None, own: OwnWrites) -> None:
        self._core = core
        self._state: State
        self._state, self._sequence = view
        self._reads = reads
        self._own = own

    def get(self, key: bytes, default: bytes | None = None) -> bytes | None:
        """Return the value of `key`, or `default`; validated at commit unless the transaction wrote the key itself."""
        self._check_open()
        value = self._lookup(internal_key(key))
        return default if value is None else value

    def multi_get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of `keys` in their order, None for absent ones; each validated as by `get`."""
        self._check_open()
        wanted = internal_keys(keys)
        memtable, sequence = self._own.shown()
        own = [memtable.get(key, sequence) for key in wanted]
        asked = [key for key, value in zip(wanted, own, strict=True) if value is MISSING]
        for key in asked:
            self._remember_key(key)
        found = iter(self._state.multi_get(asked, self._sequence))
        return [next(found) if value is MISSING else value for value in own]

    def exists(self, keys: Sequence[bytes]) -> list[bool]:
        """Tell for each key whether it exists. Validated as presence only: an overwrite by others is no conflict."""
        self._check_open()
        return self._present(internal_keys(keys))

    def scan(
        self,
        start: bytes | None = None,
        stop: bytes | None = None,
        *,
        prefix: bytes | None = None,
        reverse: bool = False,
        limit: int | None = None,
    ) -> Scan[tuple[bytes, bytes]]:
        """Iterate over entries as `Database.scan`, own writes as of this call included.

        Validated is the range from its beginning to the last chunk handed out.
        """
        chunks = self.scan_chunks(start, stop, prefix=prefix, reverse=reverse, limit=limit)
        return Scan(self._core, chunks, values=True)

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
        chunks = self.scan_chunks(start, stop, prefix=prefix, reverse=reverse, limit=limit, values=False)
        return Scan(self._core, chunks, values=False)

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
        """Iterate as `scan`, by pairs of lists (keys, values)."""
        self._check_open()
        low, high = internal_range(start, stop, prefix)
        merged = limited(self._merged(low, high, reverse=reverse, limit=limit, values=values), limit)
        chunks = self._remembered(merged, low, high, reverse=reverse, limit=limit)
        return as_users(self._core, chunks if values else ((keys, list[bytes]()) for keys, _ in chunks))

    def counter(self, name: bytes) -> int:
        """Return the value of a counter with what this transaction added; validated."""
        self._check_open()
        key = counter_key(name)
        return decode_integer(self._lookup(key)) + self._own.added.get(key, 0)

    def counters(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, int]]:
        """Iterate over (name, value) of the counters with start <= name < stop; validated."""
        self._check_open()
        low, high = counter_key(start), counter_key(stop)
        totals = {key: delta for key, delta in self._own.added.items() if low <= key < high}
        merged = self._merged(low, high, reverse=False, limit=None, values=True)
        for keys, values in self._remembered(merged, low, high, reverse=False, limit=None):
            for key, value in zip(keys, values, strict=True):
                totals[key] = totals.get(key, 0) + decode_integer(value)
        return iter([(counter_name(key), totals[key]) for key in sorted(totals)])

    @property
    def epoch(self) -> int:
        """The number of `bump_epoch` calls committed before this transaction; each one that writes validates it."""
        self._check_open()
        for since, epoch in reversed(self._core.epochs):
            if since <= self._sequence:
                return epoch
        return decode_integer(self._state.get(EPOCH_KEY, self._sequence))

    def _present(self, keys: list[bytes]) -> list[bool]:
        """Tell for each internal key whether it exists, and remember the answer."""
        memtable, sequence = self._own.shown()
        own = [memtable.get(key, sequence) for key in keys] if memtable.last_sequence else [MISSING] * len(keys)
        asked = [key for key, value in zip(keys, own, strict=True) if value is MISSING]
        present = [value is not None for value in self._state.multi_get(asked, self._sequence)]
        if self._reads is not None:
            self._reads.add_presence(asked, present)
            self._check_size()
        answers = iter(present)
        return [next(answers) if value is MISSING else value is not None for value in own]

    def _lookup(self, key: bytes) -> Value:
        """Return the value of an internal key and remember that it was read."""
        memtable, sequence = self._own.shown()
        value = memtable.get(key, sequence)
        if value is not MISSING:
            return value
        self._remember_key(key)
        return self._state.get(key, self._sequence)

    def _remember_key(self, key: bytes) -> None:
        if self._reads is not None:
            self._reads.add_key(key)
            self._check_size()

    def _merged(
        self, low: bytes, high: bytes, *, reverse: bool, limit: int | None, values: bool
    ) -> Iterator[tuple[list[bytes], list[Value]]]:
        """Yield the entries of view and own writes together, those of the own writes as of this call."""
        below = self._state.scan(low, high, self._sequence, reverse=reverse, limit_hint=limit, values=values)
        memtable, sequence = self._own.shown()
        if memtable.last_sequence == 0:
            return ((keys, list[Value](entries)) for keys, entries in below)
        padded = ((keys, list[Value](entries if values else [b""] * len(keys))) for keys, entries in below)
        own = Source(memtable.runs(low, high, sequence, reverse), memtable.range_tombstones(sequence))
        return merge([own, Source(padded)], reverse=reverse)

    def _remembered(
        self,
        runs: Iterator[tuple[list[bytes], list[Value]]],
        low: bytes,
        high: bytes,
        *,
        reverse: bool,
        limit: int | None,
    ) -> Iterator[Chunk]:
        """Hand out chunks, and remember the range up to the end of each before it is handed out.

        What lies behind the last entry is remembered only if the scan found its end, not if it stopped at its limit.
        """
        count = 0
        for keys, values in runs:
            count += len(keys)
            if reverse:
                self._remember_range(keys[-1], high)
                high = keys[-1]
            else:
                self._remember_range(low, keys[-1] + b"\x00")
                low = keys[-1] + b"\x00"
            yield keys, [value for value in values if value is not None]
        if limit is None or count < limit:
            self._remember_range(low, high)

    def _remember_range(self, low: bytes, high: bytes) -> None:
        if self._reads is not None and low < high:
            self._reads.add_range(low, high)
            self._check_size()

    def _check_open(self) -> None:
        if self._core.closed is not None:
            raise self._core.closed_error()

    def _check_size(self) -> None:
        """Raise `TransactionTooLargeError` when more is remembered than allowed."""
