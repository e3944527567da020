"""Opens what a crash has left, and compares it with the promise."""

from __future__ import annotations

import lsm
from lsm.filenames import manifest_name, parse_name, table_name
from lsm.manifest import Manifest, read_current, read_manifest
from lsm.testing import SimulatedEnvironment, SimulatedFileSystem
from tests.crash.ledger import Ledger, Promise
from tests.crash.workload import COUNTER, PATH, Workload, content
from tests.support.killed import abandon
from tests.support.model import State
from tests.support.small import SMALL

LASTING_NAMES = frozenset({"CURRENT", "LOCK", "MAINTENANCE", "PRESENCE", "SHARED"})


class WrongRecoveryError(AssertionError):
    """What was found after a crash is not what had been promised."""


def reopened(filesystem: SimulatedFileSystem, path: str = PATH, options: lsm.Options = SMALL) -> lsm.Database:
    """Open the database that lies on a disk, by a new process."""
    return lsm.open(path, options, environment=SimulatedEnvironment(filesystem))


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


def recovered_content(
    filesystem: SimulatedFileSystem, options: lsm.Options = SMALL, *, verify: bool = True
) -> dict[bytes, bytes]:
    """Open, read everything, verify everything, and stop without closing, as a kill would."""
    database = reopened(filesystem, options=options)
    try:
        found = checked_content(database)
        damage = database.verify().damage if verify else ()
    finally:
        abandon(database)
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


def inspect(
    survivor: SimulatedFileSystem, workload: Workload, promise: Promise, *, killed: bool, again: bool = True
) -> State:
    """Recover and compare with the promise; with `again`, verify, and recover once more after a power loss.

    Nothing that a recovery has shown may be taken back by the power loss after it.
    """
    found = recovered_content(survivor, workload.options, verify=again)
    matched(workload.ledger, found, promise, killed=killed)
    if again and recovered_content(survivor.after_power_loss(), workload.options, verify=False) != found:
        raise WrongRecoveryError("a power loss after the recovery takes back what the recovery had shown")
    return found


def inspect_further(survivor: SimulatedFileSystem, found: State, options: lsm.Options) -> None:
    """Write to a recovered database, close it, open it again: it works, nothing is left over, nothing is dropped."""
    wanted = {**found, b"probe": b"written after recovery"}
    with reopened(survivor, options=options) as database:
        database.put(b"probe", b"written after recovery", sync=True)
    with reopened(survivor, options=options) as database:
        if checked_content(database) != wanted:
            raise WrongRecoveryError("a database that was recovered, written and closed opens with another content")
        if database.recovery.dropped_bytes:
            raise WrongRecoveryError(f"opening after a clean close dropped something: {database.recovery}")
        database.compact()
        if checked_content(database) != wanted:
            raise WrongRecoveryError("compaction after recovery changed the content")
    leftovers = unexpected_names(survivor)
    if leftovers:
        raise WrongRecoveryError(f"files that nothing names are left: {leftovers}")


def unexpected_names(filesystem: SimulatedFileSystem) -> list[str]:
    """Return the names in the database directory that nothing refers to."""
    directory = filesystem.open_directory(PATH)
    current = read_current(directory)
    if current is None:
        return directory.names()
    manifest = read_manifest(directory, *current)
    known = {*LASTING_NAMES, manifest_name(manifest.number)}
    if manifest.previous_number is not None:
        known.add(manifest_name(manifest.previous_number))
    known.update(table_name(table.number) for table in manifest.version.tables())
    return [name for name in directory.names() if name not in known and not _is_needed_log(name, manifest)]


def _is_needed_log(name: str, manifest: Manifest) -> bool:
    parsed = parse_name(name)
    return parsed is not None and parsed[0] == "log" and parsed[1] >= manifest.oldest_log.number


def inspect_checkpoints(survivor: SimulatedFileSystem, workload: Workload) -> None:
    """Each finished checkpoint is there and whole; one that is being made is there and whole, or not there at all."""
    for path, state in workload.checkpoints.items():
        names = survivor.open_directory("/").names()
        if path.removeprefix("/") not in names:
            if path in workload.finished_checkpoints:
                raise WrongRecoveryError(f"the finished checkpoint {path} is gone")
            continue
        with reopened(survivor, path, workload.options) as database:
            if checked_content(database) != state:
                raise WrongRecoveryError(f"checkpoint {path} differs: {database.recovery}")
