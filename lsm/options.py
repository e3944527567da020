"""Options of a database: one frozen value object, validated when it is made.

Each field says what it does, its unit, its default, the trade-off, and whether it is recorded in the directory. A test
compares the defaults named in the text with the real ones.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

from lsm.errors import InvalidArgumentError

KIB = 1024
MIB = 1024 * KIB

MAXIMUM_KEY_BYTES = 64 * KIB
"""The longest key."""
MAXIMUM_VALUE_BYTES = 1024 * MIB
"""The largest value."""

Compression = Literal["none", "lz4", "zstd"]
Recovery = Literal["strict", "salvage"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a database behaves. Group one changes what is guaranteed, group two speed and memory, group three the shape.

    What is guaranteed:

    create_if_missing: make a new database when the directory is missing or empty; otherwise `NotADatabaseError`.
        Default: True.
    error_if_exists: refuse to open a database that is already there. Default: False.
    sync: whether a write whose own `sync` is not given waits for the disk. False: an acknowledged write survives the
        death of the process (also `kill -9`), but a power loss or a crash of the machine can take the last writes,
        always the newest ones, never one from the middle. True: it survives those too, at the price of one disk sync
        for each write or group of concurrent writes. Default: False.
    sync_interval_milliseconds: sync the log in the background this often when there are unsynced writes, which bounds
        what a power loss can take when `sync` is False; 0 means never. Default: 0.
    recovery: what opening does when the log is damaged before a place that was once durable. "strict": raise
        `CorruptionError`. "salvage": keep everything before the damage, drop the rest, and say so in the
        `RecoveryReport`. An ordinary torn end of the log is no damage. Default: 'strict'.

    Speed and memory:

    memory_budget_bytes: the one limit for memtables, cached blocks, indexes and filters together. More means fewer and
        larger flushes and more reads without the disk. A quarter is kept for the active memtable; the block cache has
        the rest, and gives way, down to an eighth of the budget, while sealed memtables wait to be flushed (up to
        half of it). Default: 268435456.
    memtable_bytes: size (as Python objects) at which the active memtable is sealed and flushed; None means a
        quarter of the budget. Smaller: faster reopening after a crash; larger: less compaction. Default: None.
    block_cache_bytes: size of the cache of table blocks, indexes and filters; None means what the memtables leave
        of the budget at the moment. Default: None.
    sealed_memtable_limit: writers wait when this many memtables wait to be flushed. Default: 2.
    maintenance: whether this handle flushes and compacts in background threads. False: writers flush for themselves
        when memtables pile up, and `compact()` compacts. Default: True.
    transaction_bytes: the most that one transaction may write or remember to validate, in bytes of memory.
        Default: 268435456.

    The shape of the files (level_count is recorded in the directory; all others may change at every opening, tables
    written before keep theirs):

    block_bytes: uncompressed size at which a block of a table is closed. Larger: better compression and scans, slower
        single reads. Default: 8192.
    compression: of blocks in all levels but the last: "none", "lz4" or "zstd". Default: 'lz4'.
    bottommost_compression: of blocks in the last level that holds data, where nine tenths of the data lie.
        Default: 'lz4'.
    filter_bits_per_key: size of the filters that spare look-ups of absent keys; 10 gives about 1 % false positives,
        15 about 0.12 %, 20 about 0.02 %; 0 turns filters off. Default: 10.
    table_bytes: size at which a compaction starts a new table in the first level; it doubles with each level, so that
        the number of files grows slower than the data. Default: 16777216.
    level_count: number of levels, 2 to 12; fixed when the database is created. Default: 7.
    level_ratio: how much larger each level is than the one above. Larger: less space and fewer reads, more
        rewriting. Default: 10.
    level_base_bytes: the least target size of the first level below level 0. Default: 67108864.
    level0_compact_tables: compaction of level 0 starts at this many tables. Default: 4.
    level0_slow_tables: at this many tables in level 0 each write is delayed a little. Default: 12.
    level0_stop_tables: at this many, writers wait for compaction. Default: 24.
    """

    create_if_missing: bool = True
    error_if_exists: bool = False
    sync: bool = False
    sync_interval_milliseconds: int = 0
    recovery: Recovery = "strict"
    memory_budget_bytes: int = 256 * MIB
    memtable_bytes: int | None = None
    block_cache_bytes: int | None = None
    sealed_memtable_limit: int = 2
    maintenance: bool = True
    transaction_bytes: int = 256 * MIB
    block_bytes: int = 8 * KIB
    compression: Compression = "lz4"
    bottommost_compression: Compression = "lz4"
    filter_bits_per_key: int = 10
    table_bytes: int = 16 * MIB
    level_count: int = 7
    level_ratio: int = 10
    level_base_bytes: int = 64 * MIB
    level0_compact_tables: int = 4
    level0_slow_tables: int = 12
    level0_stop_tables: int = 24

    def __post_init__(self) -> None:
        """Check every field; raise `InvalidArgumentError` that names the first one that is not allowed."""
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if value is None and name in _OPTIONAL:
                continue
            if type(value) is not int or not low <= value <= high:
                raise InvalidArgumentError(f"option {name} must be an integer from {low} to {high}, not {value!r}")
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise InvalidArgumentError(f"option {name} must be one of {choices}, not {getattr(self, name)!r}")
        if not self.level0_compact_tables <= self.level0_slow_tables <= self.level0_stop_tables:
            raise InvalidArgumentError("options level0_compact_tables <= level0_slow_tables <= level0_stop_tables")

    @property
    def active_memtable_bytes(self) -> int:
        """Size at which the active memtable is sealed, in bytes."""
        return self.memory_budget_bytes // 4 if self.memtable_bytes is None else self.memtable_bytes

    def cache_bytes(self, sealed_bytes: int) -> int:
        """Return the size of the block cache in bytes while sealed memtables take `sealed_bytes`."""
        if self.block_cache_bytes is not None:
            return self.block_cache_bytes
        return max(self.memory_budget_bytes - self.active_memtable_bytes - sealed_bytes, self.memory_budget_bytes // 8)


_LARGE = 1 << 50
_OPTIONAL = frozenset({"memtable_bytes", "block_cache_bytes"})
_CHOICES: dict[str, tuple[object, ...]] = {
    "create_if_missing": (True, False),
    "error_if_exists": (True, False),
    "sync": (True, False),
    "maintenance": (True, False),
    "recovery": ("strict", "salvage"),
    "compression": ("none", "lz4", "zstd"),
    "bottommost_compression": ("none", "lz4", "zstd"),
}
_RANGES: dict[str, tuple[int, int]] = {
    "sync_interval_milliseconds": (0, 86_400_000),
    "memory_budget_bytes": (64 * KIB, _LARGE),
    "memtable_bytes": (KIB, _LARGE),
    "block_cache_bytes": (0, _LARGE),
    "sealed_memtable_limit": (1, 1000),
    "transaction_bytes": (KIB, _LARGE),
    "block_bytes": (64, 16 * MIB),
    "filter_bits_per_key": (0, 64),
    "table_bytes": (KIB, _LARGE),
    "level_count": (2, 12),
    "level_ratio": (2, 1000),
    "level_base_bytes": (KIB, _LARGE),
    "level0_compact_tables": (1, 1000),
    "level0_slow_tables": (1, 10_000),
    "level0_stop_tables": (1, 10_000),
}
