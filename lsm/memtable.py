"""The memtable: what one log holds, in memory, with every version of every key.

Structure. `entries` is a dict from key to its newest version `(sequence, value, older version or None)`; an older
version is a tuple of the same kind. A point look-up is one hash look-up, and then as many steps down the chain as there
are versions the reader must not see. Range deletions stand beside it, see `lsm.range_tombstones`. A dict keeps its keys
in the order of their first insertion and only its last keys are ever taken out (`take_back`, in memtables of one
thread), so "the keys added since I last looked" are its last ones; the sorted order is brought up to date with them
only when somebody scans or flushes. A history of all writes (sequences, and keys beside them) tells what was changed
since a transaction began, without sorting.

Threads. One writer at a time: whoever applies a commit holds the apply mutex. Readers run beside it, without that
mutex, for these reasons:

1. A reader sees only versions with sequences up to its own. The writer publishes a sequence only after all entries up
   to it are in, and never adds an entry at or below a published sequence. So nothing that a reader can see changes; all
   that can happen is that something appears which it must skip.
2. A version is an immutable tuple, put in place by one dict store; the version which it replaces hangs below it. A
   reader gets either the old or the new tuple, and finds its own version down the chain of both. Looking up, storing
   and iterating a dict whose keys are exactly `bytes` runs no Python code, so each is one step under the interpreter
   lock (on builds without it, one step under the dict's own lock).
3. `last_sequence` is raised *before* the first entry of a write goes in. A reader that has copied versions and then
   finds `last_sequence` not above its own has copied none that it must skip; only otherwise it looks at each.
4. The sorted order is shared by scanning readers and changed by them, so it has a mutex, held for one refresh or one
   copy of a few keys, never across a yield. A scan copies keys under it and goes on from its last key, so order
   changing in between does not matter. While it is refreshed it is out of its place: an exception in the middle leaves
   none, and the next scan builds a new one from the dict.
5. The newest keys of the dict are copied by one call in C that nothing interrupts. Should the writer still get in
   between asking for their number and copying them, the dict notices that it grew, and the copy is made again.

An exception in the middle of a write (a timer, Ctrl-C) may leave part of it: entries above the published sequence, a
history that misses them, a size that is off. No reader sees that; the writer discards the memtable and replays the log.

Memory. `size_bytes` is an account of Python objects. Measured with tracemalloc on CPython 3.11 with 200,000 random keys
of 16 bytes and values of 100 bytes, each an object of its own, in bytes for each entry beyond the 116 of its content:

    version: tuple and sequence number       96
    dict                                     52    30 when full, 60 just after it grew
    history: two lists                       18
    heads of the two bytes objects           66    and 16 more for the rounding of small objects
    sorted order                              8    once somebody scanned
                                            256    = `ENTRY_BYTES`

A new version of an old key costs 196, because it shares the dict and the order; it is charged the same. A range
deletion cost 494 and its ends, at 10,000 of them; it is charged `RANGE_BYTES`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import compress, islice
from operator import itemgetter
from typing import TypeAlias

from sortedcontainers import SortedList

from lsm.environment import Lock
from lsm.range_tombstones import RangeTombstones
from lsm.runs import MISSING, Missing, Range, Run, Value

Entry: TypeAlias = "tuple[int, Value, Entry | None]"
"""One version of a key: its sequence, its value (None: deleted), and the version before it."""

ENTRY_BYTES = 256
"""What one version costs beside the bytes of its key and value; see the module."""
RANGE_BYTES = 600
"""What one range deletion costs beside the bytes of its ends, with its share of the step functions."""
FIRST_CHUNK = 32
LARGEST_CHUNK = 2048
"""Keys that a scan copies at a time: it begins with a few, then four times as many, so a short scan stays cheap."""
_REBUILD_SHARE = 50
# Adding one key to the sorted order costs about as much as sorting anew costs for this many keys already in order.

_value: Callable[[Entry], Value] = itemgetter(1)


class Memtable:
    """The content of one log, ordered and versioned; see the module for structure, threads and memory.

    Constant: `log_number`. Changed by the writer: all other public attributes. Sequences given to the writing methods
    must ascend from call to call.
    """

    __slots__ = (
        "_lock",
        "_order",
        "_written_keys",
        "_written_sequences",
        "entries",
        "last_sequence",
        "log_number",
        "ranges",
        "size_bytes",
    )

    def __init__(self, log_number: int, lock: Lock) -> None:
        """Make an empty memtable for the log with this number; `lock` becomes the mutex of its sorted order."""
        self.log_number = log_number
        self.entries: dict[bytes, Entry] = {}
        self.ranges: RangeTombstones | None = None
        self.size_bytes = 0
        """Memory in bytes, as Python objects."""
        self.last_sequence = 0
        """The newest sequence here, or about to be; 0 while there is none."""
        self._written_keys: list[bytes] = []
        self._written_sequences: list[int] = []
        self._lock = lock
        self._order: tuple[SortedList[bytes], int] | None = None
        # The keys in order and how many of the dict's keys that are; None while it is refreshed, or before.

    @property
    def entry_count(self) -> int:
        """How many changes were written: puts, deletes and range deletes, each version counted."""
        return len(self._written_keys) + self.range_count

    @property
    def range_count(self) -> int:
        """How many range deletions were written; the caller seals a memtable that has many."""
        return 0 if self.ranges is None else len(self.ranges)

    def put(self, key: bytes, value: Value, sequence: int) -> None:
        """Add a version of `key`; a value of None deletes it. About 0.3 µs."""
        self.last_sequence = sequence
        entries = self.entries
        entries[key] = (sequence, value, entries.get(key))
        self._written_keys.append(key)
        self._written_sequences.append(sequence)
        self.size_bytes += len(key) + ENTRY_BYTES if value is None else len(key) + len(value) + ENTRY_BYTES

    def apply(self, keys: Sequence[bytes], values: Sequence[Value], first_sequence: int) -> None:
        """Add versions with sequences from `first_sequence` upward, in order; a key may come twice. 0.25 µs each."""
        if not keys:
            return
        sequences = range(first_sequence, first_sequence + len(keys))
        self.last_sequence = sequences[-1]
        entries = self.entries
        # All iterators are lazy: the older version of each key is looked up just before the newer one is stored.
        entries.update(zip(keys, zip(sequences, values, map(entries.get, keys), strict=True), strict=True))
        self._written_keys.extend(keys)
        self._written_sequences.extend(sequences)
        self.size_bytes += sum(map(len, keys)) + sum(map(len, filter(None, values))) + ENTRY_BYTES * len(keys)

    def delete_range(self, start: bytes, stop: bytes | None, sequence: int) -> None:
        """Delete all keys of [start, stop), which must not be empty; None = to the end. Some µs."""
        self.last_sequence = sequence
        if self.ranges is None:
            self.ranges = RangeTombstones()
        self.ranges.add(start, stop, sequence)
        self.size_bytes += len(start) + len(stop or b"") + RANGE_BYTES

    def take_back(self, count: int) -> None:
        """Remove the last `count` versions, as if they had never been written. About 0.5 µs each.

        For a memtable that only one thread knows, when no range deletion came after them. Scans at sequences below
        theirs may go on. Later writes need sequences above theirs all the same.
        """
        for _ in range(count):
            self._written_sequences.pop()
            key = self._written_keys.pop()
            _, value, older = self.entries[key]
            self.size_bytes -= len(key) + ENTRY_BYTES + (0 if value is None else len(value))
            if older is None:
                del self.entries[key]
                self._forget(key)
            else:
                self.entries[key] = older

    def get(self, key: bytes, sequence: int) -> bytes | Missing | None:
        """Return the value at `sequence`, None if it is deleted, `MISSING` if nothing here speaks about it.

        About 0.2 µs, and 0.05 µs for each newer version; with range deletions O(log(n)^2) of them more.
        """
        entry = self.entries.get(key)
        while entry is not None and entry[0] > sequence:
            entry = entry[2]
        if self.ranges is None:
            return MISSING if entry is None else entry[1]
        deleted_at = self.ranges.newest(key, sequence)
        if entry is None:
            return None if deleted_at else MISSING
        return entry[1] if entry[0] > deleted_at else None

    def newest_sequence(self, key: bytes) -> int:
        """Return the sequence of the last put, delete or range delete of `key`, 0 if there is none here."""
        entry = self.entries.get(key)
        written = 0 if entry is None else entry[0]
        return written if self.ranges is None else max(written, self.ranges.newest(key, self.last_sequence))

    def changed_in(self, start: bytes | None, stop: bytes | None, since_sequence: int) -> bytes | None:
        """Return some key of [start, stop) that was changed after `since_sequence`, or None.

        For a range deletion it is the first deleted key of the range asked for. For the writer, who has the apply
        mutex. Takes no lock and sorts nothing. Cost: O(changes since then).
        """
        if self.last_sequence <= since_sequence:
            return None
        low = start or b""
        place = bisect_right(self._written_sequences, since_sequence)
        for key in islice(self._written_keys, place, None):
            if low <= key and (stop is None or key < stop):
                return key
        return None if self.ranges is None else self.ranges.changed_in(low, stop, since_sequence)

    def runs(
        self,
        start: bytes | None,
        stop: bytes | None,
        sequence: int,
        reverse: bool = False,
        chunk: int = FIRST_CHUNK,
    ) -> Iterator[Run]:
        """Yield the versions of the keys in [start, stop) that are visible at `sequence`, tombstones included.

        An entry that a newer range deletion hides comes out as a tombstone. Runs have up to `chunk` entries, then four
        times as many, up to 2048. `runs(None, None, last_sequence)` is the whole content, for a flush. About 0.2 µs an
        entry (0.4 µs when far more than the processor's cache), and at the first run the sorting of the new keys.
        """
        low, high, with_low = start, stop, True
        while True:
            keys = self._copy_keys(low, high, with_low, reverse, chunk)
            if not keys:
                return
            full = len(keys) == chunk
            last = keys[-1]
            run = self._visible_run(keys, sequence, reverse)
            if run[0]:
                yield run
            if not full:
                return
            if reverse:
                high = last
            else:
                low, with_low = last, False
            chunk = min(chunk * 4, LARGEST_CHUNK)

    def range_tombstones(self, sequence: int, start: bytes | None = None, stop: bytes | None = None) -> list[Range]:
        """Return what range deletions visible at `sequence` delete in [start, stop): ascending, disjoint ranges."""
        return [] if self.ranges is None else self.ranges.flat(start or b"", stop, sequence)

    def estimate(self, start: bytes | None, stop: bytes | None) -> tuple[int, int]:
        """Return how many keys lie in [start, stop) and about how many bytes keys and values have together."""
        with self._lock:
            order = self._ordered_locked()
            first = 0 if start is None else order.bisect_left(start)
            last = len(order) if stop is None else order.bisect_left(stop)
        entry_count = max(last - first, 0)
        written = len(self._written_keys)
        average = max(self.size_bytes // written - ENTRY_BYTES, 0) if written else 0
        return entry_count, entry_count * average

    def check(self) -> None:
        """Raise `AssertionError` if an invariant is broken. For tests; nobody may write meanwhile."""
        assert len(self._written_keys) == len(self._written_sequences)
        assert all(old < new for old, new in zip(self._written_sequences, self._written_sequences[1:], strict=False))
        versions: dict[bytes, list[int]] = {}
        for key, sequence in zip(self._written_keys, self._written_sequences, strict=True):
            versions.setdefault(key, []).append(sequence)
        assert list(versions) == list(self.entries)
        for key, sequences in versions.items():
            entry: Entry | None = self.entries[key]
            for sequence in reversed(sequences):
                assert entry is not None
                assert entry[0] == sequence
                entry = entry[2]
            assert entry is None
        if self.ranges is not None:
            self.ranges.check()
        with self._lock:
            assert list(self._ordered_locked()) == sorted(self.entries)

    def _copy_keys(
        self, low: bytes | None, high: bytes | None, with_low: bool, reverse: bool, limit: int
    ) -> list[bytes]:
        """Return up to `limit` keys from `low` (included or not) to before `high`, in the direction of the scan."""
        with self._lock:
            order = self._ordered_locked()
            return list(islice(order.irange(low, high, inclusive=(with_low, False), reverse=reverse), limit))

    def _ordered_locked(self) -> SortedList[bytes]:
        """Return the sorted keys, brought up to date. The caller holds the lock for as long as it uses them."""
        known = self._order
        count = 0 if known is None else known[1]
        if known is not None and count == len(self.entries):
            return known[0]
        fresh = self._keys_from(count)
        self._order = None
        if known is None:
            order = SortedList(fresh)
        elif len(fresh) * _REBUILD_SHARE > count:
            order = SortedList([*known[0], *fresh])
        else:
            order = known[0]
            order.update(fresh)
        self._order = (order, count + len(fresh))
        return order

    def _forget(self, key: bytes) -> None:
        """Take a key that was the dict's last one out of the sorted keys, if it got there."""
        with self._lock:
            if self._order is not None and self._order[1] > len(self.entries):
                order, count = self._order
                order.remove(key)
                self._order = (order, count - 1)

    def _keys_from(self, count: int) -> list[bytes]:
        """Return all keys of the dict but the first `count`, in any order."""
        entries = self.entries
        while True:
            newest_first = reversed(entries)
            try:
                return list(islice(newest_first, len(entries) - count))
            except RuntimeError:
                continue  # the writer added a key since `reversed`; see the module, point 5

    def _visible_run(self, keys: list[bytes], sequence: int, reverse: bool) -> Run:
        """Return the entries of `keys` (not empty, in the direction of the scan) as they are at `sequence`."""
        found = list(map(self.entries.__getitem__, keys))
        if self.last_sequence > sequence:
            versions = [entry if entry[0] <= sequence else _version(entry, sequence) for entry in found]
            if not all(versions):
                keys = list(compress(keys, versions))
            found = [entry for entry in versions if entry is not None]
        values = list(map(_value, found))
        if self.ranges is not None and keys:
            self._hide(keys, found, values, sequence, reverse)
        return keys, values

    def _hide(self, keys: list[bytes], entries: list[Entry], values: list[Value], sequence: int, reverse: bool) -> None:
        """Turn the values which a newer range deletion hides into tombstones."""
        assert self.ranges is not None
        ascending = keys[::-1] if reverse else keys
        count = len(keys)
        for start, stop, deleted_at in self.ranges.steps(ascending[0], ascending[-1] + b"\0", sequence).pieces():
            first = bisect_left(ascending, start)
            last = count if stop is None else bisect_left(ascending, stop, lo=first)
            for place in range(count - last, count - first) if reverse else range(first, last):
                if entries[place][0] < deleted_at:
                    values[place] = None


def _version(entry: Entry | None, sequence: int) -> Entry | None:
    """Return the newest version in the chain that is not above `sequence`, or None."""
    while entry is not None and entry[0] > sequence:
        entry = entry[2]
    return entry
