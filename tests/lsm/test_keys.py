"""The key space: users' keys keep their order and never meet the engine's own."""

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lsm.errors import InvalidArgumentError
from lsm.keys import (
    EPOCH_KEY,
    POSITION_BYTES,
    RESERVED,
    SYSTEM_START,
    checked_value,
    checked_values,
    counter_key,
    counter_name,
    decode_integer,
    encode_integer,
    internal_key,
    internal_keys,
    internal_range,
    log_position,
    log_prefix,
    prefix_end,
    sequence_key,
    user_key,
    user_keys,
)
from lsm.options import MAXIMUM_KEY_BYTES

TRICKY = st.lists(st.sampled_from([b"", b"\x00", b"\x01", b"\x01c", b"a", b"\xfe", b"\xff", b"\xff" * 8]), max_size=4)
KEYS = st.one_of(st.binary(max_size=12), TRICKY.map(b"".join), TRICKY.map(lambda parts: RESERVED + b"".join(parts)))
"""Ordinary keys, and many around the eight FF bytes."""


@given(KEYS, KEYS)
@example(b"\xff" * 8, b"\xff" * 8 + b"\x00")
@example(b"\xff" * 7 + b"\xfe", b"\xff" * 8)
def test_order_and_content_survive(left: bytes, right: bytes) -> None:
    """The internal forms compare as the keys do, give the keys back, and lie below the engine's own."""
    assert (internal_key(left) < internal_key(right)) == (left < right)
    assert user_key(internal_key(left)) == left
    assert internal_key(left) < SYSTEM_START


@given(st.lists(KEYS, min_size=1, unique=True), st.booleans())
def test_lists_are_given_back_in_either_direction(keys: list[bytes], reverse: bool) -> None:
    """`user_keys` looks at both ends of a sorted list, so it must not matter which end has the special ones."""
    ordered = sorted(keys, reverse=reverse)

    assert user_keys([internal_key(key) for key in ordered]) == ordered


@given(KEYS, st.none() | KEYS, st.none() | KEYS, st.none() | KEYS)
def test_ranges_hold_what_they_say(key: bytes, start: bytes | None, stop: bytes | None, prefix: bytes | None) -> None:
    """A key is in the internal range exactly if it is in [start, stop) and has the prefix."""
    low, high = internal_range(start, stop, prefix)
    wanted = (
        (start is None or start <= key) and (stop is None or key < stop) and (prefix is None or key.startswith(prefix))
    )

    assert (low <= internal_key(key) < high) == wanted


@pytest.mark.parametrize("key", [EPOCH_KEY, counter_key(b""), counter_key(b"\xff" * 9), sequence_key(b"x")])
def test_no_range_of_a_user_reaches_the_engines_keys(key: bytes) -> None:
    """Neither everything, nor the highest prefix."""
    for low, high in (internal_range(None, None), internal_range(b"\xff" * 9, None), internal_range(None, None, b"")):
        assert not low <= key < high


@pytest.mark.parametrize(
    ("prefix", "end"),
    [(b"", None), (b"a", b"b"), (b"a\xff", b"b"), (b"a\xff\xff", b"b"), (b"\xff\xff", None), (b"a\xfe\xff", b"a\xff")],
)
def test_prefix_end(prefix: bytes, end: bytes | None) -> None:
    """The first key behind a prefix; none behind FF bytes alone."""
    assert prefix_end(prefix) == end


@given(st.binary(max_size=6), st.binary(max_size=6), st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 32) - 1))
@example(b"a", b"a\x00", 0, 0)
@example(b"a", b"a\x00\x01", 0, 0)
def test_no_log_lies_in_another(name: bytes, other: bytes, sequence: int, index: int) -> None:
    """Whatever the names contain, an entry of one log is in the range of that log alone."""
    entry = log_prefix(name) + log_position(sequence, index)
    end = prefix_end(log_prefix(other))
    assert end is not None

    assert (log_prefix(other) <= entry < end) == (name == other)
    assert len(log_position(sequence, index)) == POSITION_BYTES


