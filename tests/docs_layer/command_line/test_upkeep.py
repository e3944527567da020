"""`compact`, `stats`, `verify` and `dump` through the command line."""

import json
from pathlib import Path

import pytest

import lsm
from tests.docs_layer.command_line.conftest import Run


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Make a database whose values were written twice, so that compaction has something to do."""
    path = tmp_path / "database"
    with lsm.open(path, lsm.Options(compression="none", bottommost_compression="none", maintenance=False)) as db:
        for _ in range(2):
            for number in range(2_000):
                db.put(b"%06d" % number, b"v" * 100)
            db.flush()
    return path


def test_compact_gives_space_back(run: Run, path: Path) -> None:
    """The JSON says how large the files were before and after."""
    sizes = json.loads(run("compact", path, "--json").output)

    assert 0 < sizes["after_bytes"] < sizes["before_bytes"]


def test_compact_of_a_range(run: Run, path: Path) -> None:
    """A range is compacted, and nothing is lost."""
    printed = run("compact", path, "--start", "000100", "--stop", "000200")

    assert printed.status == 0
    assert "before" in printed.output
    assert len(run("scan", path, "--keys-only").lines) == 2_000


def test_stats_as_json(run: Run, path: Path) -> None:
    """A program reads levels, counters and what opening found."""
    facts = json.loads(run("stats", path, "--json").output)

    assert sum(level["tables"] for level in facts["levels"]) == len(list(path.glob("*.sst")))
    assert facts["last_sequence"] == 4_000
    assert facts["recovery"]["dropped_bytes"] == 0


def test_stats_for_a_person(run: Run, path: Path) -> None:
    """The levels that hold tables come first, then one fact a line, then what opening found."""
    lines = [line.split() for line in run("stats", path).lines if line.strip()]

    assert lines[0] == ["level", "tables", "size", "entries", "tombstones"]
    assert lines[2][:2] == ["0", str(len(list(path.glob("*.sst"))))]
    assert ["last_sequence", "4000"] in lines
    assert lines[-1][0] == "opening:"


def test_verify_of_a_sound_database(run: Run, path: Path) -> None:
    """Nothing is damaged, and the status says so."""
    printed = run("verify", path)

    assert printed.status == 0
    assert "no damage" in printed.output
    assert json.loads(run("verify", path, "--json").output)["damage"] == []


def test_verify_lists_damage(run: Run, path: Path) -> None:
    """A flipped byte of a table ends with status 1, and the damaged file is named."""
    table = min(path.glob("*.sst"))
    content = bytearray(table.read_bytes())
    content[len(content) // 3] ^= 1
    table.write_bytes(content)

    printed = run("verify", path)

    assert printed.status == 1
    assert table.name in printed.output
    assert len(json.loads(run("verify", path, "--json").output)["damage"]) >= 1


def test_dump_of_a_database_and_of_a_file(run: Run, path: Path) -> None:
    """A directory prints an overview of its files, a file its whole content."""
    table = min(path.glob("*.sst"))

    whole = run("dump", path)
    one = run("dump", table)

    assert whole.status == one.status == 0
    assert table.name in whole.output
    assert "MANIFEST" in whole.output
    assert sum("001234" in line for line in one.lines) == 1
