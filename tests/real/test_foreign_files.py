"""Foreign and duplicate files in the directory: a clear error or no harm, and never a lost or foreign file."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import lsm
from tests.real.conftest import ENTRIES, PLAIN


def one(path: Path, pattern: str) -> Path:
    """Return the newest file of a kind."""
    return max(path.glob(pattern))


def unharmed(path: Path) -> None:
    """Assert that everything is there, sound, and can be written."""
    with lsm.open(path, PLAIN) as database:
        assert dict(database.scan()) == ENTRIES
        assert database.verify().ok
        database.put(b"one more", b"1", sync=True)


def _copied(kind: str, name: str) -> Callable[[Path], object]:
    return lambda path: shutil.copy(one(path, kind), path / name)


def _text(name: str) -> Callable[[Path], object]:
    return lambda path: (path / name).write_text("mine")


FOREIGN = [
    *map(_text, ("CURRENT~", "#CURRENT#", ".CURRENT.swp", "000003.sst.bak", ".DS_Store", "000003.SST", "7.wal")),
    _copied("*.sst", "000003 (copy).sst"),
    _copied("*.wal", "000000004.wal"),
    _copied("*.wal", "4.wal"),
    _copied("MANIFEST-*", "MANIFEST-000004.orig"),
    lambda path: (path / "notes").mkdir(),
    lambda path: (path / "999999.sst").mkdir(),
    lambda path: (path / "link").symlink_to("nowhere"),
]


@pytest.mark.parametrize("place", FOREIGN)
def test_foreign_files_disturb_nobody_and_stay(path: Path, place: Callable[[Path], object]) -> None:
    """What does not have exactly a name of ours is neither read nor removed, also by flush and compaction."""
    before = set(path.iterdir())
    place(path)
    (foreign,) = set(path.iterdir()) - before
    unharmed(path)
    with lsm.open(path, PLAIN) as database:
        database.compact()

    assert foreign.is_symlink() or foreign.exists()


HARMLESS = [
    _copied("*.sst", "000500.sst"),
    _copied("*.wal", "000000.wal"),
    _copied("MANIFEST-*", "MANIFEST-000500"),
    lambda path: os.link(one(path, "*.sst"), path / "000500.sst"),
    lambda path: (path / "000500.wal").touch(),
    lambda path: os.mkfifo(path / "000500.sst"),
]


@pytest.mark.parametrize("place", HARMLESS)
def test_copies_under_names_of_ours_do_no_harm(path: Path, place: Callable[[Path], object]) -> None:
    """A copy of a table or manifest, and an empty log, are not named by anything: they are told of and go."""
    place(path)
    with lsm.open(path, PLAIN) as database:
        assert len(database.recovery.files_removed) == 1
    unharmed(path)


def test_a_link_is_removed_without_its_target(path: Path, tmp_path: Path) -> None:
    """A symbolic link with the name of a leftover goes; what it points to stays as it is."""
    target = tmp_path / "precious"
    target.write_text("mine")
    for name in ("000500.sst", "000501.wal", "CURRENT.tmp"):
        (path / name).symlink_to(target)
    with lsm.open(path, PLAIN) as database:
        database.put(b"key", b"value")
        database.flush()

    assert target.read_text() == "mine"


REFUSED = [
    (_copied("*.wal", "000500.wal"), lsm.CorruptionError, r"000500.wal: .* this is 00000\d.wal under another name"),
    (lambda path: (path / "000500.wal").mkdir(), lsm.StorageError, "000500.wal: read failed: Is a directory"),
    (lambda path: (path / "000500.wal").symlink_to("nowhere"), lsm.MissingFileError, "000500.wal: open failed"),
    (lambda path: os.mkfifo(path / "000500.wal"), lsm.StorageError, "000500.wal: read failed"),
    (_text("18446744073709551615.sst"), lsm.CorruptionError, "18446744073709551615.sst: .* as large as this one"),
    (_text("99999999999999999999.wal"), lsm.CorruptionError, "99999999999999999999.wal: .* as large as this one"),
    (_text("MANIFEST-9999999999999999999"), lsm.CorruptionError, "MANIFEST-9999999999999999999: .* as large as this"),
]


@pytest.mark.parametrize(("place", "error", "text"), REFUSED)
def test_what_cannot_be_passed_over_is_named(
    path: Path, place: Callable[[Path], object], error: type[lsm.Error], text: str
) -> None:
    """The error names the file; it is still there, and without it everything is as before."""
    before = set(path.iterdir())
    place(path)
    (foreign,) = set(path.iterdir()) - before
    with pytest.raises(error, match=text):
        lsm.open(path, PLAIN)
    if foreign.is_dir():
        foreign.rmdir()
    else:
        foreign.unlink()
    unharmed(path)


@pytest.mark.parametrize("name", ["CURRENT", "LOCK", "PRESENCE", "MAINTENANCE", "SHARED"])
def test_a_directory_in_the_place_of_a_file_is_named(path: Path, name: str) -> None:
    """The error says which, and nothing is removed."""
    (path / name).rename(path / "aside")
    (path / name).mkdir()
    with pytest.raises(lsm.StorageError, match=f"/{name}: .* directory"):
        lsm.open(path, PLAIN)
    (path / name).rmdir()
    (path / "aside").rename(path / name)
    unharmed(path)
