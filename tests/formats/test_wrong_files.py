"""Files and parts of files replaced, swapped, removed, doubled, zeroed: the right answer, or where it is wrong.

Each test damages a database that was closed, and one whose process was killed after commits that nobody synced. Only
the unsynced end of the killed one may be lost, and only to damage in its logs.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import permutations

import pytest

from tests.support.damage import WORDS, Damage, Files, Sample, judged, made, pieces

pytestmark = pytest.mark.crash
SOAK = bool(os.environ.get("LAYERDB_SOAK"))
STEP = 1 if SOAK else 97
"""Of many places each, this many-th is tried outside of a soak."""
Record = Callable[[str, object], None]
SAMPLES = {"closed": made(closed=True), "killed": made(closed=False)}
OTHER = made(2, closed=True)
ALWAYS = {"CURRENT", "SHARED"}
SHARE = 1 if SOAK else 0.2
"""Of the replacements of all other files, this part is tried."""


@pytest.fixture(params=SAMPLES)
def sample(request: pytest.FixtureRequest) -> Sample:
    """Return the database of each end."""
    return SAMPLES[request.param]


def _tried(sample: Sample, damages: Iterable[Damage], record: Record) -> Counter[str]:
    """Judge every damage and record how many there were and what came of them."""
    counts = Counter(WORDS[judged(sample, damage)] for damage in damages if damage.files != sample.files)
    record("damaged databases", counts.total())
    for outcome, number in counts.items():
        record(f"gave {outcome}", number)
    return counts


def _with(files: Files, name: str, content: bytes) -> Files:
    return {**files, name: content}


def _patched(content: bytes, offset: int, piece: bytes) -> bytes:
    return content[:offset] + piece + content[offset + len(piece) :]


def test_the_samples_have_everything(sample: Sample) -> None:
    """Undamaged they are right; there are tables in two levels, range deletions, several logs, older selves."""
    assert judged(sample, Damage("nothing", "LOCK", sample.files)) == "right"
    kinds = Counter(name.rpartition(".")[2].partition("-")[0] for name in sample.files)
    assert kinds["sst"] >= 2
    assert kinds["wal"] >= 2
    assert kinds["MANIFEST"] == 2
    assert len(sample.older) >= 6
    newest = sample.files[max(name for name in sample.files if name.startswith("MANIFEST"))]
    assert b'"level":0' in newest
    assert b'"level":3' in newest


def _replaced(sample: Sample) -> Iterator[Damage]:
    """Yield each file missing, empty, and replaced by any file of the same name, kind or database."""
    files = sample.files
    for name in files:
        yield Damage("removed", name, {other: content for other, content in files.items() if other != name})
        yield Damage("emptied", name, _with(files, name, b""))
        for other in files:
            yield Damage(f"replaced by {other}", name, _with(files, name, files[other]))
        for other, content in OTHER.files.items():
            yield Damage(f"replaced by {other} of another database", name, _with(files, name, content))
        for moment, older in enumerate(sample.older):
            for other in {name} & set(older):
                yield Damage(f"replaced by {other} of moment {moment}", name, _with(files, name, older[other]))


def test_replaced_files(sample: Sample, record_property: Record) -> None:
    """A file that is missing, empty, another one, or an older self."""
    chance = random.Random(3)
    damages = [damage for damage in _replaced(sample) if damage.name in ALWAYS or chance.random() < SHARE]

    assert _tried(sample, damages, record_property).total() > 100


def _older_manifests(sample: Sample) -> Iterator[Damage]:
    """Yield older CURRENT files, beside the manifest that they name, and CURRENT made to name any manifest."""
    for moment, older in enumerate(sample.older):
        manifests = {name: content for name, content in older.items() if name.startswith("MANIFEST")}
        files = {**sample.files, **manifests, "CURRENT": older["CURRENT"]}
        yield Damage(f"that of moment {moment}, with its manifests", "CURRENT", files)
        without = {name: content for name, content in files.items() if name != "SHARED"}
        yield Damage(f"that of moment {moment}, with its manifests, without SHARED", "CURRENT", without)


def test_current_names_an_older_manifest(sample: Sample, record_property: Record) -> None:
    """Whatever it is restored with, commits that went into newer tables are not lost without a word."""
    assert _tried(sample, _older_manifests(sample), record_property).total() >= 6


def _swapped(sample: Sample) -> Iterator[Damage]:
    """Yield databases in which two pieces of tables or logs stand in each other's place, or one in both."""
    pairs = list(permutations(pieces(sample.files), 2))
    for (name, offset, size), (other, start, length) in pairs if SOAK else random.Random(4).sample(pairs, 100):
        piece = sample.files[other][start : start + length]
        yield Damage(
            f"{size} bytes at {offset} replaced by {length} at {start} of {other}",
            name,
            _with(sample.files, name, _patched(sample.files[name], offset, piece[:size])),
        )
        if name == other:
            content = _patched(sample.files[name], offset, piece[: min(size, length)])
            back = sample.files[name][offset : offset + min(size, length)]
            yield Damage(
                f"pieces at {offset} and {start} swapped",
                name,
                _with(sample.files, name, _patched(content, start, back)),
            )


