"""Faults: wrong bytes and two owners: what lies on the disk was not written there, or somebody else is there, too."""

from __future__ import annotations

import dataclasses
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress

import lsm
from lsm.block_cache import BlockCache
from lsm.environment import Directory
from lsm.sstable.parts import TableParts
from lsm.testing import SimulatedEnvironment, SimulatedFileSystem, State, WrongRecoveryError, abandon
from tests.defects.acts import MOST_PLACES
from tests.defects.fault_class import Share
from tests.defects.meeting_faults import Meeting, WatchedEnvironment
from tests.support.small import SMALL

PATH = "/data"
Files = dict[str, bytes]
STRIDE_BYTES = 5
MOST_EXTRA_BYTES = 300_000
"""What opening damaged files may allocate beyond opening good ones."""


class Sample:
    """A closed database with tables in two levels and two logs that still count."""

    def __init__(self, *, seed: int = 0) -> None:
        filesystem = SimulatedFileSystem()
        options = dataclasses.replace(SMALL, compression="none", bottommost_compression="none")
        database = lsm.open(PATH, options, environment=SimulatedEnvironment(filesystem, seed=seed))
        self.states: list[State] = [{}]
        for number in range(40):
            key, value = b"key %02d" % (number * 7 % 40), b"value %d/%02d" % (seed, number) * 3
            database.put(key, value, sync=number % 4 == 3)
            self.states.append({**self.states[-1], key: value})
            if number in {8, 14, 20, 25}:
                database.flush()
            if number == 14:
                database.delete_range(b"key 30", b"key 33")
                gone = {key for key in self.states[-1] if b"key 30" <= key < b"key 33"}
                self.states.append({key: value for key, value in self.states[-1].items() if key not in gone})
                database.compact(b"key 00", b"key 20")
        database.close()
        self.files = read_files(filesystem.open_directory(PATH))

    @property
    def state(self) -> State:
        """What it holds."""
        return self.states[-1]


def read_files(directory: Directory) -> Files:
    """Return the files of a directory that are not empty."""
    found = {}
    for name in directory.names():
        file = directory.open(name, "read")
        if file.size():
            found[name] = file.read_at(0, file.size())
    return found


def disk_of(files: Files) -> SimulatedFileSystem:
    """Return a disk on which these are durable."""
    filesystem = SimulatedFileSystem()
    filesystem.create_directory(PATH)
    directory = filesystem.open_directory(PATH)
    for name, data in files.items():
        file = directory.open(name, "create")
        file.write_at(0, data)
        file.sync()
    directory.sync()
    filesystem.open_directory("/").sync()
    return filesystem


def check_reads(filesystem: SimulatedFileSystem, wanted: State) -> None:
    """Open and read everything in both ways: the right content, or a `CorruptionError`."""
    with (
        suppress(lsm.CorruptionError),
        lsm.open(PATH, SMALL, environment=SimulatedEnvironment(filesystem)) as database,
    ):
        if any(database.get(key) != value for key, value in wanted.items()):
            raise WrongRecoveryError("a key that was written reads otherwise")
        if dict(database.scan()) != wanted:
            raise WrongRecoveryError("a scan gives other entries")


def bits_at_rest(share: Share) -> int:
    """One bit of a closed database is another one, in every file: noticed, or without effect."""
    sample = Sample()
    for name in sorted(sample.files, reverse=True):  # the files that are text first
        data = sample.files[name]
        for place in range(0, len(data), STRIDE_BYTES):
            if share.takes():
                # Low bits, which leave digits digits: damage to text that still is text is the harder case.
                with share.case(f"bit {place % 3} of byte {place} of {name} is flipped"):
                    flipped = bytes((data[place] ^ 1 << place % 3,))
                    damaged = {**sample.files, name: data[:place] + flipped + data[place + 1 :]}
                    check_reads(disk_of(damaged), sample.state)
    return share.cases


def exchanged_files(share: Share) -> int:
    """A file of another database, or a part of another table, lies in the place of the right one."""
    sample, other = Sample(), Sample(seed=1)
    tables = [name for name in sample.files if name.endswith(".sst")]
    for name, data in sample.files.items():
        if other.files.get(name, data) != data and name not in {"SHARED", "LOCK", "PRESENCE"} and share.takes():
            with share.case(f"{name} is that of another database"):
                check_reads(disk_of({**sample.files, name: other.files[name]}), sample.state)
    for left in tables:
        for right in tables:
            if left != right and share.takes():
                with share.case(f"{left} is a copy of {right}"):
                    check_reads(disk_of({**sample.files, left: sample.files[right]}), sample.state)
    for what, changed in _exchanged_blocks(sample.files, tables):
        if share.takes():
            with share.case(what):
                check_reads(disk_of(changed), sample.state)
    return share.cases


