"""Headers of logs: who they are, and that nothing else passes for one."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsm.checksum import checksum
from lsm.errors import CorruptionError, FormatError
from lsm.write_ahead_log.header import LOG_HEADER_BYTES, LogHeader, encode_log_header, parse_log_header

HEADER = LogHeader(1, 2, 3, 4, 5, 6, 7, 8, predecessor_durable=True)


@given(st.lists(st.integers(0, (1 << 64) - 1), min_size=8, max_size=8), st.booleans())
def test_a_header_survives(numbers: list[int], durable: bool) -> None:
    """All fields."""
    header = LogHeader(*numbers)._replace(predecessor_durable=durable)  # type: ignore[arg-type]  # eight numbers
    encoded = encode_log_header(header)

    assert len(encoded) == LOG_HEADER_BYTES
    assert parse_log_header(encoded + b"frames", "x") == header


def test_every_flipped_bit_is_corruption() -> None:
    """With the file and an offset inside the header."""
    encoded = encode_log_header(HEADER)
    for place in range(8 * len(encoded)):
        flipped = bytearray(encoded)
        flipped[place // 8] ^= 1 << place % 8
        with pytest.raises(CorruptionError) as caught:
            parse_log_header(bytes(flipped), "000003.wal")
        assert caught.value.path == "000003.wal"
        assert 0 <= caught.value.offset < LOG_HEADER_BYTES


@pytest.mark.parametrize("size", [0, 1, LOG_HEADER_BYTES - 1])
def test_a_part_of_a_header_is_corruption(size: int) -> None:
    """At the place where it ends."""
    with pytest.raises(CorruptionError, match=f"ends after {size} of 84 bytes") as caught:
        parse_log_header(encode_log_header(HEADER)[:size], "x")

    assert caught.value.offset == size


def test_a_newer_version_is_told_from_damage() -> None:
    """A whole header of version 2 asks for a newer release."""
    data = bytearray(encode_log_header(HEADER)[:-4])
    struct.pack_into("<I", data, 8, 2)
    with pytest.raises(FormatError) as caught:
        parse_log_header(bytes(data) + struct.pack("<I", checksum(bytes(data))), "000003.wal")

    assert (caught.value.path, caught.value.found, caught.value.supported) == ("000003.wal", 2, 1)
