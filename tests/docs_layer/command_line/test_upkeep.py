"""`compact`, `stats`, `verify`, `repair` and `dump` through the command line."""

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


def test_repair_of_a_sound_database(run: Run, path: Path, tmp_path: Path) -> None:
    """Everything is in the new directory, and the status says that nothing was lost."""
    printed = run("repair", path, "--to", tmp_path / "new")

    assert (printed.status, printed.errors) == (0, "")
    assert printed.lines[-1].endswith("nothing lost")
    assert run("scan", tmp_path / "new").output == run("scan", path).output


def test_repair_lists_what_was_lost(run: Run, path: Path, tmp_path: Path) -> None:
    """A damaged block is named by its keys, as text and as JSON; the old directory stays as it is."""
    table = max(path.glob("*.sst"))
    content = bytearray(table.read_bytes())
    content[100] ^= 1
    table.write_bytes(content)
    before = {file.name: file.read_bytes() for file in path.iterdir()}

    printed = run("repair", path, "--to", tmp_path / "new")
    facts = json.loads(run("repair", path, "--to", tmp_path / "other", "--drop-older", "--json").output)

    assert printed.status == 1
    assert f"lost: {table.name} at offset 0" in printed.lines[0]
    assert "verify" in printed.lines[-1]
    [loss] = facts["losses"]
    assert (facts["ok"], loss["name"], loss["offset"], loss["start"]) == (False, table.name, 0, "000000")
    kept = [line.split()[0] for line in run("scan", tmp_path / "other", "--keys-only").lines]
    assert kept == [f"{number:06d}" for number in range(2_000) if f"{number:06d}" >= loss["stop"]]
    assert run("verify", tmp_path / "new").status == 0
    assert {file.name: file.read_bytes() for file in path.iterdir()} == before


def test_repair_refuses_a_full_directory(run: Run, path: Path, tmp_path: Path) -> None:
    """One line says why, and nothing is written."""
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "file").touch()

    printed = run("repair", path, "--to", tmp_path / "new")

    assert printed.status == 1
    assert "not empty" in printed.errors
