"""The memtables since a moment, for those who must know what was written since: open transactions.

Links form a chain, older to newer. Whoever holds a link keeps its memtable and all later ones alive, flushed ones
included; nobody else does, so a snapshot or a long scan pins only what it reads. The handle holds the newest link.
"""

from __future__ import annotations

from collections.abc import Iterator

from lsm.memtable import Memtable


class HistoryLink:
    """One memtable and, once there is one, the link of the next. `following` is set once, under the commit mutex."""

    __slots__ = ("following", "memtable")

    def __init__(self, memtable: Memtable) -> None:
        self.memtable = memtable
        self.following: HistoryLink | None = None

    def extended(self, memtable: Memtable) -> HistoryLink:
        """Append a link for the memtable that takes the writes from now on; return it."""
        self.following = HistoryLink(memtable)
        return self.following

    def memtables(self) -> Iterator[Memtable]:
        """Yield this memtable and all later ones."""
        link: HistoryLink | None = self
        while link is not None:
            yield link.memtable
            link = link.following