def _exchanged_blocks(files: Files, tables: list[str]) -> Iterator[tuple[str, Files]]:
    """Put the first block of one table in the place of that of another which is as long."""
    ends = {name: _first_block_end(files, name) for name in tables}
    for left in tables:
        for right in tables:
            size = ends[right]
            if left != right and ends[left] == size > 0:
                changed = files[right][:size] + files[left][size:]
                yield f"the first {size} bytes of {left} are those of {right}", {**files, left: changed}


def _first_block_end(files: Files, name: str) -> int:
    file = disk_of(files).open_directory(PATH).open(name, "read")
    parts = TableParts(file, None, BlockCache(1 << 20, SimulatedEnvironment().lock()))
    top = parts.top_index()
    return parts.index(top, 0).offsets[1] if top.partitions else 0


def impossible_lengths(share: Share) -> int:
    """Any four bytes say 4 GiB: nothing is allocated before it was compared with the file."""
    sample = Sample()
    with suppress(lsm.CorruptionError):
        _peak_bytes(sample.files)
    allowed = _peak_bytes(sample.files) + MOST_EXTRA_BYTES
    for name, data in sample.files.items():
        for place in range(0, len(data) - 4, 3 * STRIDE_BYTES):
            if share.takes():
                with share.case(f"bytes {place} to {place + 4} of {name} are FF"):
                    peak = _peak_bytes({**sample.files, name: data[:place] + b"\xff" * 4 + data[place + 4 :]})
                    if peak > allowed:
                        raise WrongRecoveryError(f"opening took {peak} bytes of memory")
    return share.cases


def _peak_bytes(files: Files) -> int:
    disk = disk_of(files)
    tracemalloc.start()
    try:
        with suppress(lsm.CorruptionError), lsm.open(PATH, SMALL, environment=SimulatedEnvironment(disk)) as database:
            list(database.scan())
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


def two_owners(share: Share) -> int:
    """Handles are opened and closed in every order of few steps: at most one of them may write."""
    for number in range(3**5):
        if share.takes():
            steps = [
                ("open to write", "open to read", "close the oldest")[number // 3**place % 3] for place in range(5)
            ]
            with share.case(", ".join(steps)):
                check_owners(steps)
    for number in range(1, MOST_PLACES):
        if share.takes():
            with share.case(f"one owner goes and another comes, at place {number} of a third one's opening"):
                if not owners_met(number):
                    break
    return share.cases


def owners_met(number: int) -> bool:
    """While a handle opens, the owner closes and somebody else opens; False if there is no such place."""
    environment = WatchedEnvironment(SimulatedFileSystem())
    owner = lsm.open(PATH, SMALL, environment=environment)
    writers: list[lsm.Database] = []

    def hand_over() -> None:
        owner.close()
        with suppress(lsm.LockedError):
            writers.append(lsm.open(PATH, SMALL, environment=environment))

    meeting = Meeting(environment, hand_over, number)
    try:
        try:
            sys.setprofile(meeting)
            with suppress(lsm.LockedError):
                writers.append(lsm.open(PATH, SMALL, environment=environment))
        finally:
            sys.setprofile(None)
        meeting.finish()
        if len(writers) > 1:
            raise WrongRecoveryError("two handles may write at the same time")
    finally:
        for handle in (owner, *writers):
            abandon(handle)
    return meeting.count >= number


def check_owners(steps: list[str]) -> None:
    """Take steps with handles on one directory, and raise if two of them may write at the same time."""
    filesystem = SimulatedFileSystem()
    lsm.open(PATH, SMALL, environment=SimulatedEnvironment(filesystem)).close()
    writers: list[lsm.Database] = []
    readers: list[lsm.Database] = []
    environment = SimulatedEnvironment(filesystem)
    try:
        for step in steps:
            if step == "close the oldest":
                if writers:
                    writers.pop(0).close()
            elif step == "open to read":
                with suppress(lsm.LockedError):
                    readers.append(lsm.open(PATH, SMALL, read_only=True, environment=environment))
            else:
                _open_to_write(environment, writers)
    finally:
        for handle in (*writers, *readers):
            abandon(handle)


def _open_to_write(environment: SimulatedEnvironment, writers: list[lsm.Database]) -> None:
    try:
        writers.append(lsm.open(PATH, SMALL, environment=environment))
    except lsm.LockedError as error:
        if not writers:
            raise WrongRecoveryError("nobody has it open, but it cannot be opened") from error
    if len(writers) > 1:
        raise WrongRecoveryError("two handles may write at the same time")
