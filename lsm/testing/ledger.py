"""The oracle's memory: what a program began, what it was told is done, and what it was told survives a power loss.

It lies outside the simulated disk, so that no crash can touch it. An entry is whatever the test compares by: the number
of an order, or the whole content after a commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Generic, NamedTuple, TypeVar

Entry = TypeVar("Entry")


class Promise(NamedTuple):
    """Numbers of entries, counted from the beginning. What is recovered must be the first n of them.

    `durable` <= n after a power loss, `acknowledged` <= n after a kill, and n <= `issued` always.
    """

    durable: int
    acknowledged: int
    issued: int


class Ledger(Generic[Entry]):
    """Entries in the order in which they were begun. Not for several threads at once."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        """Begin with entries that are durable, such as the empty state."""
        self.entries: list[Entry] = list(entries)
        self.acknowledged = self.durable = len(self.entries)

    @property
    def promise(self) -> Promise:
        """What holds if everything ends now."""
        return Promise(self.durable, self.acknowledged, len(self.entries))

    @property
    def last(self) -> Entry:
        """The newest entry."""
        return self.entries[-1]

    def issue(self, entry: Entry) -> None:
        """Record that an entry is on its way: a crash may lose it or not."""
        self.entries.append(entry)

    def acknowledge(self) -> None:
        """Record that the last entry was answered: it survives a kill."""
        self.acknowledged = len(self.entries)

    def settle(self) -> None:
        """Record that all answered entries survive a power loss as well."""
        self.durable = self.acknowledged

    def withdraw(self) -> None:
        """Record that the last entry was answered by an error which says that it was not made."""
        del self.entries[-1]

    def accept(self, count: int) -> None:
        """Record that the first `count` entries turned out to be there for good, and the others not."""
        del self.entries[count:]
        self.acknowledged = self.durable = count

    @contextmanager
    def promise_of(self, entry: Entry, *, durable: bool) -> Iterator[None]:
        """Issue an entry before the block and acknowledge it after; an exception leaves open whether it was made.

        durable: the block makes it durable, and with it all that was acknowledged before.
        """
        self.issue(entry)
        yield
        self.acknowledge()
        if durable:
            self.settle()
