"""What a transaction can ask for, as values; the order of a list of them is the order in which they take effect."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias


class Put(NamedTuple):
    """Set a key, or with None remove it."""

    key: bytes
    value: bytes | None


class DeleteRange(NamedTuple):
    """Remove all keys in [start, stop)."""

    start: bytes
    stop: bytes


class Add(NamedTuple):
    """Add to a counter."""

    name: bytes
    delta: int


class DeleteCounters(NamedTuple):
    """Remove all counters with names in [start, stop)."""

    start: bytes
    stop: bytes


class Append(NamedTuple):
    """Append to a log."""

    log: bytes
    value: bytes


class Trim(NamedTuple):
    """Remove the entries of a log up to and with a position."""

    log: bytes
    position: bytes


class BumpEpoch(NamedTuple):
    """Count one schema change."""


Change: TypeAlias = Put | DeleteRange | Add | DeleteCounters | Append | Trim | BumpEpoch
