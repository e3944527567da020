"""Checkpoints: a second database directory with the state of one moment, made of hard links.

The tables are linked, which takes no time and no space; the logs, which may still grow, are copied up to the committed
end; manifest and CURRENT are written anew, CURRENT last. All of it happens in a temporary directory beside the target,
which is synced and renamed in the end, so a checkpoint is there as a whole or not at all.
"""

from __future__ import annotations

from lsm.core import Core
from lsm.environment import Directory, discard_directory, write_all
from lsm.errors import InvalidArgumentError, StorageError
from lsm.filenames import log_name, table_name
from lsm.install import Installer
from lsm.manifest import Manifest, write_current, write_manifest
from lsm.write_ahead_log.writer import LogWriter

_COPY_BYTES = 1 << 20


def make_checkpoint(core: Core, installer: Installer, path: str) -> None:
    """Make a checkpoint at `path`, which must not exist, on the same file system.

    Durable when it returns. Writers wait while the links are made and the logs are copied: some milliseconds, up to
    the size of the memtables. Raises `InvalidArgumentError` when the path exists or is inside the database,
    `StorageError` when a call fails (nothing is left at `path` then).
    """
    filesystem = core.environment.filesystem
    target = filesystem.absolute(path)
    source = filesystem.absolute(core.path)
    if target == source or target.startswith(source + "/"):
        raise InvalidArgumentError(f"{path}: a checkpoint cannot lie inside its database")
    parent = filesystem.open_directory(filesystem.parent(target))
    try:
        if target.rpartition("/")[2] in parent.names():
            raise InvalidArgumentError(f"{path}: there is something already")
        _make(core, installer, parent, target)
    finally:
        parent.close()


def _make(core: Core, installer: Installer, parent: Directory, target: str) -> None:
    """Make the checkpoint in a temporary directory and give it its name; after an error neither is there."""
    filesystem = core.environment.filesystem
    place = f"{target}.tmp-{core.environment.random_bytes(4).hex()}"
    filesystem.create_directory(place)
    try:
        directory = filesystem.open_directory(place)
        try:
            _fill(core, installer, directory)
        finally:
            directory.close()
        filesystem.rename_directory(place, target)
        place = target
        parent.sync()
    except BaseException:
        discard_directory(filesystem, place)
        raise


def _fill(core: Core, installer: Installer, directory: Directory) -> None:
    """Put everything that the database needs into `directory`, durably."""
    with installer.lock, core.mutex:
        if core.closed is not None:
            raise core.closed_error()
        manifest = installer.manifest
        for table in manifest.version.tables():
            core.directory.link(table_name(table.number), directory, table_name(table.number))
        for number in sorted(core.logs):
            if number >= manifest.oldest_log.number:
                _copy_log(core.logs[number], directory)
    alone = Manifest(
        number=manifest.number,
        previous_number=None,
        oldest_log=manifest.oldest_log,
        version=manifest.version,
        next_file_number=max(core.next_file_number, manifest.next_file_number),
    )
    write_current(directory, alone.number, write_manifest(directory, alone))


def _copy_log(log: LogWriter, directory: Directory) -> None:
    """Copy a log up to its committed end."""
    copy = directory.open(log_name(log.number), "create")
    try:
        offset = 0
        while offset < log.end:
            data = log.file.read_at(offset, min(_COPY_BYTES, log.end - offset))
            if not data:
                raise StorageError(log.file.path, "read", None, f"the log ends at {offset}, {log.end} were written")
            write_all(copy, offset, data)
            offset += len(data)
        copy.sync()
    finally:
        copy.close()
