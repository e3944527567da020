"""Frames of the write-ahead log on their way back: the header is checked and read. Writing them is the kernel's.

The grammar stands in `lsm/kernel/log_frames.py`.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from lsm.checksum import checksum, place_salt
from lsm.kernel import kernel
from lsm.kernel.log_frames import CHECKSUM, FIELDS

HEADER_BYTES = FIELDS.size + CHECKSUM.size
KNOWN_FLAGS = 0
SKIPPABLE_FLAGS = 0xFFFF0000


class FrameHeader(NamedTuple):
    """The fields of a frame's header, without the checksum over them."""

    marker: int
    body_length: int
    first_sequence: int
    entry_count: int
    flags: int
    durable_log: int
    durable_offset: int
    body_crc: int


def encode_frame(
    identity: int, offset: int, first_sequence: int, entry_count: int, durable: tuple[int, int], body: bytes
) -> bytes:
    """Return the bytes of a frame that will stand at `offset` of the log with this identity."""
    return kernel().encode_frame(identity, offset, first_sequence, entry_count, durable, body)


def parse_header(data: bytes, identity: int, offset: int) -> FrameHeader | None:
    """Return the header whose bytes `data` begins with, if it is a valid one for this place; otherwise None."""
    if len(data) < HEADER_BYTES:
        return None
    fields = FIELDS.unpack_from(data)
    if fields[0] != identity:
        return None
    if CHECKSUM.unpack_from(data, FIELDS.size)[0] != checksum(data[: FIELDS.size], place_salt(identity, offset)):
        return None
    return FrameHeader(*fields)


def body_is_valid(header: FrameHeader, body: bytes, identity: int, offset: int) -> bool:
    """Tell whether `body` is the one that was written with this header at `offset`."""
    return len(body) == header.body_length and checksum(body, place_salt(identity, offset)) == header.body_crc


def marker_bytes(identity: int) -> bytes:
    """Return the bytes with which each frame of the log begins."""
    return struct.pack("<Q", identity)
