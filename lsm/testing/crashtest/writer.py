"""A process of a crash test: opens the database and works in several threads until it is killed, or asked to close.

Each thread is one writer. It says what it is about to do before it does it, and that it is done after that. Meanwhile
it compares what it reads with what it knows. Whatever must not be is told to the parent, and ends the process.
"""

from __future__ import annotations

import os
import shutil
import signal
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path

import msgspec

import lsm
from lsm.testing.crashtest import history
from lsm.testing.crashtest.messages import Answered, Closed, Issued, Opened, Recovered, send, trouble
from lsm.testing.crashtest.plan import (
    COUNTER,
    TOTAL,
    Barrier,
    Checkpoint,
    Commit,
    Delete,
    DeleteRange,
    Look,
    Put,
    Statement,
    Step,
    apply,
    count_key,
    digest,
    prefix_of,
    steps,
    value_of,
)

_RETRIES = 1000
_SNAPSHOTS = 3
"""Held at a time by one writer."""


class Task(msgspec.Struct, frozen=True):
    """What one process has to do.

    path, checkpoints: the directories. writers: which ones it is, with the number of the last step of each. seed: of
    their steps. options: of the database, by name. allowed: names of errors that mean "nothing was done".
    """

    process: int
    path: str
    checkpoints: str
    writers: tuple[tuple[int, int], ...]
    seed: str
    options: dict[str, object]
    allowed: tuple[str, ...] = ()


def work(task: Task, pipe: int) -> None:
    """Do the task; returns when SIGTERM has asked for it, or the parent has gone."""
    asked = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: asked.set())
    try:
        database = lsm.open(task.path, lsm.Options(**task.options))  # type: ignore[arg-type]  # checked by Options
        send(pipe, Opened(task.process))
        workers = [Worker(task, database, writer, last, pipe, asked) for writer, last in task.writers]
        threads = [threading.Thread(target=worker.run, name=f"writer-{worker.writer}") for worker in workers]
        for thread in threads:
            thread.start()
        # Blocked in all other threads, or one of them could get it while this one sleeps in `join` and hears nothing.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        for thread in threads:
            thread.join()
        database.close()
        send(pipe, Closed(task.process))
    except BaseException:  # noqa: BLE001 - whatever it is, the parent has to hear of it
        _give_up(task.process, pipe)


def _give_up(process: int, pipe: int) -> None:
    """Tell the parent about the exception being handled, and end the process."""
    try:
        send(pipe, trouble(process, traceback.format_exc()))
    finally:
        os._exit(1)


