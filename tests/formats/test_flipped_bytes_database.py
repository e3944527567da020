"""Every byte of every file of a database flipped, and every file cut at every length: noticed, or harmless.

A closed database that opens shows the right content. Otherwise opening, or the first read that meets the damage, raises
a `CorruptionError` with the file and an offset inside it. That holds for the end of the last log as well: a cut there
looks like a crash in the middle of a write, but SHARED knows what was durable.
"""

from __future__ import annotations

import os
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

import lsm
from lsm.filenames import parse_name
from lsm.testing import SimulatedEnvironment, SimulatedFileSystem
from tests.support.model import Put, State, Statement, after
from tests.support.small import SMALL

PATH = "/data"
SOAK = bool(os.environ.get("LAYERDB_SOAK"))
Files = dict[str, bytes]
OUTCOMES = {"corruption": "a CorruptionError", "right": "the right content"}


def _commits() -> list[list[Statement]]:
    """The commits: some end up in tables, some in logs."""
    return [[Put(b"key %02d" % number, b"value %d" % number * 3)] for number in range(40)]


def _made() -> tuple[Files, list[State]]:
    """Make a small database with two tables, a filled log and a live log; return its files and all its states."""
    filesystem = SimulatedFileSystem()
    database = lsm.open(PATH, SMALL, environment=SimulatedEnvironment(filesystem))
    states: list[State] = [{}]
    for number, statements in enumerate(_commits()):
        for statement in statements:
            assert isinstance(statement, Put)
            database.put(statement.key, statement.value, sync=number % 4 == 3)
        states.append(after(states[-1], statements))
        if number in {14, 25}:
            database.flush()
    database.close()
    return _read_all(filesystem), states


def _read_all(filesystem: SimulatedFileSystem) -> Files:
    directory = filesystem.open_directory(PATH)
    files = {}
    for name in directory.names():
        file = directory.open(name, "read")
        files[name] = file.read_at(0, file.size())
    return files


def _disk(files: Files) -> SimulatedFileSystem:
    filesystem = SimulatedFileSystem()
    filesystem.create_directory(PATH)
    directory = filesystem.open_directory(PATH)
    for name, data in files.items():
        file = directory.open(name, "create")
        file.write_at(0, data)
        file.sync()
    directory.sync()
    filesystem.open_directory("/").sync()
    return filesystem


FILES, STATES = _made()
LAST_LOG = max(name for name in FILES if name.endswith(".wal"))
TABLES = sorted(name for name in FILES if name.endswith(".sst"))
NAMED = sorted(name for name, data in FILES.items() if data)


def _outcome(files: Files, name: str) -> str:
    """Open damaged files and read everything; return what came of it, or raise when it is not allowed."""
    try:
        with lsm.open(PATH, SMALL, environment=SimulatedEnvironment(_disk(files))) as database:
            found = dict(database.scan())
            for key, value in STATES[-1].items():
                assert database.get(key) == found.get(key), f"get and scan differ at {key!r}: {value!r}"
    except lsm.CorruptionError as error:
        return _judged(error, name)
    assert found == STATES[-1], f"a wrong answer: {sorted(set(STATES[-1]) - set(found))} are missing"
    return "right"


def _judged(error: lsm.CorruptionError, name: str) -> str:
    assert error.path == f"{PATH}/{name}", f"the damage is in {name}, the error says {error}"
    assert 0 <= error.offset <= len(FILES[name]), error
    return "corruption"


def _flips(name: str) -> Iterator[tuple[str, bytes]]:
    data = FILES[name]
    for place in range(len(data)):
        for mask in (1 << place % 8, 0xFF, 0x80, 0x01) if SOAK else (1 << place % 8,):
            yield f"byte {place} ^ {mask:#x}", data[:place] + bytes((data[place] ^ mask,)) + data[place + 1 :]


def _cuts(name: str) -> Iterator[tuple[str, bytes]]:
    data = FILES[name]
    for length in range(len(data)):
        yield f"cut to {length}", data[:length]


def _tried(name: str, damages: Iterator[tuple[str, bytes]]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for what, data in damages:
        try:
            counts[_outcome({**FILES, name: data}, name)] += 1
        except Exception as error:
            raise AssertionError(f"{name}, {what}: {error!r}") from error
    return counts


def _record(record_property: Callable[[str, object], None], what: str, counts: Counter[str]) -> None:
    record_property(what, counts.total())
    for outcome, count in counts.items():
        record_property(f"gave {OUTCOMES[outcome]}", count)


def test_the_sample_has_every_kind_of_file() -> None:
    """What is damaged below is a whole database: manifests, CURRENT, SHARED, tables and logs."""
    kinds = Counter(parsed[0] if (parsed := parse_name(name)) is not None else name for name in NAMED)

    assert {"CURRENT", "SHARED", "log", "manifest", "table"} <= set(kinds)
    assert kinds["table"] >= 2
    assert _outcome(FILES, LAST_LOG) == "right"


@pytest.mark.crash
@pytest.mark.parametrize("name", NAMED)
def test_every_flipped_byte_is_noticed_or_harmless(name: str, record_property: Callable[[str, object], None]) -> None:
    """A changed byte in a closed database is never a wrong answer."""
    counts = _tried(name, _flips(name))

    _record(record_property, "flipped bytes", counts)
    assert sum(counts.values()) >= len(FILES[name])


@pytest.mark.crash
@pytest.mark.parametrize("name", NAMED)
def test_every_cut_is_noticed_or_harmless(name: str, record_property: Callable[[str, object], None]) -> None:
    """A file that ends too early is never a wrong answer."""
    counts = _tried(name, _cuts(name))

    _record(record_property, "cuts", counts)
    assert sum(counts.values()) == len(FILES[name])


@pytest.mark.crash
@pytest.mark.parametrize("name", NAMED)
def test_damage_does_not_make_memory_grow(name: str) -> None:
    """No declared length is believed before it was compared with the file: opening allocates little."""
    undamaged = _peak_bytes(FILES)
    for number, (what, data) in enumerate(_flips(name)):
        if number % 23 == 0:
            assert _peak_bytes({**FILES, name: data}) < undamaged + 300_000, what


def _peak_bytes(files: Files) -> int:
    disk = _disk(files)
    tracemalloc.start()
    try:
        with lsm.open(PATH, SMALL, environment=SimulatedEnvironment(disk)) as database:
            list(database.scan())
    except lsm.CorruptionError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


@pytest.mark.parametrize("name", TABLES)
def test_verify_names_the_damaged_file(name: str) -> None:
    """A handle that was opened before the damage finds it by reading every byte."""
    filesystem = _disk(FILES)
    database = lsm.open(PATH, SMALL, environment=SimulatedEnvironment(filesystem))
    file = filesystem.open_directory(PATH).open(name, "write")
    place = len(FILES[name]) // 3
    file.write_at(place, bytes((FILES[name][place] ^ 0x10,)))

    damage = list(database.verify().damage)
    database.close()

    assert damage
    assert {error.path for error in damage} == {f"{PATH}/{name}"}
