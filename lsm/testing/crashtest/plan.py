"""What the processes of a crash test do: steps as plain values, drawn from a seed, and what a commit changes.

Each writer has keys of its own, `w3/k07`, and counts its transactions in `w3/count`. Every transaction also adds one to
what all writers share: the counter `COUNTER` and the key `TOTAL`, which is read and written. So a database by itself
tells whether a transaction is whole: both are the sum of all counts.

Values are a function of writer, step and place, so that they need not be told and no two are alike.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from typing import Literal

import msgspec

from lsm.options import KIB, Options

COUNTER = b"transactions"
TOTAL = b"total"
_KEYS = 60
_SIZES_BYTES = (0, 8, 30, 30, 100, 100, 300, 2000)


class Put(msgspec.Struct, frozen=True, array_like=True, tag="put"):
    """Set a key to a value of about this size."""

    key: bytes
    size_bytes: int


class Delete(msgspec.Struct, frozen=True, array_like=True, tag="delete"):
    """Remove a key, whether it is there or not."""

    key: bytes


class DeleteRange(msgspec.Struct, frozen=True, array_like=True, tag="delete_range"):
    """Remove all keys in [start, stop)."""

    start: bytes
    stop: bytes


Statement = Put | Delete | DeleteRange


class Commit(msgspec.Struct, frozen=True, array_like=True, tag="commit"):
    """Write some statements at once."""

    way: Literal["plain", "batch", "transaction"]
    statements: tuple[Statement, ...]
    sync: bool


class Barrier(msgspec.Struct, frozen=True, array_like=True, tag="barrier"):
    """Make everything before it durable, by a call of this name."""

    call: Literal["sync", "flush", "compact"]


class Checkpoint(msgspec.Struct, frozen=True, array_like=True, tag="checkpoint"):
    """Make a checkpoint with this name; the earlier one of the same writer is removed first."""

    name: str


class Look(msgspec.Struct, frozen=True, array_like=True, tag="look"):
    """Read, and compare with what this writer knows: its keys now, or in a snapshot that it has held for a while."""

    way: Literal["scan", "snapshot", "verify"]


Step = Commit | Barrier | Checkpoint | Look


def prefix_of(writer: int) -> bytes:
    """Return what the keys of a writer begin with."""
    return b"w%d/" % writer


def count_key(writer: int) -> bytes:
    """Return the key under which a writer counts its transactions."""
    return prefix_of(writer) + b"count"


def value_of(writer: int, number: int, place: int, size_bytes: int) -> bytes:
    """Return the value that a put writes: step `number` of `writer`, its statement at `place`."""
    head = b"%d.%d.%d:" % (writer, number, place)
    return head + bytes([97 + number % 26]) * max(size_bytes - len(head), 0)


def apply(state: dict[bytes, bytes], writer: int, number: int, commit: Commit) -> set[bytes]:
    """Make the changes of a commit in `state`; return the keys that it speaks about."""
    touched: set[bytes] = set()
    for place, statement in enumerate(commit.statements):
        if isinstance(statement, Put):
            state[statement.key] = value_of(writer, number, place, statement.size_bytes)
            touched.add(statement.key)
        elif isinstance(statement, Delete):
            state.pop(statement.key, None)
            touched.add(statement.key)
        else:
            gone = [key for key in state if statement.start <= key < statement.stop]
            touched.update(gone)
            for key in gone:
                del state[key]
    if commit.way == "transaction":
        key = count_key(writer)
        state[key] = b"%d" % (int(state.get(key, b"0")) + 1)
        touched.add(key)
    return touched


def steps(seed: str, writer: int) -> Iterator[Step]:
    """Yield the steps of one writer without end. The same seed gives the same steps."""
    generator = random.Random(seed)
    while True:
        yield _step(generator, writer)


def _step(generator: random.Random, writer: int) -> Step:
    chance = generator.random()
    sync = generator.random() < 0.12
    if chance < 0.55:
        return Commit("plain", _statements(generator, writer, 1), sync)
    if chance < 0.72:
        return Commit("batch", _statements(generator, writer, generator.randint(1, 20)), sync)
    if chance < 0.88:
        return Commit("transaction", _statements(generator, writer, generator.randint(0, 5)), sync)
    if chance < 0.94:
        return Look(generator.choice(("scan", "snapshot", "snapshot")))
    if chance < 0.985:
        return Barrier(generator.choice(("sync", "flush", "flush", "compact")))
    if chance < 0.997:
        return Checkpoint(f"w{writer}-{generator.randrange(10**9)}")
    return Look("verify")


def _statements(generator: random.Random, writer: int, count: int) -> tuple[Statement, ...]:
    return tuple(_statement(generator, writer) for _ in range(count))


def _statement(generator: random.Random, writer: int) -> Statement:
    first = generator.randrange(_KEYS)
    key = _key(writer, first)
    chance = generator.random()
    if chance < 0.75:
        return Put(key, generator.choice(_SIZES_BYTES))
    if chance < 0.93:
        return Delete(key)
    return DeleteRange(key, _key(writer, first + generator.randint(1, 8)))


def _key(writer: int, number: int) -> bytes:
    return prefix_of(writer) + b"k%02d" % number


def options(generator: random.Random) -> Options:
    """Return options so small that a second of work rotates, flushes and compacts many times."""
    return Options(
        memory_budget_bytes=1024 * KIB,
        memtable_bytes=generator.choice((16, 64, 256)) * KIB,
        block_bytes=generator.choice((128, 1024)),
        compression=generator.choice(("none", "lz4", "zstd")),
        filter_bits_per_key=generator.choice((0, 10)),
        sync_interval_milliseconds=generator.choice((0, 0, 3)),
        table_bytes=8 * KIB,
        level_count=4,
        level_ratio=3,
        level_base_bytes=16 * KIB,
        level0_compact_tables=2,
        level0_slow_tables=6,
        level0_stop_tables=10,
    )


def digest(state: dict[bytes, bytes]) -> bytes:
    """Return a few bytes that are the same for two states only if they are equal."""
    return hashlib.blake2b(repr(sorted(state.items())).encode(), digest_size=16).digest()


class Moment(msgspec.Struct, frozen=True):
    """Something that happens to a process, so many seconds after the one before."""

    after_seconds: float
    process: int
    action: Literal["stop", "continue", "kill", "close"]


def moments(generator: random.Random, processes: int) -> list[Moment]:
    """Return what happens to the processes of one round: stopped and continued, and in the end each killed or closed.

    Times are log-uniform from a millisecond to two seconds, so that openings are hit as often as long runs.
    """
    found: list[Moment] = []
    for _ in range(generator.choice((0, 0, 0, 1, 1, 2, 4))):
        process = generator.randrange(processes)
        found.append(Moment(_log_uniform(generator, 0.001, 0.5), process, "stop"))
        found.append(Moment(_log_uniform(generator, 0.001, 0.3), process, "continue"))
    victims = list(range(processes))
    generator.shuffle(victims)
    for process in victims:
        ending: Literal["kill", "close"] = "kill" if generator.random() < 0.9 else "close"
        found.append(Moment(_log_uniform(generator, 0.001, 2.0), process, ending))
    return found


def _log_uniform(generator: random.Random, low: float, high: float) -> float:
    return float(low * (high / low) ** generator.random())