class Worker:
    """One writer, for one thread."""

    def __init__(
        self, task: Task, database: lsm.Database, writer: int, last_number: int, pipe: int, asked: threading.Event
    ) -> None:
        self.writer = writer
        self._task = task
        self._database = database
        self._number = last_number
        self._pipe = pipe
        self._asked = asked
        self._known: dict[bytes, bytes] = dict(database.scan(prefix=prefix_of(writer)))
        send(pipe, Recovered(writer, digest(self._known)))
        self._snapshots: list[tuple[lsm.Snapshot, dict[bytes, bytes]]] = []

    def run(self) -> None:
        """Work until asked to stop."""
        try:
            for step in steps(f"{self._task.seed}/{self.writer}", self.writer):
                if self._asked.is_set():
                    break
                self.take(step)
            for snapshot, _ in self._snapshots:
                snapshot.close()
        except BaseException:  # noqa: BLE001 - whatever it is, the parent has to hear of it
            _give_up(self._task.process, self._pipe)

    def take(self, step: Step) -> None:
        """Do one step, and tell the parent before and after. Raises errors that are not allowed."""
        self._number += 1
        send(self._pipe, Issued(self.writer, self._number, step))
        try:
            self._do(step)
        except (lsm.Error, OSError) as error:
            if type(error).__name__ not in self._task.allowed:
                raise
            send(self._pipe, Answered(self.writer, self._number, "refused", _short(error)))
            return
        if isinstance(step, Commit):
            apply(self._known, self.writer, self._number, step)
        send(self._pipe, Answered(self.writer, self._number, "done"))

    def _do(self, step: Step) -> None:
        if isinstance(step, Commit):
            self._commit(step)
        elif isinstance(step, Barrier):
            getattr(self._database, step.call)()
        elif isinstance(step, Checkpoint):
            self._checkpoint(step.name)
        else:
            self._look(step)

    def _commit(self, step: Commit) -> None:
        database = self._database
        if step.way == "transaction":
            database.run(lambda transaction: self._transact(transaction, step), retries=_RETRIES, sync=step.sync)
        elif step.way == "batch":
            with database.write_batch(sync=step.sync) as batch:
                self._write(batch, step.statements)
        else:
            for place, statement in enumerate(step.statements):
                if isinstance(statement, Put):
                    value = value_of(self.writer, self._number, place, statement.size_bytes)
                    database.put(statement.key, value, sync=step.sync)
                elif isinstance(statement, Delete):
                    database.delete(statement.key, sync=step.sync)
                else:
                    database.delete_range(statement.start, statement.stop, sync=step.sync)

    def _transact(self, transaction: lsm.Transaction, step: Commit) -> None:
        counted = int(transaction.get(count_key(self.writer)) or 0)
        total = int(transaction.get(TOTAL) or 0)
        self._write(transaction, step.statements)
        transaction.put(count_key(self.writer), b"%d" % (counted + 1))
        transaction.put(TOTAL, b"%d" % (total + 1))
        transaction.add(COUNTER, 1)

    def _write(self, target: lsm.WriteBatch | lsm.Transaction, statements: Sequence[Statement]) -> None:
        for place, statement in enumerate(statements):
            if isinstance(statement, Put):
                target.put(statement.key, value_of(self.writer, self._number, place, statement.size_bytes))
            elif isinstance(statement, Delete):
                target.delete(statement.key)
            elif isinstance(statement, DeleteRange):
                target.delete_range(statement.start, statement.stop)

    def _checkpoint(self, name: str) -> None:
        folder = Path(self._task.checkpoints)
        for old in folder.glob(f"{name.partition('-')[0]}-*"):
            shutil.rmtree(old)
        self._database.checkpoint(folder / name)

    def _look(self, step: Look) -> None:
        if step.way == "verify":
            damage = self._database.verify().damage
            if damage:
                raise history.BrokenPromiseError(f"verify beside writers: {damage}")
            return
        self._compare(self._database, self._known)
        if step.way == "snapshot":
            if len(self._snapshots) == _SNAPSHOTS:
                held, known = self._snapshots.pop(0)
                with held:
                    self._compare(held, known)
            self._snapshots.append((self._database.snapshot(), dict(self._known)))

    def _compare(self, source: lsm.Database | lsm.Snapshot, known: dict[bytes, bytes]) -> None:
        """Compare scans in both directions and point reads with what this writer knows of its own keys."""
        wanted = sorted(known.items())
        prefix = prefix_of(self.writer)
        forward = list(source.scan(prefix=prefix))
        backward = list(source.scan(prefix=prefix, reverse=True))
        read = source.multi_get(list(known))
        if not (forward == wanted == backward[::-1] and read == list(known.values())):
            raise history.BrokenPromiseError(
                f"writer {self.writer} reads {_first_difference(forward, wanted)} in its own keys"
            )


def _short(error: Exception) -> str:
    """Return the class of an error and the name of its file, without numbers."""
    name = Path(getattr(error, "path", "")).name
    return f"{type(error).__name__} {name.strip('0123456789-')}".strip()


def _first_difference(found: list[tuple[bytes, bytes]], wanted: list[tuple[bytes, bytes]]) -> str:
    different = sorted(set(found).symmetric_difference(wanted))
    return f"{different[0]!r} where it is not, or not where it is" if different else "another order or other points"
