"""Opens what a crash has left, and compares it with the promise."""

from __future__ import annotations

import lsm
from lsm.filenames import parse_name
from lsm.testing import SimulatedEnvironment, SimulatedFileSystem
from tests.crash.ledger import Ledger, Promise
from tests.crash.workload import PATH, Workload
from tests.support.model import State
from tests.support.small import SMALL

KNOWN_NAMES = frozenset({"CURRENT", "LOCK", "MAINTENANCE", "PRESENCE", "SHARED"})


class WrongRecoveryError(AssertionError):
    """What was found after a crash is not what had been promised."""


def reopened(filesystem: SimulatedFileSystem, path: str = PATH, options: lsm.Options = SMALL) -> lsm.Database:
    """Open the database that lies on a disk, by a new process."""
    return lsm.open(path, options, environment=SimulatedEnvironment(filesystem))


def content(database: lsm.Database) -> dict[bytes, bytes]:
    """Return everything in a database, read by a scan, and checked to be the same by point reads."""
    found = dict(database.scan())
    for key, value in found.items():
        if database.get(key) != value:
            raise WrongRecoveryError(f"get({key!r}) gives {database.get(key)!r}, a scan {value!r}")
    return found


def recovered_content(filesystem: SimulatedFileSystem, options: lsm.Options = SMALL) -> dict[bytes, bytes]:
    """Open, read everything, verify everything, and stop without closing, as a kill would."""
    database = reopened(filesystem, options=options)
    found = content(database)
    damage = list(database.verify().damage)
    if damage:
        raise WrongRecoveryError(f"verify after recovery: {damage}")
    return found


def matched(ledger: Ledger, found: State, promise: Promise, *, killed: bool) -> int:
    """Return how many commits were recovered; raise when they are not a prefix that the promise allows."""
    least = promise.acknowledged if killed else promise.durable
    number = ledger.found(found, least, promise.issued)
    if number is None:
        older = ledger.found(found, 0, least - 1)
        lost = "" if older is None else f"; it is the state after {older}: promised commits are lost"
        nearest = ledger.differences(found, promise.issued)
        raise WrongRecoveryError(f"the content is no state from {least} to {promise.issued}{lost}; {nearest}")
    return number


def inspect(survivor: SimulatedFileSystem, workload: Workload, promise: Promise, *, killed: bool) -> State:
    """Recover, compare with the promise, and recover once more after a power loss: nothing shown may be lost by it."""
    found = recovered_content(survivor, workload.options)
    matched(workload.ledger, found, promise, killed=killed)
    again = survivor.after_power_loss()
    if recovered_content(again, workload.options) != found:
        raise WrongRecoveryError("a power loss after the recovery takes back what the recovery had shown")
    return found


def inspect_further(survivor: SimulatedFileSystem, found: State, options: lsm.Options) -> None:
    """Write to a recovered database, close it, open it again: it works, nothing is left over, nothing is dropped."""
    database = reopened(survivor, options=options)
    database.put(b"probe", b"written after recovery", sync=True)
    database.close()
    database = reopened(survivor, options=options)
    wanted = {**found, b"probe": b"written after recovery"}
    if content(database) != wanted:
        raise WrongRecoveryError("a database that was recovered, written and closed opens with another content")
    database.compact()
    if content(database) != wanted:
        raise WrongRecoveryError("compaction after recovery changed the content")
    database.close()
    leftovers = unexpected_names(survivor)
    if leftovers:
        raise WrongRecoveryError(f"files that nothing names are left: {leftovers}")


def unexpected_names(filesystem: SimulatedFileSystem) -> list[str]:
    """Return the names in the database directory that belong to no kind of file, or to tables that nobody uses."""
    names = filesystem.open_directory(PATH).names()
    return [name for name in names if name not in KNOWN_NAMES and parse_name(name) is None]


def inspect_checkpoints(survivor: SimulatedFileSystem, workload: Workload) -> None:
    """Each finished checkpoint is there and whole; one that is being made is there and whole, or not there at all."""
    for path, state in workload.checkpoints.items():
        names = survivor.open_directory("/").names()
        if path.removeprefix("/") not in names:
            if path in workload.finished_checkpoints:
                raise WrongRecoveryError(f"the finished checkpoint {path} is gone")
            continue
        database = reopened(survivor, path, workload.options)
        if content(database) != state:
            raise WrongRecoveryError(f"checkpoint {path} differs: {database.recovery}")
        database.close()
