"""CRC-32C, salted by the place of the bytes: a block or frame that lies where it was not written is noticed.

The salt is the start value of the checksum. It mixes the random identity of the file with the offset, so equal bytes at
another offset, or in another file, do not pass. Identities, not file numbers, are used: a copied file keeps its
identity.
"""

from __future__ import annotations

from collections.abc import Callable

import google_crc32c

_MASK = 0xFFFFFFFF


def place_salt(identity: int, offset: int) -> int:
    """Return the 32-bit start value for bytes at `offset` (bytes) of the file with this `identity` (any integer)."""
    return (identity ^ (identity >> 32) ^ offset ^ (offset >> 32) * 0x9E3779B1) & _MASK


def checksum(data: bytes, salt: int = 0) -> int:
    """Return the CRC-32C of `data` as an unsigned 32-bit integer, started from `salt`."""
    return extend(salt, data)


extend: Callable[[int, bytes], int] = google_crc32c.extend
"""`checksum` with its arguments the other way round and no Python call in between, for the log."""