@given(
    st.tuples(st.integers(0, 1 << 63), st.integers(0, 1 << 31)), st.tuples(st.integers(0, 1 << 63), st.integers(0, 9))
)
def test_positions_are_ordered_as_commits(left: tuple[int, int], right: tuple[int, int]) -> None:
    """By the commit first, by the place in it second."""
    assert (log_position(*left) < log_position(*right)) == (left < right)


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_counters_survive(value: int) -> None:
    """All 64 bits."""
    assert decode_integer(encode_integer(value)) == value
    assert counter_name(counter_key(b"\x00n")) == b"\x00n"


@pytest.mark.parametrize("value", [1 << 63, -(1 << 63) - 1])
def test_counters_beyond_64_bits_are_refused(value: int) -> None:
    """With the value in the message."""
    with pytest.raises(InvalidArgumentError, match=str(value)):
        encode_integer(value)


def test_an_absent_counter_is_zero() -> None:
    """None is what a look-up gives for it."""
    assert decode_integer(None) == 0


@pytest.mark.parametrize("make", [lambda buffer: buffer, memoryview], ids=["bytearray", "memoryview"])
def test_other_kinds_of_bytes_are_copied(make: Callable[[bytearray], bytes]) -> None:
    """A buffer that is changed afterwards changes nothing."""
    buffer = bytearray(b"abc")
    given_buffer = make(buffer)
    key, value = internal_key(given_buffer), checked_value(given_buffer)
    buffer[0] = 0

    assert (key, value, type(key), type(value)) == (b"abc", b"abc", bytes, bytes)


@pytest.mark.parametrize("wrong", ["text", 7, None, [1]])
def test_what_is_no_bytes_is_refused(wrong: bytes) -> None:
    """By the name of its type, also as a prefix and as a name."""
    kind = type(wrong).__name__
    for call in (internal_key, checked_value, counter_key, log_prefix, sequence_key):
        with pytest.raises(InvalidArgumentError, match=f"must be bytes, not {kind}"):
            call(wrong)
    if wrong is not None:
        with pytest.raises(InvalidArgumentError, match=f"prefix must be bytes, not {kind}"):
            internal_range(None, None, wrong)


def test_the_longest_key() -> None:
    """64 KiB and no byte more, whatever it begins with."""
    for start in (b"a", RESERVED):
        longest = start.ljust(MAXIMUM_KEY_BYTES, b"x")
        assert user_key(internal_key(longest)) == longest
        with pytest.raises(InvalidArgumentError, match="65537 bytes is longer than 65536"):
            internal_key(longest + b"x")
    with pytest.raises(InvalidArgumentError, match="a name of 16385 bytes"):
        counter_key(b"x" * 16385)


@given(st.lists(KEYS))
def test_many_keys_are_mapped_as_one_by_one(keys: list[bytes]) -> None:
    """The short cut for ordinary keys changes nothing; the list given stays as it is."""
    mapped = internal_keys(keys)

    assert mapped == [internal_key(key) for key in keys]
    assert mapped is not keys
    assert checked_values(keys) == keys


@pytest.mark.parametrize("wrong", [["text"], [b"a", 1], [b"a", None], [bytes(MAXIMUM_KEY_BYTES + 1)], [b"a", "b"]])
def test_one_wrong_key_among_many_is_refused(wrong: list[bytes]) -> None:
    """With the same error as alone."""
    with pytest.raises(InvalidArgumentError):
        internal_keys(wrong)
    if not isinstance(wrong[0], bytes) or len(wrong) > 1:
        with pytest.raises(InvalidArgumentError):
            checked_values(wrong)


def test_buffers_among_many_are_copied() -> None:
    """As one by one."""
    buffer = bytearray(b"abc")
    mixed: list[bytes] = [b"a", buffer]  # type: ignore[list-item]  # allowed, though not for type checkers
    keys, values = internal_keys(mixed), checked_values(mixed)
    buffer[0] = 0

    assert keys == values == [b"a", b"abc"]
