"""Limits of the system, missing rights, and directories that go away: a clear error each, and nothing lost."""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

import lsm
from tests.real.conftest import ENTRIES, PLAIN
from tests.real.loop_disks import in_own_namespace, mounts_unavailable


@pytest.fixture
def public() -> Iterator[Path]:
    """Return a directory that every user may reach, unlike those of pytest."""
    with tempfile.TemporaryDirectory(prefix="layerdb-limits-") as place:
        Path(place).chmod(0o755)
        yield Path(place)


def script(text: str, *arguments: object, namespace: bool = False) -> str:
    """Run a script in a process of its own and return what it printed."""
    program = "import os, sys, resource\nimport lsm\nfrom pathlib import Path\n" + textwrap.dedent(text)
    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(
        in_own_namespace(command) if namespace else command, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# A directory that vanishes, or is moved away and replaced.


def test_a_vanished_directory_is_told(path: Path) -> None:
    """Reads go on; what needs the disk raises with the path; closing ends."""
    database = lsm.open(path)
    shutil.rmtree(path)

    assert dict(database.scan()) == ENTRIES
    with pytest.raises(lsm.SyncFailedError, match="removed by somebody else"):
        database.put(b"key", b"value", sync=True)
    with pytest.raises(lsm.Error, match=str(path)):
        database.flush()
    database.close()
    assert not path.exists()


def test_a_directory_that_was_replaced_gets_nothing(path: Path, tmp_path: Path) -> None:
    """A handle keeps writing to its own directory, wherever it was moved, and never to the one with its old name."""
    database = lsm.open(path)
    path.rename(tmp_path / "moved")
    with lsm.open(path) as other:
        other.put(b"other", b"1")
        database.put(b"own", b"1")
        database.flush()
        database.compact()
    database.close()

    with lsm.open(path) as other:
        assert dict(other.scan()) == {b"other": b"1"}
    with lsm.open(tmp_path / "moved") as found:
        assert dict(found.scan()) == {**ENTRIES, b"own": b"1"}


# Rights.

_AS_NOBODY = """
    os.setgid(65534), os.setuid(65534)
    def attempt(action):
        try:
            print(action())
        except lsm.Error as error:
            print(type(error).__name__, error)
"""


@pytest.fixture
def owned(public: Path) -> Path:
    """Return a database in a reachable place whose files belong to root; skip without root."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become somebody else")
    place = public / "data"
    with lsm.open(place, PLAIN) as database:
        database.put(b"key", b"value")
    return place


def test_a_directory_without_rights_is_told(owned: Path) -> None:
    """Who may not even look gets the path and the reason, for reading as for writing."""
    printed = script(
        _AS_NOBODY
        + """
    attempt(lambda: lsm.open(sys.argv[1]))
    attempt(lambda: lsm.open(sys.argv[1], read_only=True))
    attempt(lambda: lsm.verify(sys.argv[1]))
    """,
        owned,
    )
    assert printed == f"StorageError {owned}: open_directory failed: Permission denied\n" * 3


def test_a_database_of_others_can_be_read_but_not_written(owned: Path) -> None:
    """With rights to read, reading works, and an opening for writing names the file that it may not open."""
    owned.chmod(0o555)
    for file in owned.iterdir():
        file.chmod(0o444)
    printed = script(
        _AS_NOBODY
        + """
    attempt(lambda: lsm.open(sys.argv[1]))
    with lsm.open(sys.argv[1], read_only=True) as database:
        print(database[b"key"], database.verify().ok)
    """,
        owned,
    )
    assert printed == f"StorageError {owned}/LOCK: open failed: Permission denied\nb'value' True\n"


def test_rights_that_go_and_come_back(public: Path) -> None:
    """While no file may be made, what needs one raises with its name; afterwards the same handle goes on."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become somebody else")
    public.chmod(0o777)
    printed = script(
        _AS_NOBODY
        + """
    path = Path(sys.argv[1], "data")
    database = lsm.open(path, lsm.Options(maintenance=False))
    database.put(b"a", b"1")
    path.chmod(0o500)
    attempt(database.flush)
    attempt(lambda: database[b"a"])
    path.chmod(0o700)
    database.flush()
    database.put(b"b", b"2", sync=True)
    print(list(database.scan()), database.verify().ok)
    database.close()
    """,
        public,
    )
    refusal, value, rest = printed.splitlines()
    assert refusal.startswith(f"StorageError {public}/data/0000")
    assert refusal.endswith("open failed: Permission denied")
    assert (value, rest) == ("b'1'", "[(b'a', b'1'), (b'b', b'2')] True")


