"""A crash while several threads write and background maintenance flushes and compacts, at random calls.

The order of commits is not known here, but what it must respect is: each thread's own order, and that a write which was
acknowledged before another one began comes before it.
"""

from __future__ import annotations

import dataclasses
import random
import threading
from collections import Counter
from collections.abc import Callable

import pytest

import lsm
from lsm.testing import (
    EVERYTHING,
    NOTHING,
    SimulatedCrash,
    SimulatedEnvironment,
    SimulatedFileSystem,
    Survival,
    checked_content,
    survivals,
)
from tests.support.killed import abandon
from tests.support.small import SMALL
from tests.support.soak import SOAK

ROUNDS = 400 if SOAK else 20
THREADS = 3
SLOTS = 20
OPTIONS = dataclasses.replace(SMALL, maintenance=True, memtable_bytes=8192)


class Record:
    """What the threads were told, in the order of real time. Kept outside the simulated disk."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._acknowledged = [0] * THREADS
        self.before: list[list[tuple[int, ...]]] = [[(0,) * THREADS] for _ in range(THREADS)]
        """For each thread and write: how many writes of every thread were acknowledged when it began."""
        self.durable = [0] * THREADS

    @property
    def acknowledged(self) -> tuple[int, ...]:
        """How many writes of each thread were answered."""
        return tuple(self._acknowledged)

    def begin(self, thread: int) -> int:
        """Record that a thread begins its next write; return its number, from 1."""
        with self._lock:
            self.before[thread].append(tuple(self._acknowledged))
            return len(self.before[thread]) - 1

    def end(self, thread: int, number: int, *, sync: bool) -> None:
        """Record the answer."""
        with self._lock:
            self._acknowledged[thread] = number
            if sync:
                self.durable[thread] = number


def _write_until_the_crash(database: lsm.Database, record: Record, thread: int, seed: int) -> None:
    generator = random.Random(seed * THREADS + thread)
    try:
        while True:
            sync = generator.random() < 0.2
            number = record.begin(thread)
            batch = lsm.WriteBatch()
            for key, value in _entries(thread, number).items():
                batch.put(key, value)
            database.write(batch, sync=sync)
            record.end(thread, number, sync=sync)
    except SimulatedCrash:
        return


def _entries(thread: int, number: int) -> dict[bytes, bytes]:
    return {
        b"last %d" % thread: b"%d" % number,
        b"slot %d %02d" % (thread, number % SLOTS): b"%d " % number * 8,
    }


def _crashed(seed: int) -> tuple[SimulatedFileSystem, Record]:
    """Let threads write until a random call, at which the whole process dies."""
    filesystem = SimulatedFileSystem()
    database = lsm.open("/data", OPTIONS, environment=SimulatedEnvironment(filesystem, seed=seed))
    record = Record()
    filesystem.crash_at(filesystem.calls + random.Random(seed).randrange(20, 1500))
    threads = [
        threading.Thread(target=_write_until_the_crash, args=(database, record, thread, seed))
        for thread in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a writer hangs after the crash of another thread"
    abandon(database)
    return filesystem, record


def _check(survivor: SimulatedFileSystem, record: Record, least: tuple[int, ...]) -> None:
    database = lsm.open("/data", SMALL, environment=SimulatedEnvironment(survivor))
    found = checked_content(database)
    assert list(database.verify().damage) == []
    abandon(database)
    counts = [int(found.get(b"last %d" % thread, b"0")) for thread in range(THREADS)]
    wanted: dict[bytes, bytes] = {}
    for thread, count in enumerate(counts):
        assert least[thread] <= count < len(record.before[thread]), (thread, least, counts)
        for number in range(max(count - SLOTS, 0) + 1, count + 1):
            wanted.update(_entries(thread, number))
        needed = record.before[thread][count]
        assert all(counts[other] >= needed[other] for other in range(THREADS)), (counts, needed)
    assert found == wanted


@pytest.mark.crash
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_crash_under_threads_keeps_the_promises(record_property: Callable[[str, object], None]) -> None:
    """Synced writes are there, and what is there is closed under "came before"."""
    totals: Counter[str] = Counter()
    for seed in range(ROUNDS):
        filesystem, record = _crashed(seed)
        choices: list[Survival] = [NOTHING, EVERYTHING]
        choices += list(survivals(filesystem.unsynced(), samples=0, seed=seed))[2 :: 3 if SOAK else 9]
        for survival in choices:
            try:
                _check(filesystem.after_power_loss(survival), record, tuple(record.durable))
            except Exception as error:
                raise AssertionError(f"seed {seed}, {survival.name}: {error!r}") from error
        _check(filesystem.after_kill(), record, record.acknowledged)
        totals.update({"crashes": 1, "disks": len(choices) + 1, "acknowledged writes": sum(record.acknowledged)})
    for name, count in totals.items():
        record_property(name, count)
    assert totals["acknowledged writes"] > 10 * ROUNDS
