"""Changes become one batch: additions as sums, appends with their positions, in the order in which they were made."""

from __future__ import annotations

import pytest

from lsm.errors import InvalidArgumentError
from lsm.keys import encode_integer, log_position
from lsm.transaction_changes import Add, Append, Change, DeleteRange, Puts, resolve_changes

STORED = {b"one": encode_integer(1), b"ten": encode_integer(10)}


def puts(**values: bytes | None) -> Puts:
    """Return a change that puts and deletes."""
    made = Puts()
    made.keys += [name.encode() for name in values]
    made.values += values.values()
    return made


def test_puts_and_deletions_keep_their_order() -> None:
    """Also around range deletions."""
    changes: list[Change] = [puts(a=b"1", b=None), DeleteRange(b"a", b"c"), puts(a=b"2")]
    batch = resolve_changes(changes, 7, STORED.get)

    assert batch.keys == [b"a", b"b", b"a", b"a"]
    assert batch.values == [b"1", None, b"c", b"2"]
    assert batch.ranges == [2]


def test_additions_become_sums() -> None:
    """From what is stored, each time with what was added before."""
    batch = resolve_changes([Add(b"ten", 5), Add(b"new", -2), Add(b"ten", 1)], 1, STORED.get)

    assert batch.keys == [b"ten", b"new", b"ten"]
    assert batch.values == [encode_integer(15), encode_integer(-2), encode_integer(16)]


def test_a_deletion_starts_a_counter_anew() -> None:
    """Whether it comes before the first addition, between two, or does not touch it."""
    changes: list[Change] = [
        Add(b"one", 1),
        DeleteRange(b"o", b"p"),
        Add(b"one", 5),
        DeleteRange(b"t", b"u"),
        Add(b"ten", 7),
        DeleteRange(b"x", b"y"),
        Add(b"ten", 1),
    ]
    batch = resolve_changes(changes, 1, STORED.get)
    sums = [value for place, value in enumerate(batch.values) if place not in batch.ranges]

    assert sums == [encode_integer(number) for number in (2, 5, 7, 8)]


def test_appends_get_places_in_the_commit() -> None:
    """That of the first sequence, and the index among all changes, so that no two are the same."""
    changes: list[Change] = [Append(b"log", b"1"), puts(a=b"1", b=b"2"), Append(b"log", b"2"), Append(b"other", b"3")]
    batch = resolve_changes(changes, 77, STORED.get)

    assert [key for key in batch.keys if len(key) > 1] == [
        b"log" + log_position(77, 0),
        b"log" + log_position(77, 3),
        b"other" + log_position(77, 4),
    ]


def test_a_sum_that_leaves_64_bits() -> None:
    """Only the sum counts that is written, at each step."""
    with pytest.raises(InvalidArgumentError, match="64 bits"):
        resolve_changes([Add(b"a", (1 << 63) - 1), Add(b"a", 1), Add(b"a", -1)], 1, STORED.get)