def test_a_read_only_file_system_can_be_read(owned: Path) -> None:
    """Opening for writing names the file and says why; reading and verifying work."""
    reason = mounts_unavailable()
    if reason:
        pytest.skip(f"a read-only mount: {reason}")
    printed = script(
        """
    path = sys.argv[1]
    os.system(f"mount --bind {path} {path} && mount -o remount,ro,bind {path}")
    for action in (lambda: lsm.open(path), lambda: lsm.open(path + "/new")):
        try:
            action()
        except lsm.StorageError as error:
            print(error)
    with lsm.open(path, read_only=True) as database:
        print(database[b"key"], lsm.verify(path).ok)
    """,
        owned,
        namespace=True,
    )
    assert printed.splitlines() == [
        f"{owned}/LOCK: open failed: Read-only file system",
        f"{owned}/new: create_directory failed: Read-only file system",
        "b'value' True",
    ]


# Limits of the process; `tests/real/shortage.py` meets them under a workload.


def test_the_soft_limit_of_open_files_is_raised(tmp_path: Path) -> None:
    """A database with more tables than the soft limit opens, up to the hard limit."""
    printed = script(
        """
    options = lsm.Options(maintenance=False, level0_slow_tables=1000, level0_stop_tables=1000)
    with lsm.open(sys.argv[1], options) as database:
        for number in range(60):
            database.put(b"%d" % number, b"1")
            database.flush()
    resource.setrlimit(resource.RLIMIT_NOFILE, (20, 200))
    with lsm.open(sys.argv[1], options) as database:
        print(len(list(database.scan())), resource.getrlimit(resource.RLIMIT_NOFILE))
    """,
        tmp_path / "data",
    )
    assert printed == "60 (80, 200)\n"


def test_too_few_descriptors_are_told_and_forgotten(tmp_path: Path) -> None:
    """Without a descriptor for a new log a commit raises and names it; with one again the same handle goes on."""
    printed = script(
        """
    database = lsm.open(sys.argv[1], lsm.Options(maintenance=False))
    database.put(b"a", b"1")
    resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
    taken = []
    try:
        while True:
            taken.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass
    for action in (database.flush, lambda: database.put(b"refused", b"2")):
        try:
            action()
        except lsm.StorageError as error:
            print(error)
    print(database[b"a"])
    for descriptor in taken:
        os.close(descriptor)
    database.put(b"b", b"2", sync=True)
    database.flush()
    print(list(database.scan()), database.verify().ok)
    database.close()
    """,
        tmp_path / "data",
    )
    *refusals, value, rest = printed.splitlines()
    assert len(refusals) == 2
    for refusal in refusals:
        assert refusal.startswith(f"{tmp_path}/data/0000")
        assert refusal.endswith("open failed: Too many open files")
    assert (value, rest) == ("b'1'", "[(b'a', b'1'), (b'b', b'2')] True")


def test_the_largest_size_of_a_file_is_told(tmp_path: Path) -> None:
    """A put that would go beyond it is not committed, and says so; a flush makes room in a new log."""
    printed = script(
        """
    database = lsm.open(sys.argv[1], lsm.Options(maintenance=False, compression="lz4"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, resource.RLIM_INFINITY))
    count = 0
    try:
        while True:
            database.put(b"%06d" % count, b"v" * 1000)
            count += 1
    except lsm.StorageError as error:
        print(error)
    print(len(list(database.scan())) == count > 50, database.get(b"%06d" % count))
    database.flush()
    database.put(b"more", b"1", sync=True)
    database.close()
    with lsm.open(sys.argv[1]) as database:
        print(len(list(database.scan())) == count + 1, database.verify().ok)
    """,
        tmp_path / "data",
    )
    refusal, *rest = printed.splitlines()
    assert refusal.startswith(f"{tmp_path}/data/0000")
    assert refusal.endswith(".wal: write failed: File too large (not committed)")
    assert rest == ["True None", "True True"]


def test_the_limits_of_this_process_are_as_before() -> None:
    """The scripts above set limits in processes of their own."""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
