"""The words in which entries travel through the engine: values, tombstones, runs and ranges. Types only, no behaviour.

A run is the unit of every read path: a block decoded, a stretch of a memtable, a window of a merge. Its keys and values
are two lists of equal length, so that they are sorted, sliced and joined by calls in C and never entry by entry.
"""

from __future__ import annotations

import enum
from typing import Final, TypeAlias


class Missing(enum.Enum):
    """The type of `MISSING`, so that a type checker can tell it from a value."""

    MISSING = 0


MISSING: Final = Missing.MISSING
"""What a look-up returns when the source says nothing about the key, so that an older source has to be asked."""

Value: TypeAlias = bytes | None
"""The value of an entry; None is a tombstone: the key is deleted, whatever older sources say."""

Run: TypeAlias = tuple[list[bytes], list[Value]]
"""Keys in the order of iteration (strictly ascending, or strictly descending in a reverse scan), values beside them.

Whoever is handed a run owns the two lists and may change them.
"""

Range: TypeAlias = tuple[bytes, bytes | None]
"""All keys from the first (included) to the second (excluded); a second of None means up to the end of all keys."""
