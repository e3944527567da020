"""Which files of a database directory nothing refers to: after a recovery there must be none."""

from __future__ import annotations

from lsm.environment import Directory
from lsm.filenames import CURRENT, LOCK, MAINTENANCE, PRESENCE, SHARED, manifest_name, parse_name, table_name
from lsm.manifest import Manifest, read_current, read_manifest

_LASTING = frozenset({CURRENT, LOCK, MAINTENANCE, PRESENCE, SHARED})


def unnamed_files(directory: Directory) -> list[str]:
    """Return the names that neither CURRENT nor the live manifest accounts for. Raises as reading those two does."""
    current = read_current(directory)
    if current is None:
        return directory.names()
    manifest = read_manifest(directory, *current)
    named = {*_LASTING, *(table_name(table.number) for table in manifest.version.tables())}
    named |= {manifest_name(number) for number in (manifest.number, manifest.previous_number) if number is not None}
    return [name for name in directory.names() if name not in named and not _is_needed_log(name, manifest)]


def _is_needed_log(name: str, manifest: Manifest) -> bool:
    parsed = parse_name(name)
    return parsed is not None and parsed[0] == "log" and parsed[1] >= manifest.oldest_log.number
