"""Rules by which a simulated file system fails calls, and the record of a call that a rule or a test looks at."""

from __future__ import annotations

import dataclasses
import errno
import random
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple

SyncFailure = Literal["ext4", "xfs", "btrfs"]
"""What a failed sync of a file does to it; see `lsm.testing.disk`."""


class SimulatedCrash(BaseException):
    """The simulated process is dead: this call was not made, and no later one will be.

    Not an `Exception`, so that code which handles errors does not handle its own death.
    """


class Call(NamedTuple):
    """One call of the file system: its number from 0, its operation, the path it is about, and of a write the bytes.

    Operations: open, read, write, sync, truncate, size, link_count, lock, map, store, names, rename, link, unlink,
    sync_directory, open_directory, create_directory, rename_directory, remove_directory. Closing and loading from
    mapped memory are no calls: they can neither fail nor change what survives.
    """

    number: int
    operation: str
    path: str
    bytes: int = 0

    def __str__(self) -> str:
        return f"{self.number} ({self.operation} {self.path})"


@dataclasses.dataclass(kw_only=True)
class Fault:
    """Which calls fail, and how. Of several faults that are in force, the first that meets a call counts.

    Which:

    operation: a pattern for the operation of a `Call`, as `sync*`.
    name: a pattern for the last part of the path, as `*.wal`.
    skip: so many matching calls pass first.
    times: so many fail after that; None is all of them, until the fault is removed.
    probability: each of those fails with this chance, drawn from the `seed` of this rule alone.

    How, by default with an error:

    error: the `errno`: EIO, ENOSPC, EMFILE, ... A `sync` of a file that fails drops what was not synced.
    sync_failure: in which way it does; see `lsm.testing.disk`.
    short_bytes: if given, a `write` does not fail, but takes no more than so many bytes.
    flip_bits: if given, a `read` does not fail, but so many bits of what it returns are wrong.
    delay_seconds: if given, the call does not fail, but takes so long by the clock of the simulated environment.
    is_ignored: a `sync` or `sync_directory` does not fail, but does nothing: a disk that lies.

    hits: counts the calls that this fault has met.
    """

    operation: str = "*"
    name: str = "*"
    skip: int = 0
    times: int | None = 1
    probability: float = 1.0
    seed: int = 0
    error: int = errno.EIO
    sync_failure: SyncFailure = "ext4"
    short_bytes: int | None = None
    flip_bits: int = 0
    delay_seconds: float = 0.0
    is_ignored: bool = False
    hits: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(f"{self.seed}/{self.operation}/{self.name}")

    @property
    def is_error(self) -> bool:
        """Whether a call that it meets raises; otherwise the call is done in another way than was asked for."""
        return self.short_bytes is None and not self.flip_bits and not self.delay_seconds and not self.is_ignored

    def meets(self, call: Call) -> bool:
        """Tell whether this call is to fail, and count it. A store into mapped memory cannot fail."""
        name = call.path.rpartition("/")[2]
        if not fnmatchcase(call.operation, self.operation) or not fnmatchcase(name, self.name):
            return False
        if not self._applies(call.operation):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times is not None and self.hits >= self.times:
            return False
        if self.probability < 1 and self._random.random() >= self.probability:
            return False
        self.hits += 1
        return True

    def _applies(self, operation: str) -> bool:
        """Tell whether the way of failing makes sense for this operation."""
        if self.short_bytes is not None:
            return operation == "write"
        if self.flip_bits:
            return operation == "read"
        if self.is_ignored:
            return operation in {"sync", "sync_directory"}
        return operation != "store"

    def flipped(self, data: bytes) -> bytes:
        """Return the bytes with as many wrong bits as the rule says, at places drawn from its seed."""
        wrong = bytearray(data)
        for _ in range(self.flip_bits if data else 0):
            bit = self._random.randrange(len(wrong) * 8)
            wrong[bit // 8] ^= 1 << bit % 8
        return bytes(wrong)
