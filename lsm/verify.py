"""Verification: reads every byte of a database and checks every invariant; changes nothing.

For a directory that nobody has open for writing (`verify`), and for the files of an open handle (`verify_live`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from lsm.block_cache import BlockCache
from lsm.core import Core
from lsm.directory_locks import check_nobody_writes
from lsm.environment import Directory, Environment, File, PathLike, path_text
from lsm.errors import CorruptionError, MissingFileError, NotADatabaseError
from lsm.filenames import manifest_name, table_name
from lsm.install import Installer
from lsm.live_manifest import check_is_newest, read_live_manifest
from lsm.manifest import Manifest, read_manifest
from lsm.memtable import Memtable
from lsm.posix import PosixEnvironment
from lsm.recovery import replay_logs
from lsm.shared_page import read_promise
from lsm.sstable.reader import TableReader
from lsm.version import TableMetadata
from lsm.write_ahead_log.reader import LogReader


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class VerificationReport:
    """What was checked, and every damage that was found.

    tables, logs: how many were read. size_bytes: of all of them and the manifest. entries: in tables and logs.
    dropped_bytes: bytes behind the last whole commit, which opening will drop; an ordinary torn end, no damage.
    damage: one error for each damaged place, with file and offset.
    """

    tables: int
    logs: int
    size_bytes: int
    entries: int
    dropped_bytes: int
    damage: tuple[CorruptionError, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is damaged."""
        return not self.damage

    def as_dict(self) -> dict[str, object]:
        """Return all fields by name, ready for JSON."""
        damage = [{"path": error.path, "offset": error.offset, "reason": error.reason} for error in self.damage]
        return {**dataclasses.asdict(dataclasses.replace(self, damage=())), "damage": damage, "ok": self.ok}


class _Findings:
    """What was found so far."""

    def __init__(self) -> None:
        self.tables = self.logs = self.size_bytes = self.entries = self.dropped_bytes = 0
        self.damage: list[CorruptionError] = []

    def report(self) -> VerificationReport:
        return VerificationReport(
            tables=self.tables,
            logs=self.logs,
            size_bytes=self.size_bytes,
            entries=self.entries,
            dropped_bytes=self.dropped_bytes,
            damage=tuple(self.damage),
        )


def verify(path: str | PathLike, *, environment: Environment | None = None) -> VerificationReport:
    """Check the database in `path`, which no handle may have open for writing.

    Raises `NotADatabaseError`, `LockedError`, `FormatError` and `StorageError`; damage is reported, not raised. Needs
    no right to write. Cost: reads everything once.
    """
    world = PosixEnvironment() if environment is None else environment
    absolute = world.filesystem.absolute(path_text(path))
    try:
        directory = world.filesystem.open_directory(absolute)
    except MissingFileError:
        raise NotADatabaseError(absolute, "there is no such directory") from None
    try:
        check_nobody_writes(directory)
        return _verify_directory(world, directory)
    finally:
        directory.close()


def verify_live(core: Core, installer: Installer) -> VerificationReport:
    """Check the files of an open handle as they are now; others may go on reading and writing."""
    findings = _Findings()
    with installer.lock, core.mutex:
        core.check_open()
        state, _ = core.view
        manifest = installer.manifest
        ends = {number: (log.file, log.end) for number, log in core.logs.items()}
        _check_manifests(core.directory, findings)
    for table in manifest.version.tables():
        _check_table(state.tables.readers[table.number], table, findings)
    for _, (file, end) in sorted(ends.items()):
        _check_log(file, end, findings)
    return findings.report()


def _verify_directory(environment: Environment, directory: Directory) -> VerificationReport:
    findings = _Findings()
    manifest = _check_manifests(directory, findings)
    if manifest is None:
        if not findings.damage:
            raise NotADatabaseError(directory.path, "there is no database in this directory")
        return findings.report()
    cache = BlockCache(0, environment.lock())
    for table in manifest.version.tables():
        for reader in _open_table(directory, table, cache, findings):
            _check_table(reader, table, findings)
    _check_logs(environment, directory, manifest, findings)
    return findings.report()


def _check_manifests(directory: Directory, findings: _Findings) -> Manifest | None:
    """Check CURRENT, the live manifest and the one before it; return the live one if it can be read."""
    try:
        manifest = read_live_manifest(directory)
        if manifest is None:
            return None
        findings.size_bytes += _size(directory, manifest_name(manifest.number))
        check_is_newest(directory, manifest, read_promise(directory).manifest_number)
    except CorruptionError as damage:
        findings.damage.append(damage)
        return None
    _check_previous(directory, manifest, findings)
    return manifest


def _check_previous(directory: Directory, manifest: Manifest, findings: _Findings) -> None:
    """Check the manifest before the live one, which is kept for repair, if it is there."""
    if manifest.previous_number is None or manifest_name(manifest.previous_number) not in directory.names():
        return
    try:
        read_manifest(directory, manifest.previous_number, None)
    except CorruptionError as damage:
        findings.damage.append(damage)


def _size(directory: Directory, name: str) -> int:
    file = directory.open(name, "read")
    try:
        return file.size()
    finally:
        file.close()


def _open_table(
    directory: Directory, table: TableMetadata, cache: BlockCache, findings: _Findings
) -> Iterator[TableReader]:
    """Yield a reader of the table, or note why there is none."""
    name = table_name(table.number)
    try:
        yield TableReader(directory.open(name, "read"), table.identity, cache)
    except MissingFileError as missing:
        findings.damage.append(CorruptionError(missing.path, 0, "the manifest names this table, but it is missing"))


def _check_table(reader: TableReader, table: TableMetadata, findings: _Findings) -> None:
    """Check a table by itself and against what the manifest says of it."""
    findings.tables += 1
    findings.size_bytes += table.size_bytes
    findings.entries += table.entry_count
    found = list(reader.check())
    findings.damage += found
    if found:
        return
    properties = reader.properties()
    wrong = [
        f"{name} is {getattr(properties, name)}, the manifest says {getattr(table, name)}"
        for name in ("entry_count", "tombstone_count", "range_tombstone_count", "first_sequence", "last_sequence")
        if getattr(properties, name) != getattr(table, name)
    ]
    if properties.smallest < table.smallest:
        wrong.append("its keys begin before the bounds in the manifest")
    if wrong:
        findings.damage.append(CorruptionError(reader.path, 0, "; ".join(wrong)))


def _check_logs(environment: Environment, directory: Directory, manifest: Manifest, findings: _Findings) -> None:
    """Replay the logs without keeping anything."""
    try:
        replay = replay_logs(
            directory,
            manifest.oldest_log,
            lambda number: Memtable(number, environment.lock()),
            last_sequence=manifest.version.last_sequence,
            promised=read_promise(directory).durable,
            salvage=False,
            sync=False,
        )
    except CorruptionError as damage:
        findings.damage.append(damage)
        return
    findings.logs += len(replay.logs)
    findings.size_bytes += sum(log.writer.end for log in replay.logs)
    findings.entries += sum(log.writer.entry_count for log in replay.logs)
    findings.dropped_bytes += 0 if replay.broken is None else replay.broken.dropped_bytes


def _check_log(file: File, end: int, findings: _Findings) -> None:
    """Read the frames of a log up to its committed end."""
    findings.logs += 1
    findings.size_bytes += end
    try:
        reader = LogReader(file)
        for frame in reader.frames(end):
            findings.entries += len(frame.batch)
        if reader.end != end:
            findings.damage.append(CorruptionError(file.path, reader.end, reader.reason or "the log ends too early"))
    except CorruptionError as damage:
        findings.damage.append(damage)
