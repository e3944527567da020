"""Names of the files in a database directory, and how to read a number out of a name.

Only this module knows the spelling. Numbers come from one counter for all kinds and are never used twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Literal

from lsm.errors import CorruptionError

CURRENT: Final = "CURRENT"
CURRENT_TEMPORARY: Final = "CURRENT.tmp"
LOCK: Final = "LOCK"
MAINTENANCE: Final = "MAINTENANCE"
PRESENCE: Final = "PRESENCE"
SHARED: Final = "SHARED"

_LARGEST_NUMBER = 1 << 62
"""Far below where 64 bits end; a billion files a second would take a century to come to it."""

FileKind = Literal["log", "table", "manifest"]

_NUMBERED = re.compile(r"(?P<log>\d{6,20})\.wal|(?P<table>\d{6,20})\.sst|MANIFEST-(?P<manifest>\d{6,20})", re.ASCII)


def log_name(number: int) -> str:
    """Return the name of a log."""
    return f"{number:06d}.wal"


def table_name(number: int) -> str:
    """Return the name of a table."""
    return f"{number:06d}.sst"


def manifest_name(number: int) -> str:
    """Return the name of a manifest."""
    return f"MANIFEST-{number:06d}"


def parse_name(name: str) -> tuple[FileKind, int] | None:
    """Return kind and number of a numbered file, or None for any other name, also for a number with needless zeros."""
    match = _NUMBERED.fullmatch(name)
    if match is None:
        return None
    for kind in ("log", "table", "manifest"):
        digits = match.group(kind)
        if digits is not None:
            return (kind, int(digits)) if digits == f"{int(digits):06d}" else None
    return None


def next_number(path: str, names: Iterable[str]) -> int:
    """Return a file number above those of all `names` of the directory at `path`.

    Raises `CorruptionError` when one of them is so large that no directory of ours can have come to it.
    """
    highest = 0
    for name in names:
        found = parse_name(name)
        if found is not None:
            if found[1] > _LARGEST_NUMBER:
                raise CorruptionError(f"{path}/{name}", 0, "no database has come to a file number as large as this one")
            highest = max(highest, found[1])
    return highest + 1
