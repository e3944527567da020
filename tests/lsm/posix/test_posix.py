"""Modes, forks, mappings and identities of the real operating system."""

import errno
import gc
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lsm.errors import InvalidArgumentError, StorageError
from lsm.posix import PosixEnvironment, PosixFileSystem
from lsm.posix.fork import ForkHook
from lsm.posix.shared_memory import MappedMemory, PositionedMemory, file_system_kind
from lsm.testing import SimulatedFileSystem


def test_files_are_private(tmp_path: Path) -> None:
    """Files are made for their owner only, less what the umask takes; directories too."""
    filesystem = PosixFileSystem()
    path = str(tmp_path / "d")
    filesystem.create_directory(path)
    filesystem.open_directory(path).open("a", "create").close()

    assert stat.S_IMODE((tmp_path / "d").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "d" / "a").stat().st_mode) == 0o600


def _descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_forgotten_handles_are_closed(tmp_path: Path) -> None:
    """Collecting an open file gives its descriptor back."""
    directory = PosixFileSystem().open_directory(str(tmp_path))
    directory.open("a", "create").close()
    before = _descriptors()
    held = [directory.open("a", "read") for _ in range(20)]
    assert _descriptors() == before + 20

    held.clear()
    gc.collect()

    assert _descriptors() == before


def test_threads_list_one_directory_at_once(tmp_path: Path) -> None:
    """Concurrent listings through one handle do not take names from each other."""
    for number in range(300):
        (tmp_path / f"{number:03}").touch()
    directory = PosixFileSystem().open_directory(str(tmp_path))
    counts: list[int] = []

    def work() -> None:
        counts.extend(len(directory.names()) for _ in range(50))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert set(counts) == {300}


def test_a_link_stays_within_the_file_system(tmp_path: Path) -> None:
    """A directory of another file system is refused before any call."""
    directory = PosixFileSystem().open_directory(str(tmp_path))
    directory.open("a", "create").close()

    with pytest.raises(InvalidArgumentError):
        directory.link("a", SimulatedFileSystem().open_directory("/"), "b")
    with pytest.raises(InvalidArgumentError):
        SimulatedFileSystem().open_directory("/").link("a", directory, "b")


@pytest.mark.parametrize("kind", ["mapped", "positioned"])
def test_both_kinds_of_shared_memory_are_the_file(tmp_path: Path, kind: str) -> None:
    """Whatever the file system allows, loads see stores and writes of others, and closing twice is allowed."""
    path = tmp_path / "SHARED"
    path.write_bytes(bytes(64))
    descriptor = os.open(path, os.O_RDWR)
    memory = MappedMemory(descriptor, 64, str(path)) if kind == "mapped" else PositionedMemory(descriptor, str(path))
    os.close(descriptor)

    memory.store(8, b"12345678")

    assert path.read_bytes() == bytes(8) + b"12345678" + bytes(48)
    assert memory.load(6, 4) == b"\0\x0012"
    memory.close()
    memory.close()
    with pytest.raises(StorageError):
        memory.load(0, 1)
    with pytest.raises(StorageError):
        memory.store(0, b"x")


def test_the_kind_of_the_file_system_is_found() -> None:
    """Mounted devices have a name; a number that no mount has gives None, so the careful way is taken."""
    assert file_system_kind(Path("/proc").stat().st_dev) == "proc"
    assert file_system_kind(os.makedev(4000, 4000)) is None


def test_the_environment_is_this_process() -> None:
    """Process, boot and randomness are those of the machine."""
    environment = PosixEnvironment()

    assert environment.process_id() == os.getpid()
    assert len(environment.boot_id()) == 16
    assert environment.boot_id() == PosixEnvironment().boot_id()
    assert len({environment.random_bytes(16) for _ in range(10)}) == 10
    assert environment.monotonic_seconds() <= environment.monotonic_seconds()


@pytest.mark.parametrize(("error", "hidden"), [(errno.ENOENT, True), (errno.EACCES, True), (errno.EMFILE, False)])
def test_the_boot_id_is_the_same_at_every_time(monkeypatch: pytest.MonkeyPatch, error: int, hidden: bool) -> None:
    """Where it is hidden it is always zero; where it cannot be read just now, that is an error and no other answer."""

    def refuse(*arguments: object) -> int:
        raise OSError(error, "refused")

    monkeypatch.setattr("lsm.posix.environment.open_descriptor", refuse)
    if hidden:
        assert PosixEnvironment().boot_id() == bytes(16)
    else:
        with pytest.raises(StorageError, match="boot_id: read failed"):
            PosixEnvironment().boot_id()


class _Handle:
    """Counts how often its action ran."""

    def __init__(self) -> None:
        self.runs = 0

    def forked(self) -> None:
        self.runs += 1


def test_fork_actions_run_until_they_are_cancelled_or_forgotten() -> None:
    """A bound method does not keep its object alive; a cancelled action does not run; an error stops no other one."""
    hook = ForkHook()
    kept, cancelled, forgotten = _Handle(), _Handle(), _Handle()
    runs: list[str] = []

    def fail() -> None:
        runs.append("failed")
        raise ValueError("told after the others ran")

    hook.add(kept.forked)
    hook.add(forgotten.forked)
    hook.add(fail)
    hook.add(lambda: runs.append("function"))
    cancel = hook.add(cancelled.forked)
    cancel()
    cancel()
    del forgotten

    with pytest.raises(ValueError, match="told after"):
        hook.run()

    assert (kept.runs, cancelled.runs) == (1, 0)
    assert runs == ["function", "failed"]


FORK = """
import os
from lsm.posix import PosixEnvironment

reading, writing = os.pipe()
PosixEnvironment().after_fork_in_child(lambda: os.write(writing, b"child"))
child = os.fork()
if child == 0:
    os._exit(0)
os.waitpid(child, 0)
os.close(writing)
print(os.read(reading, 100).decode())
"""


def test_a_forked_child_runs_the_actions() -> None:
    """The hook is run by the interpreter, in the child only, before anything else."""
    result = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, check=True)

    assert result.stdout == "child\n"
