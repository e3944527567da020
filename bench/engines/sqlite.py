"""SQLite as a compared engine: one table without rowid, write-ahead log, prepared statements.

At durability `process` it runs with synchronous=NORMAL, which like the others syncs now and then, so that a power loss
takes the newest transactions and breaks nothing; at `power` with synchronous=FULL.
"""

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from bench.engines.interface import Durability, Engine, Pair

_PUT = "INSERT OR REPLACE INTO entry VALUES (?, ?)"
_GET = "SELECT value FROM entry WHERE key = ?"
_SCAN = "SELECT key, value FROM entry ORDER BY key"
_SCAN_FROM = "SELECT key, value FROM entry WHERE key >= ? ORDER BY key LIMIT ?"
_CACHE_KIB = 64 << 10


def open_sqlite(directory: Path, durability: Durability) -> Engine:
    """Open or make a database."""
    directory.mkdir(exist_ok=True)
    synchronous = "FULL" if durability == "power" else "NORMAL"
    db = sqlite3.connect(directory / "sqlite.db", isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(f"PRAGMA synchronous = {synchronous}")
    db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    db.execute("CREATE TABLE IF NOT EXISTS entry (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID")
    execute = db.execute

    def get(key: bytes) -> bytes | None:
        row = execute(_GET, (key,)).fetchone()
        return None if row is None else row[0]

    def write(pairs: Iterable[Pair]) -> None:
        execute("BEGIN")
        db.executemany(_PUT, pairs)
        execute("COMMIT")

    return Engine(
        put=lambda key, value: execute(_PUT, (key, value)),
        get=get,
        write=write,
        scan=lambda: execute(_SCAN),
        scan_from=lambda start, count: execute(_SCAN_FROM, (start, count)),
        settle=lambda: execute("PRAGMA wal_checkpoint(TRUNCATE)"),
        close=db.close,
        version=f"SQLite {sqlite3.sqlite_version}",
        options=f"WITHOUT ROWID, WAL, synchronous={synchronous}, {_CACHE_KIB >> 10} MiB cache",
    )
