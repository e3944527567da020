"""Databases to be damaged, kinds of damage, and the judgement of what comes of it.

A sample is a small database with everything in it: two levels of tables, range deletions, logs of three incarnations.
`judged` opens a damaged copy, reads everything, compacts it, verifies it, and says what came of it; it raises when that
is not allowed: a wrong answer, an error outside the tree, a `CorruptionError` that names another file, damage that
`verify` does not find.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

import lsm
from lsm.block_cache import BlockCache
from lsm.sstable.reader import TableReader
from lsm.testing import SimulatedEnvironment, SimulatedFileSystem
from lsm.write_ahead_log.reader import LogReader
from tests.support.model import Delete, DeleteRange, Put, State, Statement, after
from tests.support.small import SMALL

PATH = "/data"
Files = dict[str, bytes]
Outcome = Literal["corruption", "right", "cut"]
KEYS = [b"key/%02d" % number for number in range(24)]
OPTIONS = dataclasses.replace(SMALL, memtable_bytes=16384, level0_slow_tables=9, level0_stop_tables=9)
WORDS: dict[Outcome, str] = {"corruption": "a CorruptionError", "right": "the right content", "cut": "a shorter prefix"}


class Sample(NamedTuple):
    """A database as files.

    states: the content after each commit; the last one is what is in it. sequences: the last sequence number of each.
    durable: the first of them that damage may bring back, because all up to it was synced. older: what the files were
    at earlier moments.
    """

    files: Files
    states: list[State]
    sequences: list[int]
    durable: int
    older: list[Files]


class Damage(NamedTuple):
    """What was done to which file, and all files after it."""

    what: str
    name: str
    files: Files


def made(seed: int = 1, *, closed: bool) -> Sample:
    """Make a database in three lives; at the end of the last one it is closed, or killed with unsynced commits."""
    filesystem = SimulatedFileSystem()
    states: list[State] = [{}]
    sequences = [0]
    older: list[Files] = []
    chance = random.Random(seed)
    durable = 0
    for life in range(3):
        environment = SimulatedEnvironment(filesystem, seed=seed)
        database = lsm.open(PATH, OPTIONS, environment=environment)
        for number in range(14):
            statements = _statements(chance)
            synced = number in {4, 9}
            _write(database, statements, sync=synced)
            states.append(after(states[-1], statements))
            sequences.append(sequences[-1] + len(statements))
            durable = len(states) - 1 if synced else durable
            if (life, number) in {(0, 5), (1, 3), (1, 7), (1, 11)}:
                database.flush()
            if (life, number) == (1, 4):
                database.compact()
            if number % 6 == 5:
                older.append(files_of(filesystem))
        if life == 2 and not closed:
            files = files_of(filesystem)
            database.close()
            return Sample(files, states, sequences, durable, older)
        database.close()
        older.append(files_of(filesystem))
    return Sample(older.pop(), states, sequences, len(states) - 1, older)


def _statements(chance: random.Random) -> list[Statement]:
    statements: list[Statement] = [
        Put(chance.choice(KEYS), chance.randbytes(chance.randrange(1, 12)) * 3) for _ in range(3)
    ]
    kind = chance.random()
    if kind < 0.2:
        statements.append(Delete(chance.choice(KEYS)))
    elif kind < 0.4:
        start = chance.randrange(len(KEYS) - 2)
        statements.append(DeleteRange(KEYS[start], KEYS[start + 2]))
    return statements


def _write(database: lsm.Database, statements: Iterable[Statement], *, sync: bool) -> None:
    batch = lsm.WriteBatch()
    for statement in statements:
        if isinstance(statement, Put):
            batch.put(statement.key, statement.value)
        elif isinstance(statement, Delete):
            batch.delete(statement.key)
        elif isinstance(statement, DeleteRange):
            batch.delete_range(statement.start, statement.stop)
    database.write(batch, sync=sync)


def files_of(filesystem: SimulatedFileSystem, path: str = PATH) -> Files:
    """Return the content of every file of a directory."""
    directory = filesystem.open_directory(path)
    files = {}
    for name in directory.names():
        file = directory.open(name, "read")
        files[name] = file.read_at(0, file.size())
    return files


def disk_of(files: Files) -> SimulatedFileSystem:
    """Return a disk on which these files are durable."""
    filesystem = SimulatedFileSystem()
    filesystem.create_directory(PATH)
    directory = filesystem.open_directory(PATH)
    for name, content in files.items():
        file = directory.open(name, "create")
        if content:
            file.write_at(0, content)
        file.sync()
    directory.sync()
    filesystem.open_directory("/").sync()
    return filesystem


def pieces(files: Files) -> list[tuple[str, int, int]]:
    """Return every piece of a table and every frame of a log: file, offset, size in bytes."""
    directory = disk_of(files).open_directory(PATH)
    found: list[tuple[str, int, int]] = []
    for name in directory.names():
        file = directory.open(name, "read")
        if name.endswith(".wal"):
            found += [(name, frame.offset, frame.end - frame.offset) for frame in LogReader(file).frames()]
        elif name.endswith(".sst"):
            found += [(name, *handle) for handle in _frames(TableReader(file, None, _no_cache())) if handle[1]]
    return found


def _no_cache() -> BlockCache:
    return BlockCache(0, SimulatedEnvironment().lock())


def _frames(reader: TableReader) -> Iterator[tuple[int, int]]:
    footer, _ = reader._parts.open()
    top = reader._parts.top_index()
    for number, partition in enumerate(top.partitions):
        index = reader._parts.index(top, number)
        yield from ((offset, end - offset) for offset, end in zip(index.offsets, index.offsets[1:], strict=False))
        yield from (partition.filter_handle, partition.index_handle)
    yield from footer[1:]


def judged(sample: Sample, damage: Damage) -> Outcome:
    """Say what comes of a damaged database; raise `AssertionError` with the damage in words if it is not allowed."""
    try:
        outcome = _outcome(sample, damage)
        report = lsm.verify(PATH, environment=SimulatedEnvironment(disk_of(damage.files)))
        for error in report.damage:
            _check_place(error, damage)
        assert outcome != "corruption" or not report.ok, "verify found nothing"
    except Exception as error:
        raise AssertionError(f"{damage.name}, {damage.what}: {error!r}") from error
    return outcome


def _outcome(sample: Sample, damage: Damage) -> Outcome:
    filesystem = disk_of(damage.files)
    try:
        database = lsm.open(PATH, OPTIONS, environment=SimulatedEnvironment(filesystem))
    except lsm.CorruptionError as error:
        _check_place(error, damage)
        return "corruption"
    with database:
        state = _state_of(sample, database, damage)
        outcome = _read(database, state, damage)
        try:
            database.compact()
        except lsm.CorruptionError as error:
            _check_place(error, damage)
            assert damage.name in filesystem.open_directory(PATH).names(), "a failed compaction removed its input"
            _read(database, state, damage)
            return "corruption"
        afterwards = _read(database, state, damage)
        assert afterwards == "right" or outcome == "corruption", "a compaction made damage visible, and did not notice"
    if outcome == "right" and state != sample.states[-1]:
        return "cut"
    return outcome


def _state_of(sample: Sample, database: lsm.Database, damage: Damage) -> State:
    """Return the state that an opened database must have: the last one, or that after the commits that it still has."""
    found = database.recovery.last_sequence
    if found == sample.sequences[-1]:
        return sample.states[-1]
    assert damage.name.endswith(".wal"), f"commits are missing: {database.recovery}"
    place = sample.sequences.index(found)
    assert place >= sample.durable, f"synced commits are missing: {database.recovery}"
    return sample.states[place]


def _read(database: lsm.Database, state: State, damage: Damage) -> Outcome:
    """Read everything in every way; each answer is right or refused, and what is refused is the damaged part only."""
    wrong = 0
    for reverse in (False, True):
        try:
            assert list(database.scan(reverse=reverse)) == sorted(state.items(), reverse=reverse), "a wrong scan"
        except lsm.CorruptionError as error:
            _check_place(error, damage)
            wrong += 1
    for key in KEYS:
        try:
            assert database.get(key) == state.get(key), f"a wrong value of {key!r}"
        except lsm.CorruptionError as error:
            _check_place(error, damage)
            wrong += 1
    return "corruption" if wrong else "right"


def _check_place(error: lsm.CorruptionError, damage: Damage) -> None:
    """Check that an error names the damaged file and a place in it; or one that is not as the damaged file says."""
    name = error.path.removeprefix(f"{PATH}/")
    named = name == damage.name or f"{damage.name} says" in error.reason or f"{damage.name} names" in error.reason
    assert named, f"the error says {error}"
    assert 0 <= error.offset <= len(damage.files.get(name, b"")), error
