"""Opens a database that a crash has left, and compares it with the promise; the check of `explore` for a `Workload`."""

from __future__ import annotations

from binascii import crc32

import lsm
from lsm.testing.crashes import Crash, WrongRecoveryError, difference
from lsm.testing.environment import SimulatedEnvironment
from lsm.testing.file_system import SimulatedFileSystem
from lsm.testing.statements import COUNTER, State
from lsm.testing.unnamed_files import unnamed_files
from lsm.testing.workload import PATH, SMALL_OPTIONS, Workload, abandon, content


class Inspection:
    """Checks each crash of a workload: everything promised is there, the rest is a prefix, and the files are sound.

    Args:
        options: With which the database is opened.
        path: Where it lies.
        workload: For its checkpoints; None if it makes none.
        verify_every: About each so-manieth disk is also verified byte by byte, and its database used further: written,
            closed, opened, compacted, its checkpoints opened, and its directory searched for files that nothing names.
            Which ones, the address of the crash decides, so that a replay does the same.
    """

    def __init__(
        self,
        options: lsm.Options = SMALL_OPTIONS,
        *,
        path: str = PATH,
        workload: Workload | None = None,
        verify_every: int = 16,
    ) -> None:
        self.options = options
        self.path = path
        self.workload = workload
        self.verify_every = verify_every

    def __call__(self, crash: Crash[State]) -> State:
        """Recover and compare; return the content.

        Raises:
            WrongRecoveryError: Something promised is missing, something is there by half, or files are damaged.
        """
        is_thorough = crc32(crash.address.encode()) % self.verify_every == 0
        database = self.open(crash)
        try:
            found = checked_content(database)
            damage = database.verify().damage if is_thorough else ()
        finally:
            abandon(database)
        if damage:
            raise WrongRecoveryError(f"verify after recovery: {damage}")
        crash.check_state(found)
        if is_thorough:
            copy = crash.filesystem.after_kill()
            self._check_checkpoints(copy)
            self._use_further(copy, found)
        return found

    def open(self, crash: Crash[State]) -> lsm.Database:
        """Open the database in the process that the crash gives."""
        return lsm.open(self.path, self.options, environment=crash.environment)

    def _reopened(self, filesystem: SimulatedFileSystem, path: str) -> lsm.Database:
        return lsm.open(path, self.options, environment=SimulatedEnvironment(filesystem))

    def _use_further(self, survivor: SimulatedFileSystem, found: State) -> None:
        """Write to the recovered database, close it, open it again: it works, nothing is left over or dropped."""
        wanted = {**found, b"probe": b"written after recovery"}
        with self._reopened(survivor, self.path) as database:
            database.put(b"probe", b"written after recovery", sync=True)
        with self._reopened(survivor.after_kill(), self.path) as database:
            _check_content(checked_content(database), wanted, "after recovery, a write and a clean close")
            if database.recovery.dropped_bytes:
                raise WrongRecoveryError(f"opening after a clean close dropped something: {database.recovery}")
        # Another copy, so that only the recovery before it had a chance to remove what nothing names.
        leftovers = unexpected_names(survivor, self.path)
        if leftovers:
            raise WrongRecoveryError(f"files that nothing names are left: {leftovers}")
        with self._reopened(survivor.after_kill(), self.path) as database:
            database.compact()
            _check_content(checked_content(database), wanted, "after a compaction")

    def _check_checkpoints(self, survivor: SimulatedFileSystem) -> None:
        """Each finished checkpoint is there and whole; one that was being made is whole, or not there at all."""
        if self.workload is None:
            return
        for path, state in self.workload.checkpoints.items():
            parent, _, name = path.rpartition("/")
            if name not in survivor.open_directory(parent or "/").names():
                if path in self.workload.finished_checkpoints:
                    raise WrongRecoveryError(f"the finished checkpoint {path} is gone")
                continue
            with self._reopened(survivor, path) as database:
                _check_content(checked_content(database), state, f"in checkpoint {path}")


def _check_content(found: State, wanted: State, where: str) -> None:
    if found != wanted:
        raise WrongRecoveryError(f"another content {where}: {difference(found, wanted)}")


def checked_content(database: lsm.Database) -> dict[bytes, bytes]:
    """Return everything in a database, when scans in both directions and point reads agree about it."""
    found = content(database)
    entries = list(database.scan(reverse=True))
    if {**dict(entries), COUNTER: found.get(COUNTER)} != {COUNTER: None, **found}:
        raise WrongRecoveryError("scans in the two directions differ")
    for key, value in entries:
        if database.get(key) != value:
            raise WrongRecoveryError(f"get({key!r}) gives {database.get(key)!r}, a scan {value!r}")
    return found


def unexpected_names(filesystem: SimulatedFileSystem, path: str = PATH) -> list[str]:
    """Return the names in a database directory that nothing refers to."""
    return unnamed_files(filesystem.open_directory(path))
