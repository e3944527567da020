"""One measurement, in a process of its own: `python -m bench.worker` with one JSON object as its argument.

The process prints one JSON object: what was measured, and its largest memory.
"""

import json
import resource
import sys
from pathlib import Path
from typing import Any

from bench.engines import Durability, open_engine
from bench.workloads import FILLS, READS, Measured

PREPARE = "prepare"
"""The workload that fills and settles the database for the reading ones; its time is not reported."""


def measure(
    engine: str, workload: str, directory: str, *, entries: int, reads: int, durability: Durability
) -> dict[str, Any]:
    """Run one workload on one engine.

    Returns:
        Microseconds per operation, number of operations, and what the engine says of itself.
    """
    database = open_engine(engine, Path(directory), durability)
    if workload == PREPARE:
        measured = FILLS["fill_batch"](database, entries, reads)
        database.settle()
    else:
        measured = (FILLS | READS)[workload](database, entries, reads)
    database.close()
    return {
        "microseconds": _microseconds(measured),
        "operations": measured.operations,
        "disk_bytes": sum(file.stat().st_size for file in Path(directory).iterdir()),
        "memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "version": database.version,
        "options": database.options,
    }


def _microseconds(measured: Measured) -> float:
    return measured.seconds / max(measured.operations, 1) * 1e6


if __name__ == "__main__":
    print(json.dumps(measure(**json.loads(sys.argv[1]))))
