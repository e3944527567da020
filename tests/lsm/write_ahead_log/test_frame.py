"""Frames: valid in one place of one log, and nowhere else."""

from hypothesis import given
from hypothesis import strategies as st

from lsm.write_ahead_log.frame import HEADER_BYTES, FrameHeader, body_is_valid, encode_frame, parse_header

NUMBERS = st.integers(0, (1 << 64) - 1)
OFFSETS = st.integers(0, 1 << 40)


@given(NUMBERS, OFFSETS, NUMBERS, st.integers(0, (1 << 32) - 1), st.tuples(NUMBERS, NUMBERS), st.binary(max_size=50))
def test_a_frame_survives(
    identity: int, offset: int, first: int, count: int, durable: tuple[int, int], body: bytes
) -> None:
    """All fields, at any place."""
    frame = encode_frame(identity, offset, first, count, durable, body)
    header = parse_header(frame, identity, offset)

    assert header is not None
    assert header == FrameHeader(identity, len(body), first, count, 0, *durable, header.body_crc)
    assert frame[HEADER_BYTES:] == body
    assert body_is_valid(header, body, identity, offset)


@given(st.integers(1, 1 << 63), OFFSETS, OFFSETS)
def test_a_moved_frame_is_noticed(identity: int, offset: int, other: int) -> None:
    """The same bytes at another offset are no frame, neither the header nor the body."""
    frame = encode_frame(identity, offset, 1, 1, (0, 0), b"body")
    header = parse_header(frame, identity, offset)
    assert header is not None

    assert (parse_header(frame, identity, other) is not None) == (offset == other)
    assert body_is_valid(header, b"body", identity, other) == (offset == other)


def test_a_frame_of_another_log_is_noticed() -> None:
    """By the marker; and by the body's checksum, should the marker have been changed to fit."""
    for body in (b"body", b""):
        frame = encode_frame(1, 84, 1, 1, (0, 0), body)
        forged = parse_header((2).to_bytes(8, "little") + frame[8:], 2, 84)
        assert parse_header(frame, 2, 84) is None
        assert forged is None or not body_is_valid(forged, body, 2, 84)


def test_every_flipped_bit_is_noticed() -> None:
    """In the header by the header's checksum, in the body by the body's."""
    body = b"some body"
    frame = encode_frame(77, 84, 1, 1, (3, 4), body)
    for place in range(8 * len(frame)):
        flipped = bytearray(frame)
        flipped[place // 8] ^= 1 << place % 8
        header = parse_header(bytes(flipped), 77, 84)
        if place // 8 < HEADER_BYTES:
            assert header is None
        else:
            assert header is not None
            assert not body_is_valid(header, bytes(flipped[HEADER_BYTES:]), 77, 84)


def test_a_part_of_a_header_is_none() -> None:
    """However much of it is there."""
    frame = encode_frame(77, 84, 1, 0, (0, 0), b"")

    assert [parse_header(frame[:size], 77, 84) for size in range(HEADER_BYTES)] == [None] * HEADER_BYTES
