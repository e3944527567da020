"""A version as a short text picture, and back, and a plan as text, for the tests of what decides about levels.

One line a level, beginning with its number; tables from left to right in the order of the level (level 0 newest
first). A table is `number:smallest-largest`, where `z+` stands for no upper bound, followed by any of

    *<n>   size of n units (default 1); a unit is 1,000 bytes
    /<n>   n of its 10 entries are tombstones
    ~      it holds a range tombstone

    0: 9:a-f 8:c-k
    1: 3:a-c*4 4:e-z+/2~
"""

import re

from lsm.compaction.plan import Plan
from lsm.version import TableMetadata, Tables, Version

UNIT_BYTES = 1_000
LAST_SEQUENCE = 1_000

_TABLE = re.compile(r"(\d+):([a-z0-9]+)-([a-z0-9]+\+?)(?:\*(\d+))?(?:/(\d+))?(~?)")


def table(text: str, level: int = 0) -> TableMetadata:
    """Return the table that a word of a picture stands for."""
    match = _TABLE.fullmatch(text)
    if match is None:
        message = f"not a table: {text!r}"
        raise ValueError(message)
    number, smallest, largest, units, tombstones, ranged = match.groups()
    return TableMetadata(
        number=int(number),
        identity=int(number) << 64,
        size_bytes=UNIT_BYTES * int(units or 1),
        smallest=smallest.encode(),
        largest=None if largest.endswith("+") else largest.encode(),
        entry_count=10,
        tombstone_count=int(tombstones or 0),
        range_tombstone_count=len(ranged),
        first_sequence=1,
        last_sequence=LAST_SEQUENCE,
        level_at_creation=level,
    )


def version(picture: str, level_count: int = 4) -> Version:
    """Return the version of a picture; levels that it does not mention are empty."""
    levels: list[Tables] = [()] * level_count
    for line in filter(None, map(str.strip, picture.splitlines())):
        level, _, words = line.partition(":")
        levels[int(level)] = tuple(table(word, int(level)) for word in words.split())
    found = Version(tuple(levels), LAST_SEQUENCE)
    found.check()
    return found


def picture(version: Version) -> str:
    """Return the numbers of the tables in each level that has some, such as `0: 9 8; 1: 3 4`."""
    return "; ".join(
        f"{level}: {' '.join(str(table.number) for table in tables)}"
        for level, tables in enumerate(version.levels)
        if tables
    )


def show(plan: Plan | None) -> str:
    """Return a plan as text: reason, inputs, output level, such as `size: 1[3] 2[7 8] -> 2`; `=>` is a trivial move."""
    if plan is None:
        return "nothing"
    inputs = " ".join(f"{level}[{' '.join(str(table.number) for table in tables)}]" for level, tables in plan.inputs)
    return f"{plan.reason}: {inputs} {'=>' if plan.trivial_move else '->'} {plan.output_level}"
