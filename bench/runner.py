"""Runs every workload on every engine, in turns, each in a fresh process, and keeps all results."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.engines import Durability
from bench.worker import PREPARE
from bench.workloads import FILLS, READS


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be measured."""

    engines: Sequence[str]
    workloads: Sequence[str]
    entries: int
    reads: int
    rounds: int
    durability: Durability
    directory: Path | None = None
    """Where the databases are made; None means the system's directory for temporary files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One measurement."""

    engine: str
    workload: str
    round: int
    microseconds: float
    operations: int
    disk_bytes: int
    memory_bytes: int
    version: str
    options: str


class WorkerError(Exception):
    """A measuring process failed; the message is what it wrote."""


def run(plan: Plan, tell: Callable[[str], None]) -> list[Result]:
    """Measure everything that a plan names.

    Args:
        plan: What to measure.
        tell: Is told before each measurement what comes.

    Raises:
        WorkerError: an engine failed or gave a wrong answer.
    """
    results = []
    for number in range(1, plan.rounds + 1):
        with tempfile.TemporaryDirectory(prefix="bench-", dir=plan.directory) as name:
            tell(f"round {number} of {plan.rounds}")
            results += _round(plan, number, Path(name), tell)
    return results


def _round(plan: Plan, number: int, base: Path, tell: Callable[[str], None]) -> list[Result]:
    results = []
    for workload in (name for name in plan.workloads if name in FILLS):
        for engine in _turn(plan.engines, number):
            tell(f"{workload}, {engine}")
            directory = base / f"{engine}-{workload}"
            results.append(_measure(plan, number, engine, workload, directory))
            shutil.rmtree(directory)
    reading = [name for name in plan.workloads if name in READS]
    for engine in plan.engines if reading else ():
        tell(f"filling for reads, {engine}")
        _measure(plan, number, engine, PREPARE, base / engine)
    for workload in reading:
        for engine in _turn(plan.engines, number):
            tell(f"{workload}, {engine}")
            results.append(_measure(plan, number, engine, workload, base / engine))
    return results


def _turn(engines: Sequence[str], number: int) -> list[str]:
    """Order the engines anew in each round, so that none always follows the same other."""
    shift = (number - 1) % len(engines)
    return [*engines[shift:], *engines[:shift]]


def _measure(plan: Plan, number: int, engine: str, workload: str, directory: Path) -> Result:
    job = {
        "engine": engine,
        "workload": workload,
        "directory": str(directory),
        "entries": plan.entries,
        "reads": plan.reads,
        "durability": plan.durability,
    }
    command = [sys.executable, "-m", "bench.worker", json.dumps(job)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        raise WorkerError(f"{engine}, {workload}: {process.stderr.strip()}")
    measured: dict[str, Any] = json.loads(process.stdout)
    return Result(engine=engine, workload=workload, round=number, **measured)
