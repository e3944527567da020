"""What the engine relies on from any file system, run on the real one and on the simulated one."""

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from lsm.environment import Directory, FileSystem
from lsm.errors import MissingFileError, StorageError
from lsm.posix import PosixFileSystem
from lsm.testing import SimulatedFileSystem


class Place(NamedTuple):
    """A file system and the path of an empty directory on it."""

    filesystem: FileSystem
    root: str


@pytest.fixture(params=["posix", "simulated"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Give each test an empty directory on each file system."""
    if request.param == "posix":
        return Place(PosixFileSystem(), str(tmp_path))
    simulated = SimulatedFileSystem()
    simulated.create_directory("/root")
    return Place(simulated, "/root")


@pytest.fixture
def directory(place: Place) -> Iterator[Directory]:
    """Give each test that directory, opened."""
    opened = place.filesystem.open_directory(place.root)
    yield opened
    opened.close()


def _write(directory: Directory, name: str, data: bytes) -> None:
    file = directory.open(name, "create")
    assert file.write_at(0, data) == len(data)
    file.close()


def _read(directory: Directory, name: str) -> bytes:
    file = directory.open(name, "read")
    try:
        return file.read_at(0, file.size())
    finally:
        file.close()


def test_what_is_written_is_read(directory: Directory) -> None:
    """Positioned writes and reads meet; a read beyond the end is short; a gap reads as zeros."""
    file = directory.open("a", "create")

    assert file.write_at(0, b"0123456789") == 10
    assert file.write_at(12, b"xy") == 2
    assert file.read_at(0, 100) == b"0123456789\0\0xy"
    assert file.read_at(3, 4) == b"3456"
    assert file.read_at(14, 1) == b""
    assert file.read_at(99, 1) == b""
    assert file.size() == 14
    file.close()


def test_truncate_sets_the_length_both_ways(directory: Directory) -> None:
    """A shorter length cuts, a larger one adds zeros, also where bytes once lay."""
    file = directory.open("a", "create")
    file.write_at(0, b"0123456789")

    file.truncate(4)
    file.truncate(6)

    assert file.read_at(0, 100) == b"0123\0\0"


def test_opening_modes(directory: Directory) -> None:
    """Read and write need a file that exists, create needs one that does not; read refuses writing."""
    with pytest.raises(MissingFileError) as missing:
        directory.open("a", "read")
    assert missing.value.path.endswith("/a")
    with pytest.raises(MissingFileError):
        directory.open("a", "write")
    _write(directory, "a", b"data")
    with pytest.raises(StorageError) as exists:
        directory.open("a", "create")
    assert exists.value.errno == errno.EEXIST
    with pytest.raises(StorageError) as refused:
        directory.open("a", "read").write_at(0, b"x")
    assert refused.value.errno == errno.EBADF
    assert directory.open("a", "write").write_at(0, b"D") == 1
    assert _read(directory, "a") == b"Data"


def test_names_are_sorted(directory: Directory) -> None:
    """The list of names is in order, and follows each change at once."""
    for name in ("b", "c", "a"):
        _write(directory, name, b"")

    assert directory.names() == ["a", "b", "c"]
    directory.unlink("b")
    directory.rename("c", "0")
    assert directory.names() == ["0", "a"]


def test_rename_replaces(directory: Directory) -> None:
    """The new name holds the old content; a handle on the replaced file keeps it."""
    _write(directory, "old", b"new content")
    _write(directory, "new", b"old content")
    held = directory.open("new", "read")

    directory.rename("old", "new")

    assert directory.names() == ["new"]
    assert _read(directory, "new") == b"new content"
    assert held.read_at(0, 100) == b"old content"
    assert held.link_count() == 0
    with pytest.raises(MissingFileError):
        directory.rename("old", "new")


def test_an_unlinked_file_stays_usable(directory: Directory) -> None:
    """Removing the name does not disturb who has it open."""
    file = directory.open("a", "create")
    file.write_at(0, b"still")
    assert file.link_count() == 1

    directory.unlink("a")

    assert directory.names() == []
    assert file.link_count() == 0
    assert file.write_at(5, b" here") == 5
    assert file.read_at(0, 100) == b"still here"
    with pytest.raises(MissingFileError):
        directory.unlink("a")


def test_a_link_is_a_second_name(place: Place, directory: Directory) -> None:
    """Both names lead to one content, and each can be removed."""
    _write(directory, "a", b"shared")
    place.filesystem.create_directory(place.root + "/other")
    other = place.filesystem.open_directory(place.root + "/other")

    directory.link("a", other, "b")

    file = other.open("b", "write")
    assert file.link_count() == 2
    file.write_at(0, b"S")
    assert _read(directory, "a") == b"Shared"
    with pytest.raises(StorageError) as exists:
        directory.link("a", other, "b")
    assert exists.value.errno == errno.EEXIST
    with pytest.raises(MissingFileError):
        directory.link("none", other, "c")
    directory.unlink("a")
    assert _read(other, "b") == b"Shared"


def test_a_moved_directory_keeps_its_handle(place: Place, directory: Directory) -> None:
    """Names are relative to the directory that was opened, wherever it lies now."""
    filesystem, root = place
    filesystem.create_directory(root + "/here")
    opened = filesystem.open_directory(root + "/here")
    filesystem.rename_directory(root + "/here", root + "/there")
    filesystem.create_directory(root + "/here")

    _write(opened, "a", b"1")

    assert filesystem.open_directory(root + "/there").names() == ["a"]
    assert filesystem.open_directory(root + "/here").names() == []
    assert directory.names() == ["here", "there"]


def test_directories_are_made_and_removed(place: Place) -> None:
    """Making needs a parent and a free name; removing needs emptiness; renaming needs a free or empty name."""
    filesystem, root = place
    with pytest.raises(MissingFileError):
        filesystem.create_directory(root + "/x/y")
    with pytest.raises(MissingFileError):
        filesystem.open_directory(root + "/x")
    filesystem.create_directory(root + "/x")
    filesystem.create_directory(root + "/y")
    with pytest.raises(StorageError) as exists:
        filesystem.create_directory(root + "/x")
    assert exists.value.errno == errno.EEXIST
    _write(filesystem.open_directory(root + "/x"), "a", b"")
    with pytest.raises(StorageError) as full:
        filesystem.remove_directory(root + "/x")
    assert full.value.errno == errno.ENOTEMPTY
    with pytest.raises(StorageError):
        filesystem.rename_directory(root + "/y", root + "/x")
    filesystem.rename_directory(root + "/x", root + "/y")
    assert filesystem.open_directory(root + "/y").names() == ["a"]
    with pytest.raises(MissingFileError):
        filesystem.remove_directory(root + "/x")


def test_kinds_are_not_mixed_up(place: Place, directory: Directory) -> None:
    """A file is no directory, and neither is written, unlinked or removed as the other."""
    filesystem, root = place
    _write(directory, "file", b"")
    filesystem.create_directory(root + "/folder")

    with pytest.raises(StorageError) as not_a_directory:
        filesystem.open_directory(root + "/file")
    assert not_a_directory.value.errno == errno.ENOTDIR
    with pytest.raises(StorageError) as is_a_directory:
        directory.open("folder", "write")
    assert is_a_directory.value.errno == errno.EISDIR
    with pytest.raises(StorageError):
        directory.unlink("folder")
    with pytest.raises(StorageError):
        filesystem.remove_directory(root + "/file")
    with pytest.raises(StorageError):
        directory.rename("file", "folder")


def test_paths(place: Place) -> None:
    """A path is made absolute once; its parent is the directory above, also for a path with a slash at its end."""
    filesystem, root = place

    assert filesystem.absolute(root + "/a/../b/.") == root + "/b"
    assert filesystem.absolute("a").startswith("/")
    assert filesystem.parent(root + "/a/") == root
    assert filesystem.parent("a") == filesystem.absolute(".")
    assert filesystem.parent("/") == "/"


def test_locks_belong_to_the_open_file(directory: Directory) -> None:
    """Two handles exclude each other even in one thread; closing gives the lock back, whatever else is closed."""
    _write(directory, "LOCK", b"")
    first = directory.open("LOCK", "write")
    second = directory.open("LOCK", "write")

    assert first.try_lock(exclusive=True)
    assert first.try_lock(exclusive=True)
    assert not second.try_lock(exclusive=True)
    assert not second.try_lock(exclusive=False)
    directory.open("LOCK", "read").close()
    assert not second.try_lock(exclusive=False)
    first.close()
    assert second.try_lock(exclusive=True)


def test_locks_are_shared_and_converted(directory: Directory) -> None:
    """Readers share; a refused conversion has lost the lock that it held; a granted one keeps it."""
    _write(directory, "LOCK", b"")
    first, second, third = (directory.open("LOCK", "read") for _ in range(3))
    assert first.try_lock(exclusive=False)
    assert second.try_lock(exclusive=False)

    assert not first.try_lock(exclusive=True)
    assert second.try_lock(exclusive=True)
    assert not third.try_lock(exclusive=False)
    assert second.try_lock(exclusive=False)
    assert third.try_lock(exclusive=False)


def test_a_forgotten_handle_gives_its_lock_back(directory: Directory) -> None:
    """What nobody refers to any more is closed."""
    _write(directory, "LOCK", b"")
    assert directory.open("LOCK", "write").try_lock(exclusive=True)

    assert directory.open("LOCK", "write").try_lock(exclusive=True)


def test_shared_memory_is_the_file(directory: Directory) -> None:
    """Stores are seen by every other mapping and by reads, writes by loads; it outlives its file handle."""
    first = directory.open("SHARED", "create")
    first.write_at(0, bytes(4096))
    second = directory.open("SHARED", "write")
    here, there = first.map(4096), second.map(4096)
    first.close()

    here.store(8, b"abcdefgh")

    assert there.load(0, 20) == bytes(8) + b"abcdefgh" + bytes(4)
    assert second.read_at(8, 8) == b"abcdefgh"
    second.write_at(8, b"AB")
    assert here.load(8, 4) == b"ABcd"
    here.close()
    here.close()
    with pytest.raises(StorageError):
        here.load(0, 1)
    with pytest.raises(StorageError):
        here.store(0, b"x")
    assert there.load(8, 1) == b"A"


def test_only_bytes_that_exist_are_mapped(directory: Directory) -> None:
    """A mapping beyond the end is refused when it is made, not when it is touched."""
    file = directory.open("SHARED", "create")
    file.write_at(0, b"short")

    with pytest.raises(StorageError) as refused:
        file.map(6)
    assert refused.value.errno == errno.EINVAL


def test_a_closed_handle_refuses(directory: Directory, place: Place) -> None:
    """Closing twice is allowed; using what is closed is an error, never another file's content."""
    file = directory.open("a", "create")
    file.close()
    file.close()
    for use in (
        lambda: file.read_at(0, 1),
        lambda: file.write_at(0, b"x"),
        file.sync,
        file.size,
        file.link_count,
        lambda: file.truncate(0),
        lambda: file.map(0),
        lambda: file.try_lock(exclusive=True),
    ):
        with pytest.raises(StorageError) as refused:
            use()
        assert refused.value.errno == errno.EBADF
    other = place.filesystem.open_directory(place.root)
    other.close()
    other.close()
    with pytest.raises(StorageError):
        other.names()
    with pytest.raises(StorageError):
        other.sync()


def test_syncs_succeed(directory: Directory) -> None:
    """A file and a directory can be made durable at any time."""
    file = directory.open("a", "create")
    file.write_at(0, b"x")

    file.sync()
    directory.sync()

    assert _read(directory, "a") == b"x"
