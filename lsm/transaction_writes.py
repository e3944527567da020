"""The own writes of a transaction: the changes in order, and a memtable that shows them to its own reads.

Puts are collected and shown in one go when somebody reads, so a transaction that only writes pays for a list entry
each.
"""

from __future__ import annotations

from collections.abc import Sequence

from lsm.core import Core
from lsm.memtable import Memtable
from lsm.runs import Value
from lsm.transaction_changes import Add, Append, Change, DeleteRange, Puts

CHANGE_BYTES = 300
"""Memory of one change beside the bytes of its key and value."""


class OwnWrites:
    """For one thread. `size_bytes` is the memory of all changes, about."""

    __slots__ = ("_core", "_memtable", "_open", "_sequence", "_shown", "added", "changes", "size_bytes")

    def __init__(self, core: Core) -> None:
        self._core = core
        self._begin()

    def _begin(self) -> None:
        self.changes: list[Change] = []
        self.size_bytes = 0
        self.added: dict[bytes, int] = {}
        """What was added to counters since their last own deletion."""
        self._memtable: Memtable = self._core.new_memtable(0)
        self._sequence = 0
        self._open: Puts | None = None
        """The last change, if it takes more puts."""
        self._shown = 0
        """How many of its puts the memtable has."""

    def put(self, key: bytes, value: Value) -> None:
        """Set an internal key or, with None, delete it."""
        puts = self._puts()
        puts.keys.append(key)
        puts.values.append(value)
        self.size_bytes += len(key) + (0 if value is None else len(value)) + CHANGE_BYTES

    def put_many(self, keys: Sequence[bytes], values: Sequence[Value]) -> None:
        """Set or delete many internal keys, in order."""
        puts = self._puts()
        puts.keys += keys
        puts.values += values
        self.size_bytes += sum(map(len, keys)) + sum(map(len, filter(None, values))) + CHANGE_BYTES * len(keys)

    def delete_range(self, start: bytes, stop: bytes) -> None:
        """Delete the internal keys of [start, stop), which is not empty."""
        self._close()
        self.changes.append(DeleteRange(start, stop))
        self._sequence += 1
        self._memtable.delete_range(start, stop, self._sequence)
        self.added = {key: delta for key, delta in self.added.items() if not start <= key < stop}
        self.size_bytes += len(start) + len(stop) + CHANGE_BYTES

    def add(self, key: bytes, delta: int) -> None:
        """Add to the counter with this internal key."""
        self._close()
        self.changes.append(Add(key, delta))
        self.added[key] = self.added.get(key, 0) + delta
        self.size_bytes += len(key) + CHANGE_BYTES

    def append(self, prefix: bytes, value: bytes) -> None:
        """Append to the log with this prefix; it is read through snapshots, after its positions were given."""
        self._close()
        self.changes.append(Append(prefix, value))
        self.size_bytes += len(prefix) + len(value) + CHANGE_BYTES

    def shown(self) -> tuple[Memtable, int]:
        """Return a memtable with everything written so far, and the sequence at which it is all visible there.

        What is written later has higher sequences; a scan that is under way does not see it.
        """
        puts = self._open
        if puts is not None and self._shown < len(puts.keys):
            keys, values = puts.keys[self._shown :], puts.values[self._shown :]
            self._memtable.apply(keys, values, self._sequence + 1)
            self._sequence += len(keys)
            self._shown += len(keys)
        return self._memtable, self._sequence

    def mark(self) -> int:
        """Return a mark for `rollback_to`."""
        self._close()
        return len(self.changes)

    def rollback_to(self, mark: int) -> None:
        """Undo what came after the mark; scans that were under way then go on.

        Cost: the puts that are undone; if other changes are among them, all that came before the mark.
        """
        undone = [change for change in self.changes[mark:] if isinstance(change, Puts)]
        if len(undone) == len(self.changes) - mark:
            self._take_back(undone)
            del self.changes[mark:]
        else:
            self._rebuild(self.changes[:mark])

    def _take_back(self, undone: Sequence[Puts]) -> None:
        """Undo the last changes; all of their puts are in the memtable but the newest of the open one."""
        for puts in undone:
            self._memtable.take_back(self._shown if puts is self._open else len(puts.keys))
            self.size_bytes -= sum(map(len, puts.keys)) + sum(map(len, filter(None, puts.values)))
            self.size_bytes -= CHANGE_BYTES * len(puts.keys)
        self._open = None

    def _rebuild(self, kept: Sequence[Change]) -> None:
        """Begin anew with the changes that stay. Scans that are under way keep the memtable that they began with."""
        self._begin()
        for change in kept:
            match change:
                case Puts():
                    self.put_many(change.keys, change.values)
                    self._close()
                case DeleteRange(start, stop):
                    self.delete_range(start, stop)
                case Add(key, delta):
                    self.add(key, delta)
                case Append(prefix, value):
                    self.append(prefix, value)

    def _puts(self) -> Puts:
        if self._open is None:
            self._open = Puts()
            self._shown = 0
            self.changes.append(self._open)
        return self._open

    def _close(self) -> None:
        """Show all puts and begin a new change with the next one."""
        self.shown()
        self._open = None