def test_swapped_blocks_and_frames(sample: Sample, record_property: Record) -> None:
    """A piece that is whole, but stands in another place or another file."""
    assert _tried(sample, _swapped(sample), record_property).total() >= 100


def _blanked(sample: Sample) -> Iterator[Damage]:
    """Yield files with ranges of zeros, with ranges that stand twice, and with something behind their end."""
    for name, content in sample.files.items():
        for size in (16, 64, 512) if SOAK else (64, 512):
            for offset in range(0, len(content), size if SOAK else 512):
                zeros = _patched(content, offset, bytes(min(size, len(content) - offset)))
                yield Damage(f"{size} bytes at {offset} are zeros", name, _with(sample.files, name, zeros))
                twice = content[: offset + size] + content[offset:]
                yield Damage(f"{size} bytes at {offset} stand twice", name, _with(sample.files, name, twice))
                missing = content[:offset] + content[offset + size :]
                yield Damage(f"{size} bytes at {offset} are missing", name, _with(sample.files, name, missing))
        for more in (bytes(1), bytes(4096), content or b"?", b"\xff" * 100):
            yield Damage(f"{len(more)} bytes more", name, _with(sample.files, name, content + more))


def test_zeros_and_doubled_ranges(sample: Sample, record_property: Record) -> None:
    """Pages that were never written, written twice, or left out."""
    assert _tried(sample, _blanked(sample), record_property).total() >= 100


def _garbage(sample: Sample) -> Iterator[Damage]:
    """Yield lock files and SHARED with any content."""
    chance = random.Random(5)
    for name in ("SHARED", "LOCK", "PRESENCE", "MAINTENANCE", "CURRENT"):
        for size in (1, 16, 200, 4095, 4096, 10_000):
            yield Damage(f"{size} random bytes", name, _with(sample.files, name, chance.randbytes(size)))
            yield Damage(f"{size} digits", name, _with(sample.files, name, b"7" * size))


def test_garbage_in_lock_files_and_shared(sample: Sample, record_property: Record) -> None:
    """Nothing in these files is needed: any content is harmless, except in CURRENT."""
    counts = _tried(sample, _garbage(sample), record_property)

    assert counts == {WORDS["right"]: 48, WORDS["corruption"]: 12}


def _changed(sample: Sample) -> Iterator[Damage]:
    """Yield flipped bits and cuts of every file."""
    chance = random.Random(6)
    for name, content in sample.files.items():
        for place in range(chance.randrange(STEP), len(content), STEP * (1 if name != "SHARED" else 20)):
            flipped = _patched(content, place, bytes((content[place] ^ (1 << chance.randrange(8)),)))
            yield Damage(f"byte {place} flipped", name, _with(sample.files, name, flipped))
            yield Damage(f"cut to {place}", name, _with(sample.files, name, content[:place]))


def test_flipped_bytes_and_cuts(sample: Sample, record_property: Record) -> None:
    """Every kind of file, with tables in two levels and logs of several lives; the soak tries every byte."""
    assert _tried(sample, _changed(sample), record_property).total() >= 100
