"""What a workload does, as plain values, so that it can be made at random, made smaller, and repeated."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Literal, NamedTuple

from lsm.testing.statements import COUNTER, Count, Delete, DeleteRange, Put, Statement

Way = Literal["plain", "batch", "transaction"]


class Commit(NamedTuple):
    """Write some statements at once."""

    way: Way
    statements: tuple[Statement, ...]
    sync: bool = False

    @property
    def effect(self) -> tuple[Statement, ...]:
        """The statements, and what the way of writing adds to them."""
        return (*self.statements, Count(COUNTER)) if self.way == "transaction" else self.statements


class Flush(NamedTuple):
    """Write the memtables into tables."""


class Compact(NamedTuple):
    """Compact a range of keys."""

    start: bytes | None = None
    stop: bytes | None = None


class Checkpoint(NamedTuple):
    """Make a checkpoint at a path."""

    path: str


class Reopen(NamedTuple):
    """Close the database and open it again."""


class Read(NamedTuple):
    """Read everything, and compare it."""


class Hold(NamedTuple):
    """Take a snapshot. It is compared at each `Read` and closed at `Reopen`; the oldest is closed beyond three."""


Operation = Commit | Flush | Compact | Checkpoint | Reopen | Read | Hold


def example_operations(
    seed: int, *, rounds: int = 2, writes: int = 10, checkpoint: str = "/checkpoint"
) -> list[Operation]:
    """Return a workload that uses every way to write and every operation.

    The seed picks keys, values and small choices; the plot is always the same. With small options, such as memtables
    of 4 KiB, it reaches several levels.

    writes: about how many commits stand between two operations of another kind.
    checkpoint: where the first round makes one.
    """
    return list(_plot(random.Random(seed), rounds, writes // 2, checkpoint))


def _plot(generator: random.Random, rounds: int, writes: int, checkpoint: str) -> Iterator[Operation]:
    for number in range(rounds):
        for _ in range(3):
            yield from _commits(generator, writes)
            yield Flush()
        yield from _commits(generator, writes)
        yield Hold()
        yield Commit("batch", tuple(_statements(generator, 24)), sync=True)
        yield Compact()
        yield from _commits(generator, writes)
        yield Read()
        if number == 0:
            yield Checkpoint(checkpoint)
        yield from _commits(generator, writes)
        yield Reopen()
        yield from _commits(generator, writes)
        yield Flush()
        yield Commit("plain", (DeleteRange(b"k02", b"k09"),))
        yield Compact(b"k04", b"k12")
        yield Read()


def _commits(generator: random.Random, count: int) -> Iterator[Commit]:
    for _ in range(count):
        sync = generator.random() < 0.25
        if generator.random() < 0.6:
            yield Commit("plain", tuple(_statements(generator, 1)), sync)
        else:
            way: Way = generator.choice(("batch", "transaction"))
            yield Commit(way, tuple(_statements(generator, generator.randint(1, 5))), sync)


def _statements(generator: random.Random, count: int) -> Iterator[Statement]:
    for _ in range(count):
        key = b"k%02d" % generator.randrange(24)
        kind = generator.random()
        if kind < 0.75:
            size = generator.choice((0, 8, 30, 200))
            yield Put(key, b"%d" % generator.randrange(10**6) + b"v" * size)
        elif kind < 0.93:
            yield Delete(key)
        else:
            yield DeleteRange(key, b"k%02d" % (int(key[1:]) + generator.randint(1, 5)))
