"""Compression of table blocks: none, LZ4 or Zstandard. Owns the codes of the methods on disk.

A block that does not get smaller by at least an eighth is stored as it is, so that reading it costs nothing. The size
before compression is stored beside the block and checked, so a damaged block never asks for more memory than it says,
and never more than `MAXIMUM_CONTENT_BYTES`.

A `Compressor` belongs to one thread; a `Decompressor` may be used by any number.
"""

from __future__ import annotations

import enum
from typing import Final

import lz4.block
import zstandard

from lsm.errors import CorruptionError
from lsm.options import KIB, MAXIMUM_VALUE_BYTES, MIB, Compression

MAXIMUM_CONTENT_BYTES: Final = MAXIMUM_VALUE_BYTES + 64 * MIB
"""No block is larger than this before compression: one value of the greatest length and its key, with room."""

ZSTANDARD_LEVEL: Final = 3
"""Measured on 8 KiB blocks of rows: level 1 makes files up to one point of a hundred larger and is written at most a
tenth faster; level 5 saves up to a point and a half, and writing takes up to two fifths longer."""

_LZ4_GREATEST_RATIO: Final = 255
_ZSTANDARD_PIECE_BYTES: Final = 128 * KIB
_ZSTANDARD_LEAST_PIECE_BYTES: Final = 4
"""A Zstandard frame is made of pieces of at most 128 KiB, each of which takes four bytes at least."""


class Method(enum.IntEnum):
    """How a block is stored. The numbers are on disk: never changed, never used again."""

    NONE = 0
    LZ4 = 1
    ZSTANDARD = 2


class Compressor:
    """Compresses blocks by the method of one option value."""

    def __init__(self, compression: Compression) -> None:
        self._compression = compression
        self._zstandard = zstandard.ZstdCompressor(level=ZSTANDARD_LEVEL) if compression == "zstd" else None

    def compress(self, content: bytes) -> tuple[Method, bytes]:
        """Return the method that was used and the bytes to store."""
        if self._compression == "none":
            return Method.NONE, content
        if self._zstandard is not None:
            method, stored = Method.ZSTANDARD, self._zstandard.compress(content)
        else:
            method, stored = Method.LZ4, lz4.block.compress(content, store_size=False)
        if len(stored) > len(content) - len(content) // 8:
            return Method.NONE, content
        return method, stored


class Decompressor:
    """Undoes what any `Compressor` did. Zstandard contexts are costly to make (9 us) and are kept for the next call."""

    def __init__(self) -> None:
        # Taking from and adding to a list is atomic, so each context is with one thread at a time.
        self._idle: list[zstandard.ZstdDecompressor] = []

    def decompress(self, method: int, stored: bytes, size_bytes: int, path: str, offset: int) -> bytes:
        """Return the content, which must be `size_bytes` long.

        `path` and `offset` name the block for the `CorruptionError` that is raised for an unknown method, an impossible
        size, or bytes that the method did not produce.
        """
        if size_bytes > MAXIMUM_CONTENT_BYTES:
            raise CorruptionError(path, offset, f"block: impossible size of {size_bytes} bytes")
        if method == Method.NONE:
            content = stored
        elif method == Method.LZ4:
            content = _decompress_lz4(stored, size_bytes, path, offset)
        elif method == Method.ZSTANDARD:
            content = self._decompress_zstandard(stored, size_bytes, path, offset)
        else:
            raise CorruptionError(path, offset, f"block: unknown compression method {method}")
        if len(content) != size_bytes:
            raise CorruptionError(path, offset, f"block: {len(content)} bytes where {size_bytes} were stored")
        return content

    def _decompress_zstandard(self, stored: bytes, size_bytes: int, path: str, offset: int) -> bytes:
        try:
            context = self._idle.pop()
        except IndexError:
            context = zstandard.ZstdDecompressor()
        try:
            # The frame's own size decides how much is allocated; the call refuses a frame that says another size.
            if size_bytes > (len(stored) // _ZSTANDARD_LEAST_PIECE_BYTES + 1) * _ZSTANDARD_PIECE_BYTES:
                raise CorruptionError(path, offset, f"block: impossible size of {size_bytes} bytes")
            if zstandard.frame_content_size(stored) != size_bytes:
                raise CorruptionError(path, offset, "block: Zstandard frame of another size")
            return context.decompress(stored, max_output_size=size_bytes)
        except zstandard.ZstdError as error:
            raise CorruptionError(path, offset, f"block: {error}") from error
        finally:
            self._idle.append(context)


def _decompress_lz4(stored: bytes, size_bytes: int, path: str, offset: int) -> bytes:
    if size_bytes > (len(stored) + KIB) * _LZ4_GREATEST_RATIO:
        raise CorruptionError(path, offset, f"block: impossible size of {size_bytes} bytes")
    try:
        content: bytes = lz4.block.decompress(stored, uncompressed_size=size_bytes)
    except lz4.block.LZ4BlockError as error:
        raise CorruptionError(path, offset, f"block: {error}") from error
    return content
