"""A lost last manifest is put together again from the one before it and the traces of the last edit."""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Callable

import pytest

import lsm
from lsm.testing import SimulatedEnvironment, SimulatedFileSystem
from tests.lsm.repair.test_damaged_files import lost_keys, repaired
from tests.support.damage import KEYS, OPTIONS, PATH, Files, files_of
from tests.support.small import SMALL

Record = Callable[[str, object], None]


STALLING = dataclasses.replace(SMALL, memtable_bytes=1024, level0_compact_tables=2)
"""Flushes and compacts by itself, step by step, so that the levels are in use."""


def _life(seed: int) -> list[tuple[str, Files, dict[bytes, bytes]]]:
    """Live at random; return what was done last, the files and the content at many moments."""
    chance = random.Random(seed)
    filesystem = SimulatedFileSystem()
    content: dict[bytes, bytes] = {}
    moments: list[tuple[str, Files, dict[bytes, bytes]]] = []
    kinds = ["put"] * 6 + ["delete", "delete", "range", "range", "flush", "flush"]
    kinds += ["compact", "compact", "compact part", "compact part"] if seed % 2 else ["flush"] * 3
    options = OPTIONS if seed % 2 else STALLING
    with lsm.open(PATH, options, environment=SimulatedEnvironment(filesystem, seed=seed)) as database:
        for _ in range(70):
            kind = chance.choice(kinds)
            key, stop = sorted(chance.sample(KEYS, 2))
            if kind == "put":
                content[key] = chance.randbytes(5 if seed % 2 else 400)
                database.put(key, content[key], sync=True)
            elif kind == "delete":
                content.pop(key, None)
                database.delete(key, sync=True)
            elif kind == "range":
                content = {other: value for other, value in content.items() if not key <= other < stop}
                database.delete_range(key, stop, sync=True)
            elif kind == "flush":
                database.flush()
            elif kind == "compact":
                database.compact()
            else:
                database.compact(key, stop)
            moments.append((kind, files_of(filesystem), dict(content)))
    return moments


def test_the_lives_use_the_levels() -> None:
    """Tables of two levels below 0 stand above each other; otherwise their order would be no question."""
    levels = {level for _, files, _ in _life(0) for level in re.findall(rb'"level":(.)', b"".join(files.values()))}

    assert levels >= {b"0", b"2", b"3"}


def _without(files: Files, prefix: str, *, newest_only: bool) -> Files:
    """Return the files without the manifests, or without the newest one."""
    names = sorted(name for name in files if name.startswith(prefix))
    gone = names[-1:] if newest_only else names
    return {name: content for name, content in files.items() if name not in gone}


@pytest.mark.model
@pytest.mark.parametrize("damaged", ["CURRENT", "the last manifest", "both"])
@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_lost_with_the_last_manifest(seed: int, damaged: str, record_property: Record) -> None:
    """After every step of a random life: flushes, compactions of any kind, moves, and edits without outputs."""
    moments = [moment for moment in _life(seed) if any(name.endswith(".sst") for name in moment[1])]
    for kind, files, content in moments:
        remaining = files if damaged == "CURRENT" else _without(files, "MANIFEST", newest_only=True)
        if damaged != "the last manifest":
            remaining = {name: data for name, data in remaining.items() if name != "CURRENT"}
        report, found = repaired(remaining)
        assert report.ok, (kind, str(report))
        assert found == content, (kind, str(report))
    record_property("repairs", len(moments))


@pytest.mark.model
@pytest.mark.parametrize("seed", range(4))
def test_without_any_manifest(seed: int, record_property: Record) -> None:
    """The order of the tables is guessed where it must be, and where a guess may be wrong, the keys are listed."""
    moments = [moment for moment in _life(seed) if any(name.endswith(".sst") for name in moment[1])]
    certain = 0
    for kind, files, content in moments:
        bare = {
            name: data for name, data in _without(files, "MANIFEST", newest_only=False).items() if name != "CURRENT"
        }
        report, found = repaired(bare)
        wrong = {key for key in KEYS if found.get(key) != content.get(key)}
        assert wrong <= lost_keys(report, KEYS), (kind, str(report))
        certain += report.ok
    record_property("repairs", len(moments))
    record_property("certain", certain)
    assert certain or not seed % 2


def test_without_manifests_and_without_properties() -> None:
    """A table of which nobody knows the age counts as the oldest, and the whole report says so."""
    _, files, content = _life(1)[-1]
    bare = {name: data for name, data in _without(files, "MANIFEST", newest_only=False).items() if name != "CURRENT"}
    name = max(name for name in bare if name.endswith(".sst"))
    place = bare[name].index(b'"manifest_number"')
    report, found = repaired({**bare, name: bare[name][:place] + b"?" + bare[name][place + 1 :]})

    [loss] = report.losses
    assert (loss.name, loss.start, loss.stop) == (name, b"", None)
    assert set(content) <= set(found)
