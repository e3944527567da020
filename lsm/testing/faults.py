"""Rules by which a simulated file system refuses calls, and the record of a call that a rule or a test looks at."""

from __future__ import annotations

import dataclasses
import errno
from fnmatch import fnmatchcase
from typing import NamedTuple


class SimulatedCrash(BaseException):
    """The simulated process is dead: this call was not made, and no later one will be.

    Not an `Exception`, so that code which handles errors does not handle its own death.
    """


class Call(NamedTuple):
    """One call of the file system: its number from 0, its operation, and the path it is about.

    Operations: open, read, write, sync, truncate, size, link_count, lock, map, store, names, rename, link, unlink,
    sync_directory, open_directory, create_directory, rename_directory, remove_directory. Closing and loading from
    mapped memory are no calls: they can neither fail nor change what survives.
    """

    number: int
    operation: str
    path: str


@dataclasses.dataclass(kw_only=True)
class Fault:
    """Which calls fail, and how.

    operation: a pattern for the operation of a `Call`, as `sync*`.
    name: a pattern for the last part of the path, as `*.wal`.
    skip: so many matching calls pass first.
    times: so many fail after that; None is all of them, until the fault is removed.
    error: the `errno` that they fail with. A `sync` of a file that fails drops what was not synced (see `disk`).
    short_bytes: if given, a `write` does not fail, but takes no more than so many bytes.
    hits: counts the calls that this fault has met.
    """

    operation: str = "*"
    name: str = "*"
    skip: int = 0
    times: int | None = 1
    error: int = errno.EIO
    short_bytes: int | None = None
    hits: int = 0

    def meets(self, call: Call) -> bool:
        """Tell whether this call is to fail, and count it. A store into mapped memory cannot fail."""
        name = call.path.rpartition("/")[2]
        if call.operation == "store" or not fnmatchcase(call.operation, self.operation):
            return False
        if not fnmatchcase(name, self.name) or (self.short_bytes is not None and call.operation != "write"):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times is not None and self.hits >= self.times:
            return False
        self.hits += 1
        return True
