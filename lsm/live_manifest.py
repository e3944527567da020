"""Which manifest is live: the one that CURRENT names, unless something in the directory proves that CURRENT is older.

CURRENT never goes back. So a record of SHARED that knows a later manifest, or a manifest that says that it followed one
which came after the one in CURRENT, means that CURRENT (or both) was replaced by an older self. What it names may look
complete and still lack commits: those that went from removed logs into tables which it does not know.

A manifest that directly follows the live one proves nothing: a crash between writing it and switching CURRENT leaves
such a one.
"""

from __future__ import annotations

from collections.abc import Sequence

from lsm.environment import Directory
from lsm.errors import CorruptionError, FormatError, MissingFileError
from lsm.filenames import CURRENT, manifest_name, parse_name
from lsm.manifest import Manifest, read_current, read_manifest
from lsm.write_ahead_log.header import LOG_HEADER_BYTES


def read_live_manifest(directory: Directory) -> Manifest | None:
    """Return the manifest that CURRENT names, or None if there is no database in the directory.

    Raises:
        CorruptionError: CURRENT or the manifest is damaged or missing.
        FormatError: a newer release wrote one of them.
    """
    current = read_current(directory)
    if current is None:
        check_current_not_lost(directory, directory.names())
        return None
    try:
        return read_manifest(directory, *current)
    except MissingFileError as missing:
        raise CorruptionError(missing.path, 0, "CURRENT names this manifest, but it is missing") from missing


def check_current_not_lost(directory: Directory, names: Sequence[str]) -> None:
    """Raise `CorruptionError` if a directory with these names, CURRENT not among them, ever held data."""
    for name in names:
        found = parse_name(name)
        if found is not None and (found[0] == "table" or (found[0] == "log" and _holds_frames(directory, name))):
            raise CorruptionError(f"{directory.path}/{CURRENT}", 0, f"CURRENT is missing, but there is {name}")


def check_is_newest(directory: Directory, manifest: Manifest, promised_number: int) -> None:
    """Raise `CorruptionError` naming CURRENT if a manifest after `manifest` is known to have been live.

    promised_number: what SHARED says was live. Cost: reads the manifests above the live one; there is one at most,
    left by a crash.
    """
    reason = _newer(directory, manifest.number, promised_number)
    if reason is not None:
        path = f"{directory.path}/{CURRENT}"
        raise CorruptionError(path, 0, f"it names manifest {manifest.number}, but {reason}")


def _newer(directory: Directory, number: int, promised_number: int) -> str | None:
    """Say what proves that a later manifest than `number` was live, or None."""
    if promised_number > number:
        return f"SHARED says that manifest {promised_number} was live"
    for found in map(parse_name, directory.names()):
        if found is None or found[0] != "manifest" or found[1] <= number:
            continue
        try:
            previous = read_manifest(directory, found[1], None).previous_number
        except (CorruptionError, FormatError):
            continue  # cut off by a crash, or a foreign file: it proves nothing
        if previous is not None and previous > number:
            return f"{manifest_name(found[1])} says that manifest {previous} was live"
    return None


def _holds_frames(directory: Directory, name: str) -> bool:
    file = directory.open(name, "read")
    try:
        return file.size() > LOG_HEADER_BYTES
    finally:
        file.close()
