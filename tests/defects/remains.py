"""What a crash has left: opened, read, and compared with what had been promised."""

from __future__ import annotations

from lsm import Database
from lsm import open as open_database
from lsm.testing import (
    SMALL_OPTIONS,
    Crash,
    Inspection,
    Promise,
    SimulatedEnvironment,
    SimulatedFileSystem,
    State,
    Workload,
    WrongRecoveryError,
    abandon,
    checked_content,
)

PATH = "/data"


def reopened(filesystem: SimulatedFileSystem, path: str = PATH) -> Database:
    """Open the database that lies on a disk, by a new process."""
    return open_database(path, SMALL_OPTIONS, environment=SimulatedEnvironment(filesystem))


def shown(filesystem: SimulatedFileSystem, path: str = PATH) -> dict[bytes, bytes]:
    """Open, read everything in several ways, and stop without closing, as a kill would."""
    database = reopened(filesystem, path)
    try:
        return checked_content(database)
    finally:
        abandon(database)


def compare(
    survivor: SimulatedFileSystem,
    workload: Workload,
    promise: Promise,
    address: str,
    *,
    killed: bool,
    again: bool = False,
    verify_every: int = 8,
) -> State:
    """Recover and compare with the promise; with `again`, lose the power after it, which takes nothing that was shown.

    Of `verify_every` disks one is also verified, written to, closed, opened and compacted, and its checkpoints opened.
    Raises `WrongRecoveryError` and what opening raises.
    """
    inspection = Inspection(workload=workload, verify_every=verify_every)
    least = promise.acknowledged if killed else promise.durable
    found = inspection(Crash(survivor, workload.ledger.entries, least, killed=killed, address=address))
    if again and shown(survivor.after_power_loss()) != found:
        raise WrongRecoveryError("a power loss after the recovery takes back what the recovery had shown")
    return found


def place_of(found: State, workload: Workload, least: int) -> int:
    """Return how many commits lead to a content; raise unless it is one that the promise allows."""
    return Crash(SimulatedFileSystem(), workload.ledger.entries, least, killed=False, address="").check_state(found)
