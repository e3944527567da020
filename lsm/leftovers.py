"""Removing files that nothing names: what crashes, interrupted work and superseded versions left.

Only names of our own spelling are ever removed; foreign files stay. A file whose writer is alive holds a lock on it.
"""

from __future__ import annotations

from lsm.core import Core
from lsm.environment import Directory
from lsm.errors import StorageError
from lsm.filenames import CURRENT_TEMPORARY, parse_name
from lsm.manifest import Manifest


def remove_leftovers(core: Core, manifest: Manifest) -> tuple[str, ...]:
    """Remove tables, logs and manifests that `manifest` does not need; return their names.

    Kept are the live tables, the logs of this handle, the live manifest and the one before it. Nothing is raised: what
    cannot be removed now is tried again at the next opening.
    """
    keep: set[tuple[str, int]] = {("table", table.number) for table in manifest.version.tables()}
    keep |= {("log", number) for number in core.logs}
    keep |= {("manifest", number) for number in (manifest.number, manifest.previous_number) if number is not None}
    return tuple(name for name in core.directory.names() if _is_leftover(name, keep) and _remove(core.directory, name))


def _is_leftover(name: str, keep: set[tuple[str, int]]) -> bool:
    found = parse_name(name)
    return name == CURRENT_TEMPORARY if found is None else found not in keep


def _remove(directory: Directory, name: str) -> bool:
    try:
        file = directory.open(name, "read")
        try:
            if not file.try_lock(exclusive=True):
                return False
        finally:
            file.close()
        directory.unlink(name)
    except StorageError:
        return False
    return True
