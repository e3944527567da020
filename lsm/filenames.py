"""Names of the files in a database directory, and how to read a number out of a name.

Only this module knows the spelling. Numbers come from one counter for all kinds and are never used twice.
"""

from __future__ import annotations

import re
from typing import Final, Literal

CURRENT: Final = "CURRENT"
CURRENT_TEMPORARY: Final = "CURRENT.tmp"
LOCK: Final = "LOCK"
MAINTENANCE: Final = "MAINTENANCE"
PRESENCE: Final = "PRESENCE"
SHARED: Final = "SHARED"

FileKind = Literal["log", "table", "manifest"]

_NUMBERED = re.compile(r"(?P<log>\d{6,20})\.wal|(?P<table>\d{6,20})\.sst|MANIFEST-(?P<manifest>\d{6,20})")


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
    """Return kind and number of a numbered file, or None for any other name."""
    match = _NUMBERED.fullmatch(name)
    if match is None:
        return None
    for kind in ("log", "table", "manifest"):
        digits = match.group(kind)
        if digits is not None:
            return kind, int(digits)
    return None
