"""The nursery of a crash test, whose processes have a planted defect: what the lanes on real disks are worth.

Run as `python -m tests.real.planted_nursery DESCRIPTOR NAME`. The defects are in `lsm.posix`, between the engine and
the kernel, where no simulated disk can see them, or in the engine. `PLANTED` says which lane finds each.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

import lsm.commit.durability
from lsm.errors import StorageError
from lsm.posix.files import PosixFile
from lsm.testing.crashtest.nursery import main

_write_at = PosixFile.write_at


def nothing(*arguments: object) -> None:
    """Do nothing, in the place of a call that does something."""


def logs_never_synced() -> None:
    """Commits are said to be synced, but no log ever is."""
    lsm.commit.durability.sync_marked = nothing  # type: ignore[assignment]


def files_never_synced() -> None:
    """The sync of a file does nothing, and says that it did."""
    PosixFile.sync = nothing  # type: ignore[method-assign, assignment]


def frames_kept_back() -> None:
    """Every eighth write to a log is kept in the process until the next one."""
    kept: dict[PosixFile, tuple[int, bytes]] = {}
    count = 0

    def write_at(file: PosixFile, offset: int, data: bytes) -> int:
        nonlocal count
        for late in [kept.pop(file)] if file in kept else []:
            _write_at(file, *late)
        count += 1
        if count % 8 or not file.path.endswith(".wal"):
            return _write_at(file, offset, data)
        kept[file] = (offset, bytes(data))
        return len(data)

    PosixFile.write_at = write_at  # type: ignore[method-assign, assignment]


def full_disk_unheard() -> None:
    """A write that the system refused for want of space counts as done."""

    def write_at(file: PosixFile, offset: int, data: bytes) -> int:
        try:
            return _write_at(file, offset, data)
        except StorageError as error:
            if error.errno != errno.ENOSPC:
                raise
            return len(data)

    PosixFile.write_at = write_at  # type: ignore[method-assign, assignment]


def short_writes_believed() -> None:
    """A write that took only a part of the bytes counts as whole."""

    def write_at(file: PosixFile, offset: int, data: bytes) -> int:
        _write_at(file, offset, data)
        return len(data)

    PosixFile.write_at = write_at  # type: ignore[method-assign, assignment]


class Planted(NamedTuple):
    """A defect, and the lane that finds it: `kills`, a kind of file system, or a kind of shortage."""

    plant: Callable[[], None]
    lane: str


PLANTED: dict[str, Planted] = {
    "logs-never-synced": Planted(logs_never_synced, "ext4"),
    "files-never-synced": Planted(files_never_synced, "xfs"),
    "frames-kept-back": Planted(frames_kept_back, "kills"),
    "full-disk-unheard": Planted(full_disk_unheard, "space"),
    "short-writes-believed": Planted(short_writes_believed, "file-size"),
}


def nursery_of(defect: str) -> Sequence[str]:
    """Return the program for `Crew` whose processes have a defect; without one the real nursery."""
    return ("tests.real.planted_nursery", defect) if defect else ("lsm.testing.crashtest.nursery",)


if __name__ == "__main__":
    PLANTED[sys.argv[2]].plant()
    main(int(sys.argv[1]))
