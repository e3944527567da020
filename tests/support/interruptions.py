"""Exceptions at chosen points: a call that is interrupted once, before it begins, in its middle, or after its end."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, cast

import lsm
from lsm.environment import File

ENGINE = str(Path(lsm.__file__).parent)
DOUBLES = str(Path(lsm.__file__).parent / "testing")


class Interruption(KeyboardInterrupt):
    """What Ctrl-C raises, told from a real one."""


class Once:
    """Raises `Interruption` at the first call that is made of it, or at a later one; `fired` tells whether it has."""

    def __init__(self, skip: int = 0) -> None:
        self.left = skip
        self.fired = False

    def __call__(self, *_: object, **__: object) -> None:
        """Raise, if it is time."""
        if self.fired:
            return
        if self.left > 0:
            self.left -= 1
            return
        self.fired = True
        raise Interruption


def before(function: Callable[..., Any], once: Once) -> Callable[..., Any]:
    """Return the function, interrupted before it begins."""

    def interrupted(*arguments: Any, **named: Any) -> Any:
        once()
        return function(*arguments, **named)

    return interrupted


def after(function: Callable[..., Any], once: Once) -> Callable[..., Any]:
    """Return the function, interrupted after its end, so that its result is lost."""

    def interrupted(*arguments: Any, **named: Any) -> Any:
        result = function(*arguments, **named)
        once()
        return result

    return interrupted


class TrickyFile:
    """An open file whose calls can be replaced; everything else is the file's."""

    def __init__(self, file: File) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        """Give what the file has."""
        return getattr(self._file, name)


def tricky_log(database: lsm.Database) -> TrickyFile:
    """Put a tricky file in the place of the live log's, and return it."""
    log = database._core.live_log
    tricky = TrickyFile(log.file)
    log.file = cast("File", tricky)
    return tricky


def interrupt_write(database: lsm.Database, share: float) -> Once:
    """Interrupt the next write to the live log after this share of its bytes: 0 before it, 1 when all is written."""
    tricky, once = tricky_log(database), Once()
    write: Callable[[int, bytes], int] = tricky.write_at

    def write_at(offset: int, data: bytes) -> int:
        if not once.fired:
            part = data[: int(len(data) * share)]
            if part:
                write(offset, part)
            once()
        return write(offset, data)

    setattr(tricky, "write_at", write_at)  # noqa: B010  # the attribute is the file's
    return once


class Interrupter:
    """Raises at the place with a number; counts the places that it has seen."""

    def __init__(self, number: int) -> None:
        self._number = number
        self.count = 0

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        """Count a place, and raise if it is the one."""
        name = frame.f_code.co_filename
        if event not in {"call", "c_return"} or not name.startswith(ENGINE) or name.startswith(DOUBLES):
            return
        self.count += 1
        if self.count == self._number:
            sys.setprofile(None)
            raise Interruption
