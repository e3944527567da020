"""The truth in the plainest form: a dictionary, and the statements that change it."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

State = Mapping[bytes, bytes]

COUNTER = b"(transactions)"
"""A counter to which every transaction adds one; a state shows it among the keys, but it is none."""


class Put(NamedTuple):
    """Set a key."""

    key: bytes
    value: bytes


class Delete(NamedTuple):
    """Remove a key, whether it is there or not."""

    key: bytes


class DeleteRange(NamedTuple):
    """Remove all keys in [start, stop)."""

    start: bytes
    stop: bytes


class Count(NamedTuple):
    """Add one to a counter, which the model shows as a key with a decimal value."""

    key: bytes


Statement = Put | Delete | DeleteRange | Count


def after(state: State, statements: Iterable[Statement]) -> dict[bytes, bytes]:
    """Return the state after the statements, in their order."""
    result = dict(state)
    for statement in statements:
        if isinstance(statement, Put):
            result[statement.key] = statement.value
        elif isinstance(statement, Delete):
            result.pop(statement.key, None)
        elif isinstance(statement, Count):
            result[statement.key] = b"%d" % (int(result.get(statement.key, b"0")) + 1)
        else:
            for key in [key for key in result if statement.start <= key < statement.stop and key != COUNTER]:
                del result[key]
    return result
