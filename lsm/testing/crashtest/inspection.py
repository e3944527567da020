"""Opens what the end of a process, or of the power, has left on a real disk, and compares it with the history."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import lsm
from lsm.posix import PosixEnvironment
from lsm.testing.crashtest.history import BrokenPromiseError, Counts, History, PromisedCheckpoint, check
from lsm.testing.crashtest.plan import COUNTER
from lsm.testing.unnamed_files import unnamed_files


class Found(NamedTuple):
    """What was there: all keys with their values, and how many commits of each writer."""

    content: dict[bytes, bytes]
    counts: Counts
    recovery: lsm.RecoveryReport


def inspect(path: str, options: lsm.Options, history: History, least: Counts, most: Counts) -> Found:
    """Open the database for writing, which recovers it, read and verify everything, close it, and open it once more.

    least, most: how many commits of each writer must be there, and may be there.

    Raises `BrokenPromiseError` when anything is not as promised, and what opening raises.
    """
    with lsm.open(path, dataclasses.replace(options, maintenance=False)) as database:
        content, counter = read(database)
        counts = check(history, content, counter, least, most)
        damage = database.verify().damage
        if damage:
            raise BrokenPromiseError(f"verify after recovery: {damage}")
        unnamed = _unnamed(path)
        if unnamed:
            raise BrokenPromiseError(f"files that nothing names are left: {unnamed}")
        recovery = database.recovery
    with lsm.open(path, options, read_only=True) as database:
        if read(database) != (content, counter):
            raise BrokenPromiseError("a second recovery gives another content")
        if database.recovery.dropped_bytes:
            raise BrokenPromiseError(f"opening after a clean close drops something: {database.recovery}")
    return Found(content, counts, recovery)


def read(database: lsm.Database) -> tuple[dict[bytes, bytes], int]:
    """Return all keys with their values, and the counter; scans in both directions and point reads must agree."""
    forward = list(database.scan())
    backward = list(database.scan(reverse=True))
    if forward != backward[::-1]:
        raise BrokenPromiseError("scans in the two directions differ")
    if database.multi_get([key for key, _ in forward]) != [value for _, value in forward]:
        raise BrokenPromiseError("point reads and scans differ")
    return dict(forward), database.counter(COUNTER)


def _unnamed(path: str) -> list[str]:
    directory = PosixEnvironment().filesystem.open_directory(path)
    try:
        return unnamed_files(directory)
    finally:
        directory.close()


def inspect_checkpoints(
    folder: Path, options: lsm.Options, history: History, checkpoints: Iterable[PromisedCheckpoint]
) -> int:
    """Compare checkpoints with the history: each is whole if it has its name, and is there if it was finished.

    Returns how many were there. Raises `BrokenPromiseError`, and what opening raises.
    """
    promises = list(checkpoints)
    for promised in promises:
        if promised.finished and not (folder / promised.name).is_dir():
            raise BrokenPromiseError(f"the finished checkpoint {promised.name} is gone")
    present = [promised for promised in promises if (folder / promised.name).is_dir()]
    for promised in present:
        _inspect_checkpoint(folder, options, history, promised)
    return len(present)


def _inspect_checkpoint(folder: Path, options: lsm.Options, history: History, promised: PromisedCheckpoint) -> None:
    with lsm.open(folder / promised.name, options, read_only=True) as database:
        content, counter = read(database)
    try:
        check(history, content, counter, promised.least, promised.most or history.issued)
    except BrokenPromiseError as error:
        raise BrokenPromiseError(f"checkpoint {promised.name}: {error}") from error
