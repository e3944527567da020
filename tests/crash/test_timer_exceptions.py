"""A timer raises between any two instructions of a commit: the handle recovers by itself, and no reader is misled.

On the real file system, since a system call, unlike a simulated one, is never cut in the middle by an exception.
"""

from __future__ import annotations

import dataclasses
import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import lsm
from tests.support.alarm import Interrupted, alarm
from tests.support.small import SMALL
from tests.support.soak import SOAK

ROUNDS = 50_000 if SOAK else 4_000
WRITES = 12


class Watcher:
    """A thread that reads all the time. Numbers only grow, and both halves of a batch are always the same."""

    def __init__(self, database: lsm.Database) -> None:
        self._database = database
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher")
        self.reads = 0
        self.highest = {b"left": 0, b"single": 0}
        self.wrong: list[str] = []
        self._thread.start()

    def finish(self) -> None:
        """Stop, and raise what was wrong."""
        self._stop.set()
        self._thread.join()
        assert self.wrong == []

    def _run(self) -> None:
        while not self._stop.is_set() and not self.wrong:
            try:
                self._look()
            except Exception as error:  # noqa: BLE001  # reported by the main thread
                self.wrong.append(repr(error))
            self.reads += 1

    def _look(self) -> None:
        with self._database.snapshot() as snapshot:
            left, right = snapshot.get(b"left"), snapshot.get(b"right")
            scanned = dict(snapshot.scan())
        if left != right:
            self.wrong.append(f"half a batch: {left!r} and {right!r}")
        for key, before in self.highest.items():
            number = int(scanned.get(key, b"0"))
            if number < before:
                self.wrong.append(f"{key!r} was {before} and is {number}: it was shown before it was committed")
            self.highest[key] = number


def _write(database: lsm.Database, number: int) -> bytes:
    """Write a number in one of several ways; return the key that holds it."""
    value = b"%06d" % number
    sync = number % 50 == 0
    if number % 3 == 0:
        database.put(b"single", value, sync=sync)
        return b"single"
    if number % 3 == 1:
        batch = lsm.WriteBatch()
        batch.put(b"left", value)
        batch.put(b"filler %d" % (number % 200), value * 10)
        batch.put(b"right", value)
        database.write(batch, sync=sync)
    else:
        transaction = database.transaction()
        transaction.put(b"left", value)
        transaction.put(b"right", value)
        transaction.commit(sync=sync)
    return b"left"


@pytest.mark.crash
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("maintenance", [False, True], ids=["alone", "with maintenance"])
def test_an_exception_anywhere_in_a_commit_is_survived(
    maintenance: bool, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """What was acknowledged stays, what was interrupted is there whole or not at all, and writing goes on."""
    options = dataclasses.replace(SMALL, maintenance=maintenance, memtable_bytes=20_000)
    database = lsm.open(str(tmp_path / "data"), options)
    generator = random.Random(1)
    watcher = Watcher(database)
    acknowledged = {b"left": 0, b"single": 0}
    number = interrupted = 0
    with alarm() as timer:
        for _ in range(ROUNDS):
            try:
                timer.start(generator.uniform(0.00001, 0.0004))
                for _ in range(WRITES):
                    number += 1
                    key = _write(database, number)
                    acknowledged[key] = number
                timer.armed = False
            except Interrupted:
                interrupted += 1
            except lsm.SyncFailedError as error:  # the handler ran inside of a sync, so nobody knows what became of it
                timer.armed = False
                if "unknown outcome" not in error.reason:
                    raise
                watcher.finish()
                database.close()
                database = lsm.open(str(tmp_path / "data"), options)
                watcher = Watcher(database)
            for name, last in acknowledged.items():
                assert last <= int(database.get(name, b"0")) <= number
    watcher.finish()

    database.put(b"after", b"all")
    content = dict(database.scan())
    assert list(database.verify().damage) == []
    database.close()
    with lsm.open(str(tmp_path / "data"), options) as reopened:
        assert dict(reopened.scan()) == content
    record_property("interrupted", interrupted)
    record_property("reads meanwhile", watcher.reads)
    assert interrupted > ROUNDS // 4
    assert watcher.reads > 10
