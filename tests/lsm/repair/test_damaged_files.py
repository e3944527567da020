"""Repair of a database with one damaged file: every key that is not listed as lost is right, none is ever invented.

The old directory stays as it is, byte for byte, and the new one is sound.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import pytest

import lsm
from lsm.repair.job import OlderValues
from lsm.testing import SimulatedEnvironment
from tests.support.damage import OPTIONS, PATH, Damage, Files, Sample, disk_of, files_of, made, pieces
from tests.support.model import State

SOAK = bool(os.environ.get("LAYERDB_SOAK"))
STEP = 1 if SOAK else 61
"""Of the bytes of each file, this many-th is damaged outside of a soak."""
NEW = "/new"
SAMPLES = {"closed": made(closed=True), "killed": made(closed=False)}
Record = Callable[[str, object], None]


@pytest.fixture(params=SAMPLES)
def sample(request: pytest.FixtureRequest) -> Sample:
    """Return the database of each end."""
    return SAMPLES[request.param]


def repaired(files: Files, older_values: OlderValues = "keep") -> tuple[lsm.RepairReport, State]:
    """Repair a directory of these files; return the report and what the new database holds."""
    filesystem = disk_of(files)
    environment = SimulatedEnvironment(filesystem)
    report = lsm.repair(PATH, NEW, OPTIONS, older_values=older_values, environment=environment)
    assert files_of(filesystem) == files, "the old directory changed"
    assert lsm.verify(NEW, environment=environment).ok
    with lsm.open(NEW, OPTIONS, environment=environment) as database:
        found = dict(database.scan())
        assert found == dict(sorted(database.scan(reverse=True)))
    return report, found


def lost_keys(report: lsm.RepairReport, keys: Iterable[bytes]) -> set[bytes]:
    """Return those of `keys` that lie in a range that the report lists."""
    assert not report.more_losses
    return {
        key for key in keys for loss in report.losses if loss.start <= key and (loss.stop is None or key < loss.stop)
    }


def judged(sample: Sample, damage: Damage) -> str:
    """Repair a damaged database, check it against the model, and say what came of it."""
    report, found = repaired(damage.files)
    states = sample.states if damage.name.endswith(".wal") else sample.states[-1:]
    right = next((state for state in reversed(states) if state == found), sample.states[-1])
    ever: dict[bytes, set[bytes | None]] = {}
    for state in sample.states:
        for key in {*sample.states[-1], *state}:
            ever.setdefault(key, {None}).add(state.get(key))
    assert set(found) <= set(ever), "keys were invented"
    wrong = {key for key in ever if found.get(key) != right.get(key)}
    assert wrong <= lost_keys(report, ever), f"wrong, but not listed: {wrong}"
    assert all(found.get(key) in ever[key] for key in wrong), "values were invented"
    if report.ok:
        assert sample.states.index(right) >= sample.durable, "synced commits are missing"
        return "nothing was lost" if right == sample.states[-1] else "an unsynced end was lost"
    return "keys were right that are listed as lost" if not wrong else "keys were lost"


def _tried(sample: Sample, damages: Iterable[Damage], record: Record) -> Counter[str]:
    counts: Counter[str] = Counter()
    for damage in damages:
        try:
            counts[judged(sample, damage)] += 1
        except Exception as error:
            raise AssertionError(f"{damage.name}, {damage.what}: {error!r}") from error
    record("repairs", counts.total())
    for outcome, number in counts.items():
        record(outcome, number)
    return counts


def _changed(sample: Sample) -> Iterator[Damage]:
    """Yield each file removed, emptied, filled with zeros, cut, and with flipped bytes."""
    chance = random.Random(7)
    for name, content in sample.files.items():
        if not content:
            continue
        yield Damage("removed", name, {other: data for other, data in sample.files.items() if other != name})
        for what, data in (("emptied", b""), ("zeros", bytes(len(content))), ("garbage", chance.randbytes(500))):
            yield Damage(what, name, {**sample.files, name: data})
        for place in range(chance.randrange(STEP), len(content), STEP * (20 if name == "SHARED" else 1)):
            flipped = content[:place] + bytes((content[place] ^ 1 << chance.randrange(8),)) + content[place + 1 :]
            yield Damage(f"byte {place} flipped", name, {**sample.files, name: flipped})
            yield Damage(f"cut to {place}", name, {**sample.files, name: content[:place]})


@pytest.mark.crash
def test_repair_of_one_damaged_file(sample: Sample, record_property: Record) -> None:
    """Any file, damaged in any way."""
    counts = _tried(sample, _changed(sample), record_property)

    assert counts["nothing was lost"] > 20
    assert counts["keys were lost"] > 20


@pytest.mark.crash
def test_repair_of_replaced_and_swapped_pieces(sample: Sample, record_property: Record) -> None:
    """Pieces of tables and logs in each other's place, and whole files of an older moment."""
    chance = random.Random(8)
    found = pieces(sample.files)
    damages = []
    for _ in range(len(found) ** 2 if SOAK else 60):
        (name, offset, size), (other, start, _) = chance.choice(found), chance.choice(found)
        piece = sample.files[other][start : start + size]
        content = sample.files[name][:offset] + piece + sample.files[name][offset + len(piece) :]
        damages.append(Damage(f"{size} bytes of {other} at {offset}", name, {**sample.files, name: content}))
    for older in sample.older:
        shared = [name for name in older if name in sample.files and not name.startswith(("MANIFEST", "CURRENT"))]
        damages += [Damage("an older self", name, {**sample.files, name: older[name]}) for name in shared]

    assert _tried(sample, damages, record_property).total() > 60
