r"""The header of a log file: who it is, and where its predecessor ends.

    log           := header frame*
    header        := magic version flags identity incarnation number predecessor_number predecessor_identity
                     predecessor_end predecessor_last_sequence predecessor_entry_count crc
    magic         := "LDBWAL\r\n"   8 bytes; the line end shows a file that was translated as text
    version       := u32  format of header and frames, 1
    flags         := u32  bit 0: the predecessor was durable up to its end when this header was written
    identity      := u64  random; in every frame and salt of this log
    incarnation   := u64  random; drawn by the recovery in whose time the log was made
    number        := u64  the number in the file's name
    predecessor_* := u64 each; all 0 in the first log of a database, but for the last sequence where a repair made its
                     tables. The predecessor's frames count up to predecessor_end, whatever stands behind it
    crc           := u32  CRC-32C of what precedes

All integers little-endian; 84 bytes. That header, not a truncation, says where the predecessor ends: no log is ever
changed once it has a successor. Of two logs that name the same predecessor the higher number counts.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from lsm.checksum import checksum
from lsm.errors import CorruptionError, FormatError

FORMAT_VERSION = 1
_MAGIC = b"LDBWAL\r\n"
_FIELDS = struct.Struct("<8sIIQQQQQQQQ")
_CRC = struct.Struct("<I")
LOG_HEADER_BYTES = _FIELDS.size + _CRC.size
IDENTITY_OFFSET = 16
_PREDECESSOR_DURABLE = 1


class LogHeader(NamedTuple):
    """The fields of a log's header."""

    identity: int
    incarnation: int
    number: int
    predecessor_number: int = 0
    predecessor_identity: int = 0
    predecessor_end: int = 0
    predecessor_last_sequence: int = 0
    predecessor_entry_count: int = 0
    predecessor_durable: bool = False


def encode_log_header(header: LogHeader) -> bytes:
    """Return the bytes of the header."""
    flags = _PREDECESSOR_DURABLE if header.predecessor_durable else 0
    data = _FIELDS.pack(_MAGIC, FORMAT_VERSION, flags, *header[:8])
    return data + _CRC.pack(checksum(data))


def parse_log_header(data: bytes, path: str) -> LogHeader:
    """Return the header that `data` begins with.

    Raises `CorruptionError` when it is not one, `FormatError` when a newer version wrote it.
    """
    if len(data) < LOG_HEADER_BYTES:
        raise CorruptionError(path, len(data), f"log header ends after {len(data)} of {LOG_HEADER_BYTES} bytes")
    fields = _FIELDS.unpack_from(data)
    if fields[0] != _MAGIC:
        raise CorruptionError(path, 0, "not a write-ahead log (wrong magic)")
    if _CRC.unpack_from(data, _FIELDS.size)[0] != checksum(data[: _FIELDS.size]):
        raise CorruptionError(path, _FIELDS.size, "checksum of the log header does not match")
    if fields[1] > FORMAT_VERSION:
        raise FormatError(path, fields[1], FORMAT_VERSION)
    return LogHeader(*fields[3:])._replace(predecessor_durable=bool(fields[2] & _PREDECESSOR_DURABLE))
