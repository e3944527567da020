"""What a fuzz target is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tests.fuzz.limits import Limits, Parser


def _as_it_is(data: bytes) -> bytes:
    return data


class Target(NamedTuple):
    """A parser, valid inputs, what gives a changed input right checksums again, and what a run may take."""

    name: str
    parse: Parser
    seeds: Callable[[], Sequence[bytes]]
    sealed: Callable[[bytes], bytes] = _as_it_is
    limits: Limits = Limits()
