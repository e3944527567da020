"""A process for `syscall_faults`: one writer, some steps, no background threads, so it makes the same calls each time.

Run as `python -m tests.real.victim DIRECTORY DESCRIPTOR`. Says what it does as every writer of a crash test does. Ends
with status 0; with 3 after a failed sync or an unknown outcome, once it has seen that writes are refused and reads
go on; with 4 when it could not open the database.
"""

from __future__ import annotations

import dataclasses
import sys
import threading
from itertools import islice

import lsm
from lsm.options import KIB
from lsm.testing.crashtest.plan import steps
from lsm.testing.crashtest.writer import Task, Worker

OPTIONS = lsm.Options(
    maintenance=False,
    memtable_bytes=16 * KIB,
    table_bytes=8 * KIB,
    level_count=4,
    level_base_bytes=16 * KIB,
    level0_compact_tables=2,
    level0_slow_tables=4,
    level0_stop_tables=4,
)
STEPS = 60
SEED = "syscall faults"
REFUSED = ("StorageError", "DiskFullError", "MissingFileError", "BackgroundError", "OSError")
"""`OSError` comes from the removal of an old checkpoint, which the victim does by itself."""
SYNC_FAILED = 3
NOT_OPENED = 4


def main(path: str, pipe: int) -> int:
    """Do the steps; return the status to end with."""
    task = Task(0, path, f"{path}-checkpoints", ((0, 0),), SEED, dataclasses.asdict(OPTIONS), REFUSED)
    try:
        database = lsm.open(path, OPTIONS)
    except lsm.StorageError as error:
        sys.stderr.write(f"{error}\n")
        return NOT_OPENED
    try:
        worker = Worker(task, database, 0, 0, pipe, threading.Event())
        for step in islice(steps(SEED, 0), STEPS):
            worker.take(step)
        database.close()
    except (lsm.SyncFailedError, lsm.CommitOutcomeUnknownError) as error:
        sys.stderr.write(f"{error}\n")
        if isinstance(error, lsm.SyncFailedError):
            _see_poison(database)
        return SYNC_FAILED
    return 0


def _see_poison(database: lsm.Database) -> None:
    """After a failed sync every write is refused, and reads go on, unless it was the closing that failed."""
    if database.closed:
        return
    try:
        database.put(b"w0/never", b"1")
    except lsm.SyncFailedError:
        list(database.scan())
        return
    raise AssertionError("a write was accepted after a failed sync")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
