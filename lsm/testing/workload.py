"""A database that does operations and enters into a ledger what it promises; the ledger's entries are whole states."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import lsm
from lsm.testing.crashes import Recording, WrongRecoveryError, difference
from lsm.testing.ledger import Ledger
from lsm.testing.operations import Checkpoint, Commit, Compact, Flush, Hold, Operation, Read
from lsm.testing.statements import COUNTER, Delete, DeleteRange, Put, State, Statement, after

PATH = "/data"

SMALL_OPTIONS = lsm.Options(
    memory_budget_bytes=64 * 1024,
    memtable_bytes=4096,
    block_cache_bytes=8192,
    sealed_memtable_limit=2,
    maintenance=False,
    block_bytes=128,
    table_bytes=1024,
    level_count=4,
    level_ratio=2,
    level_base_bytes=1024,
    level0_compact_tables=2,
    level0_slow_tables=3,
    level0_stop_tables=3,
)
"""Options so small that a few dozen entries reach every level. No threads: a run makes the same calls each time."""

_SNAPSHOTS = 3


def state_ledger() -> Ledger[State]:
    """Return a ledger of states that begins with the empty one."""
    return Ledger([{}])


def abandon(database: lsm.Database) -> None:
    """Drop a handle as if its process had been killed: it neither warns nor does anything more."""
    database._core.close_as(lsm.ClosedError, "its process was killed")  # noqa: SLF001
    database._release()  # noqa: SLF001


class Workload:
    """A database on a recorded machine, and what it has promised."""

    def __init__(self, recording: Recording[State], options: lsm.Options = SMALL_OPTIONS, path: str = PATH) -> None:
        """Open the database. The ledger must begin with the state that it then has; see `state_ledger`."""
        self.recording = recording
        self.ledger = recording.ledger
        self.options = options
        self.path = path
        self.checkpoints: dict[str, State] = {}
        """Path -> content of the checkpoint there, from the moment at which it is begun."""
        self.finished_checkpoints: set[str] = set()
        self.held: list[tuple[lsm.Snapshot, State]] = []
        """Snapshots and what they must show for ever."""
        self.database = self.open()

    def open(self) -> lsm.Database:
        """Open the database."""
        return lsm.open(self.path, self.options, environment=self.recording.environment)

    def run(self, operations: Sequence[Operation]) -> None:
        """Do all operations, and close."""
        with self.abandoned_on_error():
            for operation in operations:
                self.do(operation)
            self.close()
        self.ledger.settle()

    @contextmanager
    def abandoned_on_error(self) -> Iterator[None]:
        """Give the handle up, as a killed process would, when an exception leaves the block."""
        try:
            yield
        except BaseException:
            abandon(self.database)
            raise

    def do(self, operation: Operation) -> None:
        """Do one operation and enter what it promises."""
        if isinstance(operation, Commit):
            self.commit(operation)
        elif isinstance(operation, Flush):
            self.database.flush()
            self.ledger.settle()
        elif isinstance(operation, Compact):
            self.database.compact(operation.start, operation.stop)
        elif isinstance(operation, Checkpoint):
            self.checkpoint(operation.path)
        elif isinstance(operation, Read):
            self.read()
        elif isinstance(operation, Hold):
            self.hold()
        else:
            self.close()
            self.ledger.settle()
            self.database = self.open()

    def commit(self, operation: Commit) -> None:
        """Write, and enter it as issued before and as acknowledged after."""
        with self.recording.promise(after(self.ledger.last, operation.effect), durable=operation.sync):
            write(self.database, operation)

    def checkpoint(self, path: str) -> None:
        """Make a checkpoint; a path that has one already is left alone."""
        if path not in self.checkpoints:
            self.checkpoints[path] = self.ledger.last
            self.database.checkpoint(path)
            self.finished_checkpoints.add(path)

    def hold(self) -> None:
        """Take a snapshot, and close the oldest one when there are many."""
        self.held.append((self.database.snapshot(), self.ledger.last))
        if len(self.held) > _SNAPSHOTS:
            self.held.pop(0)[0].close()

    def read(self) -> None:
        """Compare what the handle and all snapshots show with what they must show."""
        _check_equal("the database", content(self.database), self.ledger.last)
        for snapshot, state in self.held:
            _check_equal("a snapshot", content(snapshot), state)

    def close(self) -> None:
        """Close the snapshots and the database."""
        for snapshot, _ in self.held:
            snapshot.close()
        self.held.clear()
        self.database.close()


def _check_equal(what: str, found: State, wanted: State) -> None:
    if found != wanted:
        raise WrongRecoveryError(f"{what} shows another content while it is open: {difference(found, wanted)}")


def content(source: lsm.Database | lsm.Snapshot) -> dict[bytes, bytes]:
    """Return everything in a database: what a scan gives, and the counter."""
    found = dict(source.scan())
    counted = source.counter(COUNTER)
    return {**found, COUNTER: b"%d" % counted} if counted else found


def write(database: lsm.Database, operation: Commit) -> None:
    """Write the statements of a commit in the way it says."""
    if operation.way == "transaction":
        transaction = database.transaction()
        for statement in operation.statements:
            _write_one(transaction, statement)
        transaction.add(COUNTER, 1)
        transaction.commit(sync=operation.sync)
    elif operation.way == "batch":
        batch = lsm.WriteBatch()
        for statement in operation.statements:
            _write_one(batch, statement)
        database.write(batch, sync=operation.sync)
    else:
        for statement in operation.statements:
            if isinstance(statement, Put):
                database.put(statement.key, statement.value, sync=operation.sync)
            elif isinstance(statement, Delete):
                database.delete(statement.key, sync=operation.sync)
            elif isinstance(statement, DeleteRange):
                database.delete_range(statement.start, statement.stop, sync=operation.sync)


def _write_one(target: lsm.WriteBatch | lsm.Transaction, statement: Statement) -> None:
    if isinstance(statement, Put):
        target.put(statement.key, statement.value)
    elif isinstance(statement, Delete):
        target.delete(statement.key)
    elif isinstance(statement, DeleteRange):
        target.delete_range(statement.start, statement.stop)
