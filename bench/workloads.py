"""The measured workloads, under the names that LevelDB's own benchmark gave them.

A workload prepares its keys before the clock starts, and checks what it got, so that a wrong answer is no fast answer.
"""

import random
import time
from collections.abc import Callable
from typing import NamedTuple

from bench.data import key, missing_key, shuffled, values
from bench.engines import Engine

BATCH_ENTRIES = 1_000
SCAN_ENTRIES = 100


class Measured(NamedTuple):
    """What a workload took."""

    seconds: float
    operations: int


class WrongAnswerError(Exception):
    """An engine did not return what was stored."""


def fill_sequential(engine: Engine, entries: int, _: int) -> Measured:
    """Put entries in the order of their keys, each on its own."""
    return _fill(engine, range(entries))


def fill_random(engine: Engine, entries: int, _: int) -> Measured:
    """Put entries in random order, each on its own."""
    return _fill(engine, shuffled(entries, seed=2))


def _fill(engine: Engine, numbers: range | list[int]) -> Measured:
    pairs = list(zip(map(key, numbers), values(), strict=False))
    put = engine.put
    start = time.perf_counter()
    for name, value in pairs:
        put(name, value)
    return Measured(time.perf_counter() - start, len(pairs))


def fill_batch(engine: Engine, entries: int, _: int) -> Measured:
    """Put entries in random order, 1,000 in one transaction."""
    pairs = list(zip(map(key, shuffled(entries, seed=2)), values(), strict=False))
    write = engine.write
    start = time.perf_counter()
    for first in range(0, entries, BATCH_ENTRIES):
        write(pairs[first : first + BATCH_ENTRIES])
    return Measured(time.perf_counter() - start, entries)


def read_random(engine: Engine, entries: int, reads: int) -> Measured:
    """Get keys that are there, in random order."""
    return _read(engine, list(map(key, shuffled(entries, seed=3)[:reads])), found=True)


def read_missing(engine: Engine, entries: int, reads: int) -> Measured:
    """Get keys that are not there, but lie among those that are."""
    return _read(engine, list(map(missing_key, shuffled(entries, seed=4)[:reads])), found=False)


def _read(engine: Engine, keys: list[bytes], *, found: bool) -> Measured:
    get = engine.get
    count = 0
    start = time.perf_counter()
    for name in keys:
        if get(name) is not None:
            count += 1
    seconds = time.perf_counter() - start
    _expect(count, len(keys) if found else 0)
    return Measured(seconds, len(keys))


def scan_full(engine: Engine, entries: int, _: int) -> Measured:
    """Read all entries in order; one operation is one entry."""
    count = 0
    start = time.perf_counter()
    for _name, _value in engine.scan():
        count += 1
    seconds = time.perf_counter() - start
    _expect(count, entries)
    return Measured(seconds, entries)


def scan_100(engine: Engine, entries: int, reads: int) -> Measured:
    """Read 100 entries from a random key on; one operation is one such scan."""
    scans = max(reads // SCAN_ENTRIES, 1)
    length = min(SCAN_ENTRIES, entries)
    chance = random.Random(5)
    starts = [key(chance.randrange(entries - length + 1)) for _ in range(scans)]
    scan_from = engine.scan_from
    count = 0
    start = time.perf_counter()
    for name in starts:
        for _name, _value in scan_from(name, length):
            count += 1
    seconds = time.perf_counter() - start
    _expect(count, scans * length)
    return Measured(seconds, scans)


def _expect(count: int, wanted: int) -> None:
    if count != wanted:
        raise WrongAnswerError(f"{count} entries instead of {wanted}")


Workload = Callable[[Engine, int, int], Measured]
"""Takes an engine, the number of entries and the number of reads."""

FILLS: dict[str, Workload] = {
    "fill_sequential": fill_sequential,
    "fill_random": fill_random,
    "fill_batch": fill_batch,
}
"""Workloads that begin with an empty database."""

READS: dict[str, Workload] = {
    "read_random": read_random,
    "read_missing": read_missing,
    "scan_full": scan_full,
    "scan_100": scan_100,
}
"""Workloads on a database that was filled in random order, and settled."""
