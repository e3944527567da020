"""Frames and the footer of a table: every byte of the file is in one of them, under a checksum.

    frame   = stored content-size u32, method u8, checksum u32
    stored  = the content, compressed by the method (numbers in lsm/compression.py)
    checksum  CRC-32C of all before it in the frame, salted with the table's identity and the frame's offset

    footer  = identity 16 bytes, top-index handle, range-tombstones handle, properties handle, zero 12 bytes,
              version u32, checksum u32, magic 8 bytes                                                (80 bytes in all)
    handle  = offset u64, size u32 of a frame with its trailer; size 0: absent
    checksum  CRC-32C of all before it in the footer, salted like that of a frame

The footer is the last thing in the file and has the same size in every version, so a version that is too new is told
from damage. The salt makes a frame that lies at another place, or comes from another table, fail its checksum.

`FrameReader` may be used by any number of threads.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from lsm.checksum import checksum, place_salt
from lsm.compression import Decompressor, Method
from lsm.environment import File
from lsm.errors import CorruptionError, FormatError

FORMAT_VERSION: Final = 1
MAGIC: Final = b"LAYERSST"

_TRAILER: Final = Struct("<IBI")
_TRAILER_HEAD: Final = Struct("<IB")
_CHECKSUM: Final = Struct("<I")
_FOOTER: Final = Struct("<16sQIQIQI12xI")
_FOOTER_END: Final = Struct("<I8s")

TRAILER_BYTES: Final = _TRAILER.size
FOOTER_BYTES: Final = _FOOTER.size + _FOOTER_END.size


class Handle(NamedTuple):
    """Where a frame lies: offset in the file, and size with its trailer, in bytes. Size 0 means that it is absent."""

    offset: int
    size: int


ABSENT: Final = Handle(0, 0)


class Footer(NamedTuple):
    """Where reading begins."""

    identity: int
    top_index: Handle
    range_tombstones: Handle
    properties: Handle


def encode_frame(method: Method, stored: bytes, content_size: int, identity: int, offset: int) -> bytes:
    """Return the bytes of a frame that will lie at `offset` of the table with this `identity`."""
    covered = stored + _TRAILER_HEAD.pack(content_size, method)
    return covered + _CHECKSUM.pack(checksum(covered, place_salt(identity, offset)))


def encode_footer(footer: Footer, offset: int) -> bytes:
    """Return the bytes of a footer that will lie at `offset`."""
    identity = footer.identity.to_bytes(16, "little")
    handles = (*footer.top_index, *footer.range_tombstones, *footer.properties)
    covered = _FOOTER.pack(identity, *handles, FORMAT_VERSION)
    return covered + _FOOTER_END.pack(checksum(covered, place_salt(footer.identity, offset)), MAGIC)


def read_footer(file: File, identity: int | None) -> Footer:
    """Read and check the footer of a table.

    `identity` is the one that the manifest knows, None when there is nothing to compare with. Raises `CorruptionError`
    when the file is no table, is cut or damaged, or is another table; `FormatError` when a newer release wrote it.
    """
    path = file.path
    offset = file.size() - FOOTER_BYTES
    if offset < 0:
        raise CorruptionError(path, 0, f"table: {offset + FOOTER_BYTES} bytes are too few for a table")
    raw = file.read_at(offset, FOOTER_BYTES)
    if len(raw) != FOOTER_BYTES or not raw.endswith(MAGIC):
        raise CorruptionError(path, offset, "table: it does not end with a footer")
    covered = raw[: _FOOTER.size]
    raw_identity, *handles, version = _FOOTER.unpack(covered)
    found = int.from_bytes(raw_identity, "little")
    (stored_checksum, _) = _FOOTER_END.unpack_from(raw, _FOOTER.size)
    if checksum(covered, place_salt(found, offset)) != stored_checksum:
        raise CorruptionError(path, offset, "table: the footer does not match its checksum")
    if version > FORMAT_VERSION:
        raise FormatError(path, version, FORMAT_VERSION)
    if identity is not None and found != identity:
        raise CorruptionError(path, offset, f"table: identity {found:032x} where {identity:032x} belongs")
    footer = Footer(found, Handle(*handles[0:2]), Handle(*handles[2:4]), Handle(*handles[4:6]))
    _check_handles(footer, offset, path)
    return footer


def _check_handles(footer: Footer, end: int, path: str) -> None:
    """Refuse handles that reach beyond the footer, before anything is read by them."""
    for handle in (footer.top_index, footer.range_tombstones, footer.properties):
        if handle.size and (handle.size < TRAILER_BYTES or handle.offset + handle.size > end):
            raise CorruptionError(path, end, f"table: a part of {handle.size} bytes at {handle.offset} is impossible")
    if not footer.properties.size:
        raise CorruptionError(path, end, "table: it has no properties")


class FrameReader:
    """Reads frames of one table."""

    __slots__ = ("_decompressor", "_file", "identity", "path")

    def __init__(self, file: File, identity: int, decompressor: Decompressor) -> None:
        self._file = file
        self._decompressor = decompressor
        self.identity = identity
        self.path = file.path

    def read(self, handle: Handle) -> bytes:
        """Return the content of the frame there; raise `CorruptionError` when it is cut or damaged."""
        return self.open(self.read_raw(handle.offset, handle.size), handle.offset)

    def read_raw(self, offset: int, size: int) -> bytes:
        """Return `size` bytes at `offset`, which may be several frames; raise `CorruptionError` when the file ends."""
        raw = self._file.read_at(offset, size)
        if len(raw) != size:
            raise CorruptionError(self.path, offset, f"table: the file ends {size - len(raw)} bytes too early")
        return raw

    def open(self, raw: bytes, offset: int) -> bytes:
        """Return the content of the frame `raw`, which was read at `offset`; raise `CorruptionError`."""
        end = len(raw) - TRAILER_BYTES
        if end < 0:
            raise CorruptionError(self.path, offset, "block: shorter than its trailer")
        content_size, method, stored_checksum = _TRAILER.unpack_from(raw, end)
        if checksum(raw[: -_CHECKSUM.size], place_salt(self.identity, offset)) != stored_checksum:
            raise CorruptionError(self.path, offset, "block: it does not match its checksum")
        return self._decompressor.decompress(method, raw[:end], content_size, self.path, offset)
