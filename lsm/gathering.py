"""Gathering statistics from the parts of a handle."""

from __future__ import annotations

from lsm.commit.room import Room
from lsm.core import Core
from lsm.kernel import kernel_name
from lsm.maintenance import Maintenance
from lsm.statistics import LevelStatistics, Statistics
from lsm.version import Tables


def gather_statistics(core: Core, maintenance: Maintenance, room: Room) -> Statistics:
    """Return the statistics of this moment. Takes the commit mutex for a moment; cost: O(tables)."""
    with core.mutex:
        core.check_open()
        state, sequence = core.view
        log = core.logs[state.active.log_number]
        live_log = (log.number, log.end)
        durable = core.durable
    work = maintenance.work()
    return Statistics(
        path=core.path,
        kernel=kernel_name(),
        read_only=core.read_only,
        last_sequence=sequence,
        live_log=live_log,
        durable=durable,
        manifest_number=core.manifest_number,
        levels=tuple(map(_level, state.version.levels)),
        memtable_bytes=state.active.size_bytes,
        memtable_entries=state.active.entry_count,
        sealed_memtables=len(state.sealed),
        sealed_bytes=sum(memtable.size_bytes for memtable in state.sealed),
        cache_bytes=core.cache.used_bytes,
        cache_limit_bytes=core.cache.capacity_bytes,
        cache_hits=core.cache.hits,
        cache_misses=core.cache.misses,
        flushes=work.flushes,
        compactions=work.compactions,
        trivial_moves=work.trivial_moves,
        flushed_bytes=work.bytes_flushed,
        compacted_bytes=work.bytes_compacted,
        stalls=dict(room.stalls),
        stall_seconds=room.stall_seconds,
        background_error=None if core.background_error is None else str(core.background_error),
        poisoned=None if core.poison is None else str(core.poison),
    )


def _level(tables: Tables) -> LevelStatistics:
    return LevelStatistics(
        tables=len(tables),
        size_bytes=sum(table.size_bytes for table in tables),
        entries=sum(table.entry_count for table in tables),
        tombstones=sum(table.tombstone_count for table in tables),
    )
