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
    body             := see `lsm/kernel/log_entries.py`

All integers little-endian; the header is 56 bytes.

The two checksums serve different ends: with the header's alone, and the marker, every frame in a damaged file is found
in one pass, which is what telling a torn tail from corruption needs.

All functions are pure, so any number of threads may call them.
"""

from __future__ import annotations

import struct
from typing import Final

from lsm.checksum import extend, place_salt
from lsm.kernel.log_entries import encode_entry
from lsm.runs import Value

FIELDS: Final = struct.Struct("<QQQIIQQI")
"""All of the header but its own checksum."""
CHECKSUM: Final = struct.Struct("<I")


def encode_frame(
    identity: int, offset: int, first_sequence: int, entry_count: int, durable: tuple[int, int], body: bytes
) -> bytes:
    """Return the bytes of a frame; see `Kernel.encode_frame`. About 0.8 µs."""
    salt = place_salt(identity, offset)
    header = FIELDS.pack(
        identity, len(body), first_sequence, entry_count, 0, durable[0], durable[1], extend(salt, body)
    )
    return b"".join((header, CHECKSUM.pack(extend(salt, header)), body))


def encode_entry_frame(
    identity: int, offset: int, sequence: int, durable: tuple[int, int], key: bytes, value: Value
) -> bytes:
    """Return the bytes of a frame with one entry; see `Kernel.encode_entry_frame`."""
    return encode_frame(identity, offset, sequence, 1, durable, encode_entry(key, value))
