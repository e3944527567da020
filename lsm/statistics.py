"""What a handle knows about itself, as one frozen value."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LevelStatistics:
    """One level: number of tables, bytes of their files, entries in them (tombstones and old values included)."""

    tables: int
    size_bytes: int
    entries: int
    tombstones: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """The result of `Database.stats()`. Counts of work are since the handle was opened.

    path: of the directory. kernel: which implementation of the hot loops runs.
    last_sequence: number of the last change that is visible. durable: (log number, offset) up to which the log is known
    to be on the disk; live_log: (log number, offset) of its end.
    levels: level 0 first. memtable_bytes: memory of the active memtable; sealed_memtables, sealed_bytes: of those that
    wait to be flushed. cache_bytes, cache_limit_bytes, cache_hits, cache_misses: of the block cache.
    flushes, compactions, trivial_moves, flushed_bytes (memory), compacted_bytes (files written).
    stalls: number of writes that had to wait, by reason; stall_seconds: how long in all.
    background_error: the last error of flush, compaction or sync that has not healed, or None.
    poisoned: why the directory takes no writes until it is reopened, or None.
    """

    path: str
    kernel: str
    read_only: bool
    last_sequence: int
    live_log: tuple[int, int]
    durable: tuple[int, int]
    manifest_number: int
    levels: tuple[LevelStatistics, ...]
    memtable_bytes: int
    memtable_entries: int
    sealed_memtables: int
    sealed_bytes: int
    cache_bytes: int
    cache_limit_bytes: int
    cache_hits: int
    cache_misses: int
    flushes: int
    compactions: int
    trivial_moves: int
    flushed_bytes: int
    compacted_bytes: int
    stalls: dict[str, int]
    stall_seconds: float
    background_error: str | None
    poisoned: str | None

    @property
    def table_bytes(self) -> int:
        """Bytes of all table files."""
        return sum(level.size_bytes for level in self.levels)

    def as_dict(self) -> dict[str, object]:
        """Return all fields by name, ready for JSON."""
        return dataclasses.asdict(self)
