"""Page tokens: a place in the order of a query's rows, as text that a program hands out and takes back.

Owns the form of a token. It names a place between rows by the key of the row before it, so it stays right while rows
come and go, knows nulls from values, and works in any process that knows the same query.

    token   = base64url, without padding, of: version payload seal
    version = 01
    payload = msgpack array: fingerprint (8 bytes), [term name, ...], [part of the key, ...]
    seal    = 16 bytes: keyed BLAKE2b of version and payload; without a token key nothing

A term name is the value's text with "-" before a descending one, and "<" or ">" behind one whose nulls were placed
first or last. A seal shows that this program gave the token out; it does not hide what is inside. Pure functions.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Final, NamedTuple

import msgspec

from docs_layer.errors import InvalidTokenError

_VERSION: Final = b"\x01"
_SEAL_BYTES: Final = 16
_FINGERPRINT_BYTES: Final = 8
_TOKEN_LIMIT: Final = 1 << 16
_Payload = tuple[bytes, list[str], list[bytes]]
_decode: Final = msgspec.msgpack.Decoder(_Payload).decode
_encode: Final = msgspec.msgpack.Encoder().encode


class Place(NamedTuple):
    """What a token says: of which query, in which order, behind or before which key."""

    fingerprint: bytes
    terms: tuple[str, ...]
    parts: tuple[bytes, ...]


def fingerprint(text: str) -> bytes:
    """Return the mark of a query from its canonical text."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_FINGERPRINT_BYTES).digest()


def encode_token(place: Place, key: bytes | None) -> str:
    """Return the token of a place.

    Args:
        place: The place.
        key: Seals the token; None for tokens without a seal.
    """
    body = _VERSION + _encode((place.fingerprint, place.terms, place.parts))
    return base64.urlsafe_b64encode(body + _seal(body, key)).rstrip(b"=").decode()


def decode_token(token: object, key: bytes | None) -> Place:
    """Read a token.

    Raises:
        InvalidTokenError: It is none, was changed, or was sealed with another key.
    """
    if not isinstance(token, str) or len(token) > _TOKEN_LIMIT:
        raise InvalidTokenError("this is no page token")
    try:
        sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidTokenError("this is no page token") from error
    size = len(sealed) - (_SEAL_BYTES if key is not None else 0)
    body, seal = sealed[: max(size, 0)], sealed[max(size, 0) :]
    if key is not None and not hmac.compare_digest(seal, _seal(body, key)):
        raise InvalidTokenError("the page token was changed, or was not given out by this program")
    if body[:1] != _VERSION:
        raise InvalidTokenError("the page token has a form that this release does not know")
    try:
        mark, terms, parts = _decode(body[1:])
    except msgspec.MsgspecError as error:
        raise InvalidTokenError("this is no page token") from error
    if len(terms) != len(parts):
        raise InvalidTokenError("this is no page token")
    return Place(mark, tuple(terms), tuple(parts))


def _seal(body: bytes, key: bytes | None) -> bytes:
    if key is None:
        return b""
    return hashlib.blake2b(body, digest_size=_SEAL_BYTES, key=hashlib.blake2b(key).digest()[:64]).digest()
