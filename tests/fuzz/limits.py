"""One input, run within what is promised: errors of our own tree only, no hang, memory in proportion to the input.

Work is counted in calls, not in seconds, so that a slow machine fails nothing. Memory is what Python allocates at most.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NamedTuple

import lsm
from docs_layer import DatabaseError

ALLOWED = (lsm.Error, DatabaseError)
"""What a parser may raise for bytes that are not ours."""


class Limits(NamedTuple):
    """What one run may take: so many calls, and bytes of memory, and more for each byte of the input."""

    calls: int = 20_000
    calls_each_byte: int = 60
    memory_bytes: int = 256 * 1024
    memory_each_byte: int = 120


class TooMuchError(AssertionError):
    """A run took more calls or memory than its input allows."""


Parser = Callable[[bytes], object]


def outcome(parser: Parser, data: bytes) -> str:
    """Run a parser; return "read", or the name of the error of our own tree. Everything else is raised."""
    try:
        parser(data)
    except ALLOWED as error:
        return type(error).__name__
    return "read"


def measured(parser: Parser, data: bytes, limits: Limits) -> str:
    """Run a parser within its limits; return what `outcome` returns. Raises `TooMuchError`."""
    with _counted_calls(limits.calls + limits.calls_each_byte * len(data)):
        found = outcome(parser, data)
    tracemalloc.start()
    try:
        outcome(parser, data)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    if peak_bytes > limits.memory_bytes + limits.memory_each_byte * len(data):
        raise TooMuchError(f"{peak_bytes:,} bytes of memory for {len(data):,} bytes of input")
    return found


@contextmanager
def _counted_calls(limit: int) -> Iterator[None]:
    """Raise `TooMuchError` inside of the block when it makes more than `limit` calls.

    No garbage is collected meanwhile: the finalisers of what other tests left behind are not the parser's calls.
    """
    left = limit

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise TooMuchError(f"more than {limit:,} calls")

    before, collecting = sys.getprofile(), gc.isenabled()
    gc.disable()
    sys.setprofile(count)
    try:
        yield
    finally:
        sys.setprofile(before)
        if collecting:
            gc.enable()
