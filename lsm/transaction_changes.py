"""What a transaction wants to write, and how that becomes a batch at its commit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from lsm.keys import decode_integer, encode_integer, log_position
from lsm.runs import Value
from lsm.write_batch import WriteBatch


class Puts:
    """Set internal keys or, with a value of None, delete them, in order. Grows until another kind of change comes."""

    __slots__ = ("keys", "values")

    def __init__(self) -> None:
        self.keys: list[bytes] = []
        self.values: list[Value] = []


class DeleteRange(NamedTuple):
    """Delete the internal keys of [start, stop)."""

    start: bytes
    stop: bytes


class Add(NamedTuple):
    """Add to the counter with this internal key."""

    key: bytes
    delta: int


class Append(NamedTuple):
    """Append to the log whose entries begin with this prefix."""

    prefix: bytes
    value: bytes


Change: TypeAlias = Puts | DeleteRange | Add | Append


def resolve_changes(changes: Sequence[Change], first_sequence: int, lookup: Callable[[bytes], Value]) -> WriteBatch:
    """Return the batch that has the effect of the changes, given the values before it.

    Additions become puts of the sum; appends get the position (first sequence of the commit, place in it). Raises
    `InvalidArgumentError` when a counter leaves 64 bits.
    """
    batch = WriteBatch()
    sums: dict[bytes, int] = {}
    deleted: list[DeleteRange] = []
    for change in changes:
        match change:
            case Puts():
                batch.add_many(change.keys, change.values)
            case DeleteRange(start, stop):
                batch.add_range(start, stop)
                deleted.append(change)
                sums = {key: total for key, total in sums.items() if not start <= key < stop}
            case Add(key, delta):
                if key not in sums:
                    gone = any(start <= key < stop for start, stop in deleted)
                    sums[key] = 0 if gone else decode_integer(lookup(key))
                sums[key] += delta
                batch.add(key, encode_integer(sums[key]))
            case Append(prefix, value):
                batch.add(prefix + log_position(first_sequence, len(batch)), value)
    return batch
