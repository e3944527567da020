"""The writes of one transaction: a journal of changes, and what reads of the transaction see of it.

A change is numbered by its place in the journal, from 1. A read that is as of number n sees the changes 1 to n, so a
scan that is going on never sees what was written after it began; a mark is such a number. Used by one thread.
"""

from __future__ import annotations

from docs_layer.memory_store.changes import Add, Change, DeleteCounters, DeleteRange, Put
from docs_layer.memory_store.key_order import KeyOrder
from docs_layer.memory_store.versions import Node


class WriteBuffer:
    """Journal and look-up of own writes."""

    def __init__(self) -> None:
        self.journal: list[Change] = []
        self._chains: dict[bytes, Node[bytes]] = {}
        self._order = KeyOrder(self._chains)
        self._ranges: list[tuple[int, DeleteRange]] = []
        self._counter_changes: list[Add | DeleteCounters] = []

    @property
    def number(self) -> int:
        """The number of the last change."""
        return len(self.journal)

    def record(self, change: Change) -> None:
        """Take one change."""
        self.journal.append(change)
        if isinstance(change, Put):
            older = self._chains.get(change.key)
            if older is None:
                self._order.add(change.key)
            self._chains[change.key] = (len(self.journal), change.value, older)
        elif isinstance(change, DeleteRange):
            self._ranges.append((len(self.journal), change))
        elif isinstance(change, Add | DeleteCounters):
            self._counter_changes.append(change)

    def undo_to(self, mark: int) -> None:
        """Forget all changes behind the mark. Cost: proportional to their number."""
        gone = []
        for change in reversed(self.journal[mark:]):
            if isinstance(change, Put):
                older = self._chains.pop(change.key)[2]
                if older is None:
                    gone.append(change.key)
                else:
                    self._chains[change.key] = older
            elif isinstance(change, DeleteRange):
                self._ranges.pop()
            elif isinstance(change, Add | DeleteCounters):
                self._counter_changes.pop()
        self._order.remove(gone)
        del self.journal[mark:]

    def find(self, key: bytes, number: int) -> tuple[bytes | None] | None:
        """Return the key's own value (None inside for "removed") as of a number; None if nothing was said about it."""
        node = self._chains.get(key)
        while node is not None and node[0] > number:
            node = node[2]
        written = 0 if node is None else node[0]
        for place, change in reversed(self._ranges):
            if place <= written:
                break
            if place <= number and change.start <= key < change.stop:
                return (None,)
        return None if node is None else (node[1],)

    def keys(self, start: bytes, stop: bytes, count: int | None = None, reverse: bool = False) -> list[bytes]:
        """Return up to `count` keys in [start, stop) that were put or removed."""
        return self._order.between(start, stop, count, reverse)

    def counter(self, name: bytes, base: int | None) -> int | None:
        """Return what own changes make of a counter whose stored value is `base` (None: absent)."""
        for change in self._counter_changes:
            if isinstance(change, Add):
                if change.name == name:
                    base = (base or 0) + change.delta
            elif change.start <= name < change.stop:
                base = None
        return base

    def counter_names(self, start: bytes, stop: bytes) -> set[bytes]:
        """Return the names in [start, stop) that were added to."""
        return {
            change.name for change in self._counter_changes if isinstance(change, Add) and start <= change.name < stop
        }
