"""Running operations: on the engine in some way, or on dictionaries, which say what the answers have to be."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import lsm
from tests.metamorphic.operations import (
    Batch,
    Checkpoint,
    Compact,
    Conflict,
    Count,
    Flush,
    Get,
    Hold,
    Kill,
    MultiGet,
    Operation,
    ReadCounters,
    ReadHeld,
    Release,
    Reopen,
    Scan,
    Transact,
    Write,
)
from tests.metamorphic.settings import Setting, Site
from tests.support.killed import abandon
from tests.support.model import Delete, DeleteRange, Put, State, Statement, after, scanned

Answer = Any
"""What an operation gave: bytes, numbers, lists of them. Answers of one operation are compared with ==."""


class Difference(NamedTuple):
    """Where a run gave another answer than the model."""

    place: int
    operation: Operation
    wanted: Answer
    found: Answer


def compare(steps: Sequence[Operation], setting: Setting) -> Difference | None:
    """Run the operations in one way; return the first answer that is not the one of the model."""
    model = Model()
    with setting.site() as site:
        runner = Runner(setting, site)
        try:
            for place, step in enumerate(steps):
                wanted = model.do(step)
                try:
                    found = runner.do(step)
                except (lsm.Error, AssertionError, ValueError, IndexError, KeyError) as error:
                    found = f"{type(error).__name__}: {error}"
                if found != wanted:
                    return Difference(place, step, wanted, found)
            damage = list(runner.database.verify().damage)
            return Difference(len(steps), Flush(), [], damage) if damage else None
        finally:
            runner.give_up()


class Held(NamedTuple):
    """A snapshot and a scan that goes on."""

    snapshot: lsm.Snapshot
    scan: Iterator[tuple[bytes, bytes]]


class Runner:
    """A database in one of the ways to run it."""

    def __init__(self, setting: Setting, site: Site) -> None:
        self._setting = setting
        self._site = site
        self._held: dict[int, Held] = {}
        self.database = site.open(setting.options)

    def give_up(self) -> None:
        """End as a killed process."""
        self._held.clear()
        abandon(self.database)

    def do(self, step: Operation) -> Answer:
        """Do one operation; return what it gave."""
        database = self.database
        match step:
            case Write(statement, sync):
                batch = lsm.WriteBatch()
                _write(database if not sync else batch, statement)
                if sync:
                    database.write(batch, sync=True)
            case Batch(statements, sync):
                batch = lsm.WriteBatch()
                for statement in statements:
                    _write(batch, statement)
                database.write(batch, sync=sync)
            case Transact(reads, statements, commit):
                return self._transact(reads, statements, commit)
            case Conflict(key, value):
                return self._conflict(key, value)
            case Count(name, delta):
                database.run(lambda transaction: _count(transaction, name, delta))
            case Flush():
                database.flush()
            case Compact(start, stop):
                database.compact(start, stop)
            case Reopen() | Kill():
                self._reopen(killed=isinstance(step, Kill))
            case Checkpoint(number):
                return self._checkpoint(f"copy-{number}")
            case _:
                return self._read(step)
        return None

    def _read(self, step: Operation) -> Answer:
        database = self.database
        match step:
            case Get(key):
                return database.get(key)
            case MultiGet(keys):
                return database.multi_get(keys)
            case Scan(start, stop, prefix, reverse, limit, keys_only):
                scan = database.scan_keys if keys_only else database.scan
                return list(scan(start, stop, prefix=prefix, reverse=reverse, limit=limit))
            case ReadCounters(name):
                return database.counter(name), [value for _, value in database.log(name)]
            case Hold(number, reverse):
                snapshot = database.snapshot()
                self._held[number] = Held(snapshot, snapshot.scan(reverse=reverse))
            case ReadHeld(number, key, steps):
                if number in self._held:
                    held = self._held[number]
                    return held.snapshot.get(key), list(itertools.islice(held.scan, steps))
            case Release(number):
                if number in self._held:
                    self._held.pop(number).snapshot.close()
        return None

    def _transact(self, reads: Sequence[bytes], statements: Sequence[Statement], commit: bool) -> Answer:
        transaction = self.database.transaction()
        before = [transaction.get(key) for key in reads]
        for statement in statements:
            _write(transaction, statement)
        seen = list(transaction.scan(reverse=commit))
        if commit:
            transaction.commit()
        else:
            transaction.rollback()
        return before, seen

    def _conflict(self, key: bytes, value: bytes) -> Answer:
        transaction = self.database.transaction()
        before = transaction.get(key)
        self.database.put(key, value)
        transaction.put(b"lost", b"update")
        try:
            transaction.commit()
        except lsm.ConflictError:
            return before, "conflict"
        return before, "committed"

    def _reopen(self, *, killed: bool) -> None:
        for held in self._held.values():
            held.snapshot.close()
        self._held.clear()
        if killed:
            abandon(self.database)
            self._site.killed()
        else:
            self.database.close()
        self.database = self._site.open(self._setting.options)

    def _checkpoint(self, name: str) -> Answer:
        self.database.checkpoint(self._site.path(name))
        with self._site.open(self._setting.options, name) as copy:
            return list(copy.scan()), copy.counter(b"red")


class Model:
    """Dictionaries that do what a database has to do."""

    def __init__(self) -> None:
        self._state: State = {}
        self._counters: dict[bytes, int] = {}
        self._logs: dict[bytes, list[bytes]] = {}
        self._held: dict[int, tuple[State, Iterator[tuple[bytes, bytes]]]] = {}

    def do(self, step: Operation) -> Answer:
        """Do one operation; return what it has to give."""
        match step:
            case Write(statement, _):
                self._state = after(self._state, [statement])
            case Batch(statements, _):
                self._state = after(self._state, statements)
            case Transact(reads, statements, commit):
                before = [self._state.get(key) for key in reads]
                seen = after(self._state, statements)
                self._state = seen if commit else self._state
                return before, scanned(seen, reverse=commit)
            case Conflict(key, value):
                found = self._state.get(key)
                self._state = after(self._state, [Put(key, value)])
                return found, "conflict"
            case Count(name, delta):
                self._counters[name] = self._counters.get(name, 0) + delta
                self._logs[name] = [*self._logs.get(name, []), b"%d" % delta]
            case Checkpoint():
                return scanned(self._state), self._counters.get(b"red", 0)
            case Reopen() | Kill():
                self._held.clear()
            case _:
                return self._read(step)
        return None

    def _read(self, step: Operation) -> Answer:
        match step:
            case Get(key):
                return self._state.get(key)
            case MultiGet(keys):
                return [self._state.get(key) for key in keys]
            case Scan(start, stop, prefix, reverse, limit, keys_only):
                found = scanned(self._state, start, stop, prefix=prefix, reverse=reverse, limit=limit)
                return [key for key, _ in found] if keys_only else found
            case ReadCounters(name):
                return self._counters.get(name, 0), self._logs.get(name, [])
            case Hold(number, reverse):
                self._held[number] = (self._state, iter(scanned(self._state, reverse=reverse)))
            case ReadHeld(number, key, steps):
                if number in self._held:
                    state, scan = self._held[number]
                    return state.get(key), list(itertools.islice(scan, steps))
            case Release(number):
                self._held.pop(number, None)
            case _:
                return None
        return None


def _write(target: lsm.Database | lsm.WriteBatch | lsm.Transaction, statement: Statement) -> None:
    if isinstance(statement, Put):
        target.put(statement.key, statement.value)
    elif isinstance(statement, Delete):
        target.delete(statement.key)
    elif isinstance(statement, DeleteRange):
        target.delete_range(statement.start, statement.stop)


def _count(transaction: lsm.Transaction, name: bytes, delta: int) -> None:
    transaction.add(name, delta)
    transaction.append(name, b"%d" % delta)
