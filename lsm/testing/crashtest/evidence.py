"""What a failed round leaves in the directory of the crash test, and how it is looked at again.

database/      as the failed check left it
as-ended/      as the end of the processes left it, before it was opened
checkpoints/   as the processes left them
failure.json   seed and round, what was wrong, and the history that the check compares with
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import msgspec

import lsm
from lsm.testing.crashtest.history import BrokenPromiseError, History
from lsm.testing.crashtest.inspection import inspect, inspect_checkpoints

DATABASE = "database"
AS_ENDED = "as-ended"
CHECKPOINTS = "checkpoints"
FAILURE = "failure.json"


class Failure(msgspec.Struct):
    """The content of `failure.json`."""

    seed: int
    round: int
    text: str
    options: dict[str, object]
    history: History
    """As it was before the check."""


def keep(directory: Path, failure: Failure) -> None:
    """Write the history beside what the failed round left."""
    (directory / FAILURE).write_bytes(msgspec.json.encode(failure))


def load(directory: Path) -> Failure:
    """Read what `keep` has written. Raises `FileNotFoundError` when no crash test has failed in the directory."""
    return msgspec.json.decode((directory / FAILURE).read_bytes(), type=Failure)


def replay(directory: Path) -> tuple[Failure, str]:
    """Open a copy of what a failed round left, and check it again.

    Returns what was wrong then, and what is wrong now: empty if nothing is any more. Changes nothing in `directory`.
    """
    failure = load(directory)
    options = lsm.Options(**failure.options)  # type: ignore[arg-type]  # checked by Options
    with tempfile.TemporaryDirectory(prefix="layerdb-crashtest-") as temporary:
        copy = Path(temporary)
        for name in (AS_ENDED, CHECKPOINTS):
            if (directory / name).is_dir():
                shutil.copytree(directory / name, copy / name)
        history = failure.history
        try:
            inspect(str(copy / AS_ENDED), options, history, history.acknowledged, history.issued)
            inspect_checkpoints(copy / CHECKPOINTS, options, history, history.checkpoints.values())
        except (lsm.Error, BrokenPromiseError) as error:
            return failure, f"{type(error).__name__}: {error}"
    return failure, ""
