"""Dumps: every kind of file as text, down to the damage."""

from __future__ import annotations

import pytest

import lsm
from tests.support.worlds import PATH, World


@pytest.fixture
def filled(world: World) -> World:
    """Give a closed database with one table and something in the log."""
    database = world.open()
    database.put(b"key", b"value")
    database.put(b"long", b"x" * 100)
    database.delete(b"gone")
    database.delete_range(b"x", b"y")
    database.flush()
    database.put(b"live", b"1", sync=True)
    with database.write_batch() as batch:
        batch.delete(b"key")
        batch.delete_range(b"a", b"b")
    database.close()
    return world


def lines(world: World, name: str = "") -> list[str]:
    """Return the dump of the directory, or of one file."""
    return list(lsm.dump(f"{PATH}/{name}" if name else PATH, environment=world.environment))


def test_the_directory(filled: World) -> None:
    """What CURRENT, the manifests and SHARED say, and the names of the others."""
    text = "\n".join(lines(filled))
    manifest = next(name for name in reversed(filled.names()) if name.startswith("MANIFEST"))

    assert f"CURRENT: manifest {int(manifest[9:])}, checksum " in text
    assert f"MANIFEST {int(manifest[9:])}: format 1, previous " in text
    assert f"  level 0: table {int(filled.tables()[0][:6])}, " in text
    assert "(1 deletions, 1 ranges)" in text
    assert "SHARED: " in text
    for name in (*filled.tables(), *filled.logs(), "LOCK"):
        assert name in text


def test_a_table(filled: World) -> None:
    """Its properties and entries; long values are cut off with their length."""
    text = lines(filled, filled.tables()[0])

    assert text[0].startswith(f"TABLE {filled.tables()[0]}: identity ")
    assert "    b'key' = b'value'" in text
    assert "    delete b'gone'" in text
    assert "    delete range b'x' to b'y'" in text
    assert any(line.endswith("... (100 bytes)") for line in text)
    assert any("entry_count" in line for line in text)


def test_a_log(filled: World) -> None:
    """Frames with their places, promises and changes."""
    name = filled.logs()[-1]
    text = lines(filled, name)

    assert text[0].startswith(f"LOG {int(name[:6])}: identity ")
    assert "    put b'live' = b'1'" in text
    assert "    delete b'key'" in text
    assert "    delete range b'a' to b'b'" in text
    assert text[1].startswith("  84: 1 entries from sequence 5, durable to log ")
    assert not any("ends at" in line for line in text)


def test_a_torn_log(filled: World) -> None:
    """Where it ends and why."""
    name = filled.logs()[-1]
    whole = filled.read(name)
    filled.replace(name, whole + b"torn")

    assert lines(filled, name)[-1] == f"  ends at {len(whole)} of {len(whole) + 4} bytes: no valid frame header"


@pytest.mark.parametrize("name", ["CURRENT", "SHARED"])
def test_single_files_of_the_directory(filled: World, name: str) -> None:
    """As they are in the dump of the whole."""
    text = lines(filled, name)

    assert text
    assert all(line.startswith(f"{name}: ") for line in text)


def test_a_manifest(filled: World) -> None:
    """By its own name."""
    name = next(name for name in reversed(filled.names()) if name.startswith("MANIFEST"))

    assert lines(filled, name)[0].startswith(f"MANIFEST {int(name[9:])}: ")


def test_an_open_database_can_be_dumped(filled: World) -> None:
    """Beside its handle, without a lock."""
    database = filled.open()
    database.put(b"more", b"1")

    assert any("put b'more'" in line for line in lines(filled, filled.logs()[-1]))
    assert lines(filled)


def test_what_is_none_of_ours(filled: World) -> None:
    """A foreign file, and nothing at all."""
    filled.replace("letter.txt", b"Dear")
    with pytest.raises(lsm.InvalidArgumentError, match=r"letter\.txt: not a file of a database"):
        lines(filled, "letter.txt")
    for missing in ("000999.sst", "nothing"):
        with pytest.raises(lsm.MissingFileError):
            lines(filled, missing)


def test_damage_ends_the_dump_with_its_place(filled: World) -> None:
    """What comes before it was told."""
    name = filled.logs()[0]
    filled.replace(name, b"?" * 100)
    with pytest.raises(lsm.CorruptionError, match=name):
        lines(filled, name)
    table = filled.tables()[0]
    content = bytearray(filled.read(table))
    content[2] ^= 1
    filled.replace(table, bytes(content))
    told: list[str] = []
    with pytest.raises(lsm.CorruptionError, match=table):
        for line in lsm.dump(f"{PATH}/{table}", environment=filled.environment):
            told.append(line)  # noqa: PERF402  # what was told before the error counts
    assert told[0].startswith(f"TABLE {table}")
