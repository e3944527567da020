"""A sorted map that keeps old versions: each key has a chain, newest first, and a sequence number picks one of them.

Invariants: a chain is (sequence, value or None for absent, older part or None), never changed, only replaced by one
assignment; sequence numbers fall along it. Every key that any live view may see has a chain.

Thread safety: `at` may run beside one writer, because it reads one reference and then only tuples; what is newer than
its sequence number is skipped. All other methods need the caller's lock (`_locked`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Generic, TypeVar

from docs_layer.memory_store.key_order import KeyOrder

Value = TypeVar("Value")
Node = tuple[int, Value | None, "Node[Value] | None"]


class VersionedMap(Generic[Value]):
    """Keys of `bytes` to versions of their values."""

    def __init__(self) -> None:
        self._chains: dict[bytes, Node[Value]] = {}
        self._order = KeyOrder(self._chains)
        self._superseded: deque[tuple[int, bytes]] = deque()
        """(sequence, key) of versions that hide an older one, oldest first: what can be dropped one day."""

    def at(self, key: bytes, sequence: int) -> Value | None:
        """Return the value that a view of `sequence` sees, or None. Any thread, no lock."""
        node = self._chains.get(key)
        while node is not None:
            if node[0] <= sequence:
                return node[1]
            node = node[2]
        return None

    def newest_locked(self, key: bytes) -> tuple[int, Value | None]:
        """Return sequence and value of the newest version, (0, None) for a key that is not known."""
        node = self._chains.get(key)
        return (0, None) if node is None else (node[0], node[1])

    def keys_locked(self, start: bytes, stop: bytes, count: int | None = None, reverse: bool = False) -> list[bytes]:
        """Return up to `count` known keys in [start, stop), whether a view sees them or not."""
        return self._order.between(start, stop, count, reverse)

    def count_locked(self, start: bytes, stop: bytes) -> int:
        """Return the number of known keys in [start, stop)."""
        return self._order.count(start, stop)

    def apply_locked(self, changes: Mapping[bytes, Value | None], sequence: int) -> None:
        """Add a version of each key; None is absence. Doing it again after an exception in the middle completes it."""
        chains = self._chains
        for key, value in changes.items():
            node = chains.get(key)
            if node is None:
                if value is None:
                    continue
                self._order.add(key)
            elif node[0] == sequence or (value is None and node[1] is None):
                continue
            else:
                self._superseded.append((sequence, key))
            chains[key] = (sequence, value, node)

    def forget_locked(self, oldest: int) -> None:
        """Drop what no view of `oldest` or later sees. Costs a constant for each version that was superseded."""
        gone = []
        superseded = self._superseded
        while superseded and superseded[0][0] <= oldest:
            key = superseded[0][1]
            node = self._chains.get(key)
            if node is not None:
                kept = _cut(node, oldest)
                if kept is None:
                    gone.append(key)
                else:
                    self._chains[key] = kept
            superseded.popleft()
        if gone:
            self._order.remove(gone)


def _cut(node: Node[Value], oldest: int) -> Node[Value] | None:
    """Return the chain without what lies below the version that `oldest` sees; None if nothing but absence is left."""
    newer = []
    rest: Node[Value] | None = node
    while rest is not None and rest[0] > oldest:
        newer.append(rest)
        rest = rest[2]
    chain: Node[Value] | None = None if rest is None or rest[1] is None else (rest[0], rest[1], None)
    for sequence, value, _ in reversed(newer):
        chain = (sequence, value, chain)
    return chain
