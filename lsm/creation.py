"""Creating a database: the first log, the first manifest, CURRENT, in an order that a crash may interrupt anywhere.

    directory (parent synced) -> log 1, empty, synced -> manifest 2, synced -> directory synced -> CURRENT -> synced

Until CURRENT is there nothing was acknowledged, so a directory with the remains of an interrupted creation is simply
created again, with numbers above those that are in it.
"""

from __future__ import annotations

from collections.abc import Sequence

from lsm.environment import Directory, Environment
from lsm.errors import MissingFileError, NotADatabaseError
from lsm.filenames import CURRENT_TEMPORARY, LOCK, MAINTENANCE, PRESENCE, SHARED, next_number, parse_name
from lsm.live_manifest import check_current_not_lost
from lsm.manifest import Manifest, write_current, write_manifest
from lsm.options import Options
from lsm.version import LogReference, empty_version
from lsm.write_ahead_log.header import LogHeader
from lsm.write_ahead_log.writer import create_log

_OURS = frozenset({CURRENT_TEMPORARY, LOCK, MAINTENANCE, PRESENCE, SHARED})


def open_or_create_directory(environment: Environment, path: str, options: Options) -> Directory:
    """Open the directory at `path`, made and durable in its parent if it is missing and may be created.

    Raises `NotADatabaseError` when it is missing and may not be created, `StorageError`.
    """
    filesystem = environment.filesystem
    try:
        return filesystem.open_directory(path)
    except MissingFileError:
        if not options.create_if_missing:
            raise NotADatabaseError(path, "there is no such directory") from None
    filesystem.create_directory(path)
    parent = filesystem.open_directory(filesystem.parent(path))
    try:
        parent.sync()
    finally:
        parent.close()
    return filesystem.open_directory(path)


def check_creatable(directory: Directory, names: Sequence[str], options: Options) -> None:
    """Raise unless a new database may be made in a directory with these names, among which CURRENT is not.

    Raises `CorruptionError` when there was a database, `NotADatabaseError` when there are other files, or none may be
    created.
    """
    check_current_not_lost(directory, names)
    foreign = [name for name in names if parse_name(name) is None and name not in _OURS]
    if foreign:
        raise NotADatabaseError(directory.path, f"no database, but other files: {', '.join(foreign[:3])}")
    if not options.create_if_missing:
        raise NotADatabaseError(directory.path, "there is no database in this directory")


def create_database(
    environment: Environment,
    directory: Directory,
    names: Sequence[str],
    options: Options,
    *,
    next_file_number: int = 1,
) -> Manifest:
    """Make an empty database; return its manifest. Durable when it returns. Raises `StorageError`, `CorruptionError`.

    next_file_number: what an old SHARED says; its promises must not be above the numbers of the new database.
    """
    first = max(next_number(directory.path, names), next_file_number)
    identity, incarnation = (int.from_bytes(environment.random_bytes(8), "little") for _ in range(2))
    log = create_log(directory, LogHeader(identity, incarnation, first))
    log.file.sync()
    log.file.close()
    manifest = Manifest(
        number=first + 1,
        previous_number=None,
        oldest_log=LogReference(first, identity),
        version=empty_version(options.level_count),
        next_file_number=first + 2,
    )
    write_current(directory, manifest.number, write_manifest(directory, manifest))
    return manifest
