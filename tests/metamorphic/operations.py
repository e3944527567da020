"""The operations of a run, as values that print as Python, and how they are drawn."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

from tests.support.model import Delete, DeleteRange, Put, Statement

KEYS = [b"k%02d" % number for number in range(40)]
KEYS += [b"", b"\x00", b"\xff" * 8, b"\xff" * 9, b"k", b"k07\x00", b"k" * 70 + b"a", b"k" * 70 + b"b"]


class Write(NamedTuple):
    """Write one statement on the handle."""

    statement: Statement
    sync: bool


class Batch(NamedTuple):
    """Write several statements at once."""

    statements: tuple[Statement, ...]
    sync: bool


class Transact(NamedTuple):
    """In a transaction: read keys, write, read a range with what was written in it; commit or roll back."""

    reads: tuple[bytes, ...]
    statements: tuple[Statement, ...]
    commit: bool


class Conflict(NamedTuple):
    """Read a key in a transaction, change it outside, and try to commit."""

    key: bytes
    value: bytes


class Count(NamedTuple):
    """Add to a counter, and append to a log."""

    name: bytes
    delta: int


class Get(NamedTuple):
    """Read one key."""

    key: bytes


class MultiGet(NamedTuple):
    """Read several keys."""

    keys: tuple[bytes, ...]


class Scan(NamedTuple):
    """Read a range, entries or keys alone."""

    start: bytes | None
    stop: bytes | None
    prefix: bytes | None
    reverse: bool
    limit: int | None
    keys_only: bool


class ReadCounters(NamedTuple):
    """Read a counter and a log."""

    name: bytes


class Hold(NamedTuple):
    """Take a snapshot, and begin a scan that goes on later."""

    number: int
    reverse: bool


class ReadHeld(NamedTuple):
    """Read a snapshot that is held, and go on with its scan."""

    number: int
    key: bytes
    steps: int


class Release(NamedTuple):
    """Give up a snapshot and its scan."""

    number: int


class Flush(NamedTuple):
    """Write the memtables into tables."""


class Compact(NamedTuple):
    """Compact a range."""

    start: bytes | None
    stop: bytes | None


class Reopen(NamedTuple):
    """Close and open."""


class Kill(NamedTuple):
    """Give the handle up as a killed process does, and open."""


class Checkpoint(NamedTuple):
    """Make a checkpoint, open it, read everything, close it."""

    number: int


Operation = (
    Write
    | Batch
    | Transact
    | Conflict
    | Count
    | Get
    | MultiGet
    | Scan
    | ReadCounters
    | Hold
    | ReadHeld
    | Release
    | Flush
    | Compact
    | Reopen
    | Kill
    | Checkpoint
)


def operations(seed: int, count: int) -> list[Operation]:
    """Draw the operations of a run."""
    generator = random.Random(seed)
    return [_operation(generator, number) for number in range(count)]


def _operation(generator: random.Random, number: int) -> Operation:
    kind = generator.random()
    if kind < 0.45:
        return _write(generator)
    if kind < 0.8:
        return _read(generator)
    if kind < 0.9:
        return _held(generator)
    return _upkeep(generator, number)


def _write(generator: random.Random) -> Operation:
    sync = generator.random() < 0.1
    match generator.randrange(8):
        case 0 | 1 | 2:
            return Write(_statement(generator), sync)
        case 3 | 4:
            return Batch(tuple(_statements(generator, 12)), sync)
        case 5:
            reads = tuple(generator.choices(KEYS, k=generator.randint(0, 3)))
            return Transact(reads, tuple(_statements(generator, 5)), generator.random() < 0.7)
        case 6:
            return Conflict(generator.choice(KEYS), _value(generator))
        case _:
            return Count(generator.choice([b"red", b"blue"]), generator.randint(-5, 9))


def _read(generator: random.Random) -> Operation:
    match generator.randrange(6):
        case 0 | 1:
            return Get(generator.choice(KEYS))
        case 2:
            return MultiGet(tuple(generator.choices(KEYS, k=generator.randint(0, 8))))
        case 3:
            return ReadCounters(generator.choice([b"red", b"blue"]))
        case _:
            return Scan(
                _bound(generator),
                _bound(generator),
                generator.choice([None, None, None, b"k", b"k1", b"\xff", b""]),
                generator.random() < 0.5,
                generator.choice([None, None, 0, 1, 3, 10]),
                generator.random() < 0.25,
            )


def _held(generator: random.Random) -> Operation:
    number = generator.randrange(3)
    match generator.randrange(5):
        case 0:
            return Hold(number, generator.random() < 0.5)
        case 1:
            return Release(number)
        case _:
            return ReadHeld(number, generator.choice(KEYS), generator.randint(0, 12))


def _upkeep(generator: random.Random, number: int) -> Operation:
    match generator.randrange(10):
        case 0 | 1 | 2:
            return Flush()
        case 3 | 4 | 5:
            low, high = sorted([generator.choice(KEYS), generator.choice(KEYS)])
            return Compact(low, high) if generator.random() < 0.6 else Compact(None, None)
        case 6 | 7:
            return Kill()
        case 8:
            return Reopen()
        case _:
            return Checkpoint(number)


def _statements(generator: random.Random, most: int) -> Iterator[Statement]:
    for _ in range(generator.randint(1, most)):
        yield _statement(generator)


def _statement(generator: random.Random) -> Statement:
    key = generator.choice(KEYS)
    kind = generator.random()
    if kind < 0.72:
        return Put(key, _value(generator))
    if kind < 0.9:
        return Delete(key)
    low, high = sorted([key, generator.choice(KEYS)])
    return DeleteRange(low, high)


def _value(generator: random.Random) -> bytes:
    size = generator.choice([0, 0, 1, 10, 60, 300, 900])
    return b"%d" % generator.randrange(10**6) + b"v" * size if size else b""


def _bound(generator: random.Random) -> bytes | None:
    return None if generator.random() < 0.4 else generator.choice(KEYS)
