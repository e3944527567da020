"""Raw keys and values through the command line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import lsm
from tests.docs_layer.command_line.conftest import Run
from tests.docs_layer.command_line.test_application import START


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Make a database with a few keys, some of them not printable."""
    path = tmp_path / "database"
    with lsm.open(path) as db:
        for key, value in ((b"a", b"1"), (b"b\x00", b"\xff"), (b"b\t", b"2"), (b"c", b"back\\slash")):
            db.put(key, value)
    return path


def test_scan_prints_escaped_pairs_in_order(run: Run, path: Path) -> None:
    """Keys come in order of their bytes, a pair in a line with a tab between."""
    printed = run("scan", path)

    assert printed.lines == ["a\t1", r"b\x00" + "\t" + r"\xff", r"b\x09" + "\t2", "c\t" + r"back\\slash"]


@pytest.mark.parametrize(
    ("options", "keys"),
    [
        (["--prefix", "b"], [r"b\x00", r"b\x09"]),
        (["--start", r"b\x01", "--stop", "c"], [r"b\x09"]),
        (["--reverse", "--limit", "2"], ["c", r"b\x09"]),
        (["--limit", "0"], []),
    ],
)
def test_scan_of_a_part(run: Run, path: Path, options: list[str], keys: list[str]) -> None:
    """Ends, prefix, direction and number are those of the engine."""
    assert run("scan", path, "--keys-only", *options).lines == keys


def test_scan_as_json(run: Run, path: Path) -> None:
    """One object a line, with escaped texts."""
    lines = [json.loads(line) for line in run("scan", path, "--json").lines]

    assert lines[1] == {"key": r"b\x00", "value": r"\xff"}
    assert json.loads(run("scan", path, "--json", "--keys-only").lines[0]) == {"key": "a"}


def test_scan_takes_a_prefix_or_a_range(run: Run, path: Path) -> None:
    """Both together are refused."""
    assert run("scan", path, "--prefix", "a", "--start", "a").status == 1


def test_put_get_delete(run: Run, path: Path) -> None:
    """What is put is got, and what is deleted is not there."""
    assert run("put", path, r"new\x00", r"a\x01b").status == 0
    assert run("get", path, r"new\x00").lines == [r"a\x01b"]
    assert json.loads(run("get", path, r"new\x00", "--json").output) == {"key": r"new\x00", "value": r"a\x01b"}
    assert run("delete", path, r"new\x00").status == 0

    missing = run("get", path, r"new\x00")

    assert missing.status == 1
    assert missing.errors == "layerdb: there is no key new\\x00\n"


def test_delete_of_a_range(run: Run, path: Path) -> None:
    """`--stop` deletes up to a key that stays."""
    assert run("delete", path, "b", "--stop", "c").status == 0
    assert run("scan", path, "--keys-only").lines == ["a", "c"]


def test_get_of_the_bytes_as_they_are(path: Path) -> None:
    """`--raw` writes the value without escaping and without a line end."""
    program = subprocess.run(
        [sys.executable, "-c", START, "get", str(path), r"b\x00", "--raw"], capture_output=True, check=True
    )

    assert program.stdout == b"\xff"


def test_put_makes_a_database_only_when_asked(run: Run, tmp_path: Path) -> None:
    """A wrong path does not become a database by accident."""
    path = tmp_path / "new"

    assert run("put", path, "a", "b").status == 1
    assert run("put", path, "a", "b", "--create").status == 0
    assert run("get", path, "a").lines == ["b"]


def test_a_stray_backslash_is_refused(run: Run, path: Path) -> None:
    """A text that is no escaped text names the place of the mistake."""
    printed = run("get", path, r"a\q")

    assert printed.status == 1
    assert "position 1" in printed.errors
