"""The recorded workload: steps as plain values, and how each is done and entered in the ledger.

It uses every way to write, flushes and compacts at chosen places and by itself, makes checkpoints, and opens the
directory again. With the small options it makes the same file-system calls in each run.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, NamedTuple

import lsm
from lsm.testing import SimulatedEnvironment, SimulatedFileSystem
from tests.crash.ledger import Ledger
from tests.support.killed import abandon
from tests.support.model import Count, Delete, DeleteRange, Put, State, Statement
from tests.support.small import SMALL

PATH = "/data"
CHECKPOINT = "/checkpoint"
COUNTER = b"(transactions)"
"""A counter to which every transaction adds one; the ledger shows it among the keys."""


class Commit(NamedTuple):
    """Write some statements at once."""

    way: Literal["plain", "batch", "transaction"]
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
    """Read everything."""


Step = Commit | Flush | Compact | Checkpoint | Reopen | Read


class Workload:
    """A database on a simulated disk, the ledger of what it promised, and the checkpoints it has made."""

    def __init__(self, filesystem: SimulatedFileSystem, *, options: lsm.Options = SMALL) -> None:
        self.filesystem = filesystem
        self.options = options
        self.ledger = Ledger()
        self.checkpoints: dict[str, State] = {}
        """Path -> content of the checkpoint there, from the moment at which it is begun."""
        self.finished_checkpoints: set[str] = set()
        self.database = self.open()

    def open(self) -> lsm.Database:
        """Open the database in a new simulated process environment."""
        return lsm.open(PATH, self.options, environment=SimulatedEnvironment(self.filesystem))

    def run(self, steps: Sequence[Step]) -> None:
        """Do all steps, and close."""
        with self.abandoned_on_error():
            for step in steps:
                self.do(step)
            self.database.close()
        self.ledger.settle()

    @contextmanager
    def abandoned_on_error(self) -> Iterator[None]:
        """Give the handle up, as a killed process would, when an exception leaves the block."""
        try:
            yield
        except BaseException:
            abandon(self.database)
            raise

    def do(self, step: Step) -> None:
        """Do one step and enter what it promises."""
        if isinstance(step, Commit):
            self.commit(step)
        elif isinstance(step, Flush):
            self.database.flush()
            self.ledger.settle()
        elif isinstance(step, Compact):
            self.database.compact(step.start, step.stop)
        elif isinstance(step, Checkpoint):
            self.checkpoints[step.path] = self.ledger.state
            self.database.checkpoint(step.path)
            self.finished_checkpoints.add(step.path)
        elif isinstance(step, Read):
            assert content(self.database) == self.ledger.state
        else:
            self.database.close()
            self.ledger.settle()
            self.database = self.open()

    def commit(self, step: Commit) -> None:
        """Write, and enter it as issued before and as acknowledged after."""
        self.ledger.issue(step.effect)
        write(self.database, step)
        self.ledger.acknowledge()
        if step.sync:
            self.ledger.settle()


def content(database: lsm.Database) -> dict[bytes, bytes]:
    """Return everything in a database: what a scan gives, and the counter."""
    found = dict(database.scan())
    counted = database.counter(COUNTER)
    return {**found, COUNTER: b"%d" % counted} if counted else found


def write(database: lsm.Database, step: Commit) -> None:
    """Write the statements of a step in the way it says."""
    if step.way == "transaction":
        transaction = database.transaction()
        for statement in step.statements:
            _write_one(transaction, statement)
        transaction.add(COUNTER, 1)
        transaction.commit(sync=step.sync)
    elif step.way == "batch":
        batch = lsm.WriteBatch()
        for statement in step.statements:
            _write_one(batch, statement)
        database.write(batch, sync=step.sync)
    else:
        for statement in step.statements:
            if isinstance(statement, Put):
                database.put(statement.key, statement.value, sync=step.sync)
            elif isinstance(statement, Delete):
                database.delete(statement.key, sync=step.sync)
            elif isinstance(statement, DeleteRange):
                database.delete_range(statement.start, statement.stop, sync=step.sync)


def _write_one(target: lsm.WriteBatch | lsm.Transaction, statement: Statement) -> None:
    if isinstance(statement, Put):
        target.put(statement.key, statement.value)
    elif isinstance(statement, Delete):
        target.delete(statement.key)
    elif isinstance(statement, DeleteRange):
        target.delete_range(statement.start, statement.stop)


def steps(seed: int, *, rounds: int = 2, writes: int = 10) -> list[Step]:
    """Return the steps of a workload. The seed picks keys, values and small choices; the plot is always the same.

    writes: about how many commits stand between two steps of another kind.
    """
    return list(_plot(random.Random(seed), rounds, writes))


def _plot(generator: random.Random, rounds: int, writes: int) -> Iterator[Step]:
    for number in range(rounds):
        for _ in range(3):
            yield from _writes(generator, writes // 2)
            yield Flush()
        yield from _writes(generator, writes // 2)
        yield Commit("batch", tuple(_statements(generator, 24)), sync=True)
        yield Compact()
        yield from _writes(generator, writes // 2)
        yield Read()
        if number == 0:
            yield Checkpoint(CHECKPOINT)
        yield from _writes(generator, writes // 2)
        yield Reopen()
        yield from _writes(generator, writes // 2)
        yield Flush()
        yield Commit("plain", (DeleteRange(b"k02", b"k09"),))
        yield Compact(b"k04", b"k12")
        yield Read()


def _writes(generator: random.Random, count: int) -> Iterator[Commit]:
    for _ in range(count):
        sync = generator.random() < 0.25
        if generator.random() < 0.6:
            yield Commit("plain", tuple(_statements(generator, 1)), sync)
        else:
            way: Literal["batch", "transaction"] = generator.choice(("batch", "transaction"))
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
