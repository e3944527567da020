"""Many threads on one handle: everything is done by somebody at once, and in the end it is what the threads wrote."""

from __future__ import annotations

import dataclasses
import random
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

import lsm
from tests.support.small import SMALL
from tests.support.worlds import content

WRITERS = 3
ROUNDS = 150


class Team:
    """Threads whose first error ends all of them."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.errors: list[BaseException] = []
        self._finite: list[threading.Thread] = []
        self._endless: list[threading.Thread] = []

    def do(self, work: Callable[[], None]) -> None:
        """Add a thread that does something once."""
        self._finite.append(threading.Thread(target=self._run, args=(work,)))

    def repeat(self, work: Callable[[], None]) -> None:
        """Add a thread that does something again and again until the others are done."""

        def endless() -> None:
            while not self.stop.is_set():
                work()

        self._endless.append(threading.Thread(target=self._run, args=(endless,)))

    def run(self) -> None:
        """Run all; raise the first error."""
        for thread in (*self._endless, *self._finite):
            thread.start()
        for thread in self._finite:
            thread.join()
        self.stop.set()
        for thread in self._endless:
            thread.join()
        if self.errors:
            raise self.errors[0]

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  # raised again by the main thread
            self.errors.append(error)
            self.stop.set()


class Writer:
    """A thread that owns the keys with its number, and knows what they must be."""

    def __init__(self, database: lsm.Database, number: int) -> None:
        self._database = database
        self._prefix = b"%d " % number
        self._random = random.Random(number)
        self.state: dict[bytes, bytes] = {}
        self.counted = 0

    def work(self) -> None:
        """Do all rounds."""
        for number in range(ROUNDS):
            self._step(b"%d" % number)

    def _key(self) -> bytes:
        return self._prefix + b"%03d" % self._random.randrange(60)

    def _step(self, value: bytes) -> None:
        database, key = self._database, self._key()
        sync = self._random.random() < 0.05
        kind = self._random.random()
        if kind < 0.5:
            database.put(key, value, sync=sync)
            self.state[key] = value
        elif kind < 0.6:
            database.delete(key, sync=sync)
            self.state.pop(key, None)
        elif kind < 0.65:
            stop = key + b"~"
            database.delete_range(key[:-1], stop, sync=sync)
            self.state = {other: text for other, text in self.state.items() if not key[:-1] <= other < stop}
        elif kind < 0.8:
            pairs = {self._key(): value for _ in range(20)}
            batch = lsm.WriteBatch()
            batch.update(pairs)
            batch.put(self._prefix + b"both a", value)
            batch.put(self._prefix + b"both b", value)
            database.write(batch, sync=sync)
            self.state.update({**pairs, self._prefix + b"both a": value, self._prefix + b"both b": value})
        else:
            self._transact(key, value)
        assert database.get(key) == self.state.get(key)

    def _transact(self, key: bytes, value: bytes) -> None:
        def change(transaction: lsm.Transaction) -> None:
            assert transaction.get(key) == self.state.get(key)
            transaction.put(key, value)
            transaction.put(b"shared", (transaction.get(b"shared") or b"")[-50:] + b".")
            transaction.add(b"count", 1)
            transaction.append(b"log", self._prefix + value)

        self._database.run(change, retries=1000)
        self.state[key] = value
        self.counted += 1


class Watcher:
    """A thread that looks at snapshots: each is one moment, and moments only go forward."""

    def __init__(self, database: lsm.Database) -> None:
        self._database = database
        self.looks = 0
        self._count = 0

    def look(self) -> None:
        """Compare the reads of one snapshot with each other."""
        with self._database.snapshot() as snapshot:
            forward = list(snapshot.scan())
            assert forward == list(snapshot.scan(reverse=True))[::-1]
            found = dict(forward)
            assert len(found) == len(forward)
            for number in range(WRITERS):
                assert found.get(b"%d both a" % number) == found.get(b"%d both b" % number)
            sample = random.Random(self.looks).sample(sorted(found), min(len(found), 10))
            assert snapshot.multi_get(sample) == [found[key] for key in sample]
            count = snapshot.counter(b"count")
            assert len(list(snapshot.log(b"log"))) == count >= self._count
            self._count = count
        self.looks += 1


@pytest.mark.parametrize("maintenance", [True, False], ids=["with maintenance", "alone"])
def test_everything_at_once(tmp_path: Path, maintenance: bool) -> None:
    """Writers, readers, scans, snapshots, flushes, compactions and checkpoints; in the end all agree."""
    options = dataclasses.replace(SMALL, maintenance=maintenance, memtable_bytes=16_384)
    with lsm.open(tmp_path / "data", options) as database:
        writers = [Writer(database, number) for number in range(WRITERS)]
        watcher = Watcher(database)
        team = Team()

        def copy() -> None:
            for number in range(3):
                database.checkpoint(tmp_path / f"copy {number}")

        for writer in writers:
            team.do(writer.work)
        team.repeat(watcher.look)
        team.repeat(database.flush)
        team.repeat(partial(database.compact, b"1", b"2"))
        team.do(copy)
        team.run()

        expected = {key: value for writer in writers for key, value in writer.state.items()}
        found = content(database)
        shared = found.pop(b"shared", b"")
        assert found == expected
        assert database.counter(b"count") == sum(writer.counted for writer in writers)
        assert len(list(database.log(b"log"))) == database.counter(b"count")
        assert set(shared) <= {ord(".")}
        assert watcher.looks > 0
        assert database.verify().ok
        database.compact()
        assert content(database).items() >= expected.items()
    with lsm.open(tmp_path / "data", options) as database:
        assert content(database).items() >= expected.items()
        assert database.recovery.dropped_bytes == 0
    for number in range(3):
        assert lsm.verify(tmp_path / f"copy {number}").ok


def close_soon(database: lsm.Database) -> None:
    """Let the others work for a moment, then close."""
    threading.Event().wait(0.05)
    database.close()


def test_closing_in_the_middle(tmp_path: Path) -> None:
    """Every thread gets a typed error or its result; what was acknowledged is there."""
    options = dataclasses.replace(SMALL, maintenance=True)
    for seed in range(4):
        path = tmp_path / f"data {seed}"
        database = lsm.open(path, options)
        acknowledged: dict[bytes, int] = {}

        def write(name: bytes, database: lsm.Database = database, seen: dict[bytes, int] = acknowledged) -> None:
            for number in range(100_000):
                try:
                    database.put(name, b"%d" % number)
                except lsm.ClosedError:
                    return
                seen[name] = number

        def read(database: lsm.Database = database) -> None:
            try:
                for _ in range(100_000):
                    list(database.scan())
                    database.stats()
                    database.flush()
            except lsm.ClosedError:
                return

        team = Team()
        for name in (b"a", b"b"):
            team.do(partial(write, name))
        team.do(read)
        team.do(partial(close_soon, database))
        team.run()
        with lsm.open(path, options) as again:
            assert {name: int(again[name]) for name in acknowledged} == acknowledged
