"""Right checksums for changed bytes, so that a parser is tested behind its checksums too.

Each function takes any bytes and returns bytes of the same length; where nothing can be made of them, as they are.
"""

from __future__ import annotations

import struct

from lsm.checksum import checksum, place_salt
from lsm.compression import Decompressor
from lsm.environment import File
from lsm.errors import CorruptionError
from lsm.kernel import kernel
from lsm.sstable.frame import FOOTER_BYTES, Footer, FrameReader, Handle
from lsm.sstable.index import Partition, parse_index, parse_top_index
from lsm.write_ahead_log.frame import HEADER_BYTES
from lsm.write_ahead_log.header import IDENTITY_OFFSET, LOG_HEADER_BYTES

_WORD = struct.Struct("<I")
_FOOTER = struct.Struct("<16sQIQIQI12xI")


def sealed_text(data: bytes) -> bytes:
    """Give a manifest or CURRENT the right check line."""
    body = data[: max(len(data) - len("crc32c 00000000\n"), 0)]
    return body + b"crc32c %08x\n" % checksum(body)


def sealed_log(data: bytes) -> bytes:
    """Give a log, its header and each frame that follows the one before, right checksums."""
    content = bytearray(data)
    if len(content) < LOG_HEADER_BYTES:
        return data
    _put(content, LOG_HEADER_BYTES - 4, checksum(bytes(content[: LOG_HEADER_BYTES - 4])))
    identity = int.from_bytes(content[IDENTITY_OFFSET : IDENTITY_OFFSET + 8], "little")
    offset = LOG_HEADER_BYTES
    while offset + HEADER_BYTES <= len(content):
        content[offset : offset + 8] = identity.to_bytes(8, "little")
        length = int.from_bytes(content[offset + 8 : offset + 16], "little")
        salt = place_salt(identity, offset)
        body = bytes(content[offset + HEADER_BYTES : offset + HEADER_BYTES + length])
        _put(content, offset + HEADER_BYTES - 8, checksum(body, salt))
        _put(content, offset + HEADER_BYTES - 4, checksum(bytes(content[offset : offset + HEADER_BYTES - 4]), salt))
        offset += HEADER_BYTES + length
    return bytes(content)


def sealed_page(data: bytes) -> bytes:
    """Give both records of SHARED right checksums."""
    content = bytearray(data)
    for offset in (128, 256):
        if len(content) >= offset + 88:
            _put(content, offset + 84, checksum(bytes(content[offset : offset + 84])))
    return bytes(content)


class _Bytes:
    """The part of a file that a frame reader needs."""

    path = "sealed"

    def __init__(self, content: bytearray) -> None:
        self.content = content

    def read_at(self, offset: int, size: int) -> bytes:
        """Return bytes."""
        return bytes(self.content[offset : offset + size])


def sealed_table(data: bytes) -> bytes:
    """Give the parts of a table that can be found from its footer, and the footer, right checksums."""
    content = bytearray(data)
    end = len(content) - FOOTER_BYTES
    if end < 0:
        return data
    raw, *handles, _ = _FOOTER.unpack_from(content, end)
    identity = int.from_bytes(raw, "little")
    footer = Footer(identity, Handle(*handles[0:2]), Handle(*handles[2:4]), Handle(*handles[4:6]))
    for handle in footer[1:]:
        _seal_frame(content, handle, identity, end)
    _put(content, end + _FOOTER.size, checksum(bytes(content[end : end + _FOOTER.size]), place_salt(identity, end)))
    content[-8:] = b"LAYERSST"
    file: File = _Bytes(content)  # type: ignore[assignment]  # only read
    try:
        frames = FrameReader(file, identity, Decompressor())
        top = parse_top_index(kernel(), frames.read(footer.top_index), footer.top_index, "sealed")
    except CorruptionError:
        return bytes(content)
    for partition in top.partitions:
        _seal_partition(content, partition, frames, end)
    return bytes(content)


def _seal_partition(content: bytearray, partition: Partition, frames: FrameReader, end: int) -> None:
    _seal_frame(content, partition.filter_handle, frames.identity, end)
    _seal_frame(content, partition.index_handle, frames.identity, end)
    try:
        index = parse_index(kernel(), frames.read(partition.index_handle), partition, "sealed")
    except CorruptionError:
        return
    for offset, following in zip(index.offsets, index.offsets[1:], strict=False):
        _seal_frame(content, Handle(offset, following - offset), frames.identity, end)


def _seal_frame(content: bytearray, handle: Handle, identity: int, end: int) -> None:
    stop = handle.offset + handle.size
    if handle.size > 4 and stop <= end:
        covered = bytes(content[handle.offset : stop - 4])
        _put(content, stop - 4, checksum(covered, place_salt(identity, handle.offset)))


def _put(content: bytearray, offset: int, value: int) -> None:
    content[offset : offset + 4] = _WORD.pack(value)
