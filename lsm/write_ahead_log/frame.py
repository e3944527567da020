"""One frame of the write-ahead log: an indivisible commit with its place, its sequence numbers and a promise.

    frame            := header body
    header           := marker body_length first_sequence entry_count flags durable_log durable_offset
                        body_crc header_crc
    marker           := u64  identity of the log; finds frames in damaged bytes
    body_length      := u64  bytes
    first_sequence   := u64  of the first entry; an empty frame names the one that comes next
    entry_count      := u32
    flags            := u32  bits 0-15 must be understood; bits 16-31 may be skipped by a reader that does not know them
    durable_log      := u64  number of a log, and
    durable_offset   := u64  an offset in it: all before this place was on the disk when the frame was written
    body_crc         := u32  CRC-32C of the body, salted by the place of the frame
    header_crc       := u32  CRC-32C of the 52 bytes before it, salted by the place of the frame
    body             := see `lsm.write_batch`

All integers little-endian; the header is 56 bytes.

The two checksums serve different ends: with the header's alone, and the marker, every frame in a damaged file is found
in one pass, which is what telling a torn tail from corruption needs.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from lsm.checksum import checksum, extend, place_salt

_FIELDS = struct.Struct("<QQQIIQQI")
_CRC = struct.Struct("<I")
HEADER_BYTES = _FIELDS.size + _CRC.size
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
    """Return the bytes of a frame that will stand at `offset` of the log with this identity. About 0.8 µs."""
    salt = place_salt(identity, offset)
    header = _FIELDS.pack(
        identity, len(body), first_sequence, entry_count, 0, durable[0], durable[1], extend(salt, body)
    )
    return b"".join((header, _CRC.pack(extend(salt, header)), body))


def parse_header(data: bytes, identity: int, offset: int) -> FrameHeader | None:
    """Return the header whose bytes `data` begins with, if it is a valid one for this place; otherwise None."""
    if len(data) < HEADER_BYTES:
        return None
    fields = _FIELDS.unpack_from(data)
    if fields[0] != identity:
        return None
    if _CRC.unpack_from(data, _FIELDS.size)[0] != checksum(data[: _FIELDS.size], place_salt(identity, offset)):
        return None
    return FrameHeader(*fields)


def body_is_valid(header: FrameHeader, body: bytes, identity: int, offset: int) -> bool:
    """Tell whether `body` is the one that was written with this header at `offset`."""
    return len(body) == header.body_length and checksum(body, place_salt(identity, offset)) == header.body_crc


def marker_bytes(identity: int) -> bytes:
    """Return the bytes with which each frame of the log begins."""
    return struct.pack("<Q", identity)
