"""Options so small that a few dozen entries reach every level, and a handle that changes nothing by itself."""

from lsm import Options

SMALL = Options(
    memory_budget_bytes=64 * 1024,
    memtable_bytes=4096,
    block_cache_bytes=8192,
    sealed_memtable_limit=2,
    maintenance=False,
    block_bytes=128,
    table_bytes=1024,
    level_count=4,
    level_ratio=2,
    level_base_bytes=1024,
    level0_compact_tables=2,
    level0_slow_tables=3,
    level0_stop_tables=3,
)
"""Everything happens in the calling thread, so a run makes the same calls each time."""
