"""The key space: which keys belong to users and which to the engine, and what a legal key and value is.

Users may store any key of up to 64 KiB. The engine keeps counters, logs, id sequences and the schema epoch in the same
tree, where no scan of a user can see them:

    internal key := user key                              as it is, unless it begins with eight FF bytes
                  | FF*8 00 rest                          a user key FF*8 rest
                  | FF*8 01 kind name...                  a key of the engine

    kind         := 'c' counter | 'e' schema epoch | 'i' id sequence | 'l' log
    log entry    := FF*8 01 'l' name-escaped 00 01 position
    name-escaped := name with each 00 replaced by 00 FF   so that no log's range contains another's
    position     := sequence number (8 bytes, big-endian) index in its commit (4 bytes, big-endian)

The mapping keeps the order of keys, so ranges map by their ends. Only this module and the public handles know it;
everything below sees plain bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from lsm.errors import InvalidArgumentError
from lsm.options import MAXIMUM_KEY_BYTES, MAXIMUM_VALUE_BYTES

RESERVED = b"\xff" * 8
SYSTEM_START = RESERVED + b"\x01"
"""The first internal key that is not a user's."""
EPOCH_KEY = SYSTEM_START + b"e"
_COUNTER = SYSTEM_START + b"c"
_SEQUENCE = SYSTEM_START + b"i"
_LOG = SYSTEM_START + b"l"
_POSITION = struct.Struct(">QI")
_INTEGER = struct.Struct("<q")
POSITION_BYTES = _POSITION.size


def internal_key(key: bytes) -> bytes:
    """Return the internal form of a user's key; raise `InvalidArgumentError` if it is no legal key.

    Bytes-like objects are accepted and copied. Cost: one comparison for nearly all keys.
    """
    if type(key) is not bytes:
        key = _as_bytes(key, "key")
    if len(key) > MAXIMUM_KEY_BYTES:
        raise InvalidArgumentError(f"a key of {len(key)} bytes is longer than {MAXIMUM_KEY_BYTES}")
    return key if key < RESERVED else RESERVED + b"\x00" + key[8:]


def internal_keys(keys: Sequence[bytes]) -> list[bytes]:
    """Return the internal forms of many keys; errors as `internal_key`. About 0.05 µs a key in nearly all cases."""
    if _all_bytes(keys, MAXIMUM_KEY_BYTES) and max(keys) < RESERVED:
        return list(keys)
    return list(map(internal_key, keys))


def user_key(key: bytes) -> bytes:
    """Return the user's form of an internal key below `SYSTEM_START`."""
    return key if key < RESERVED else RESERVED + key[9:]


def user_keys(keys: list[bytes]) -> list[bytes]:
    """Return the users' forms of a non-empty sorted list (either direction); the list itself in nearly all cases."""
    if keys[0] < RESERVED and keys[-1] < RESERVED:
        return keys
    return [user_key(key) for key in keys]


def described(key: bytes) -> str:
    """Return words for an internal key, for messages: the user's key, or what the engine keeps there."""
    if key < SYSTEM_START:
        return repr(user_key(key))
    if key == SYSTEM_START:
        return "the end"
    if key == EPOCH_KEY:
        return "the schema epoch"
    kinds = {_COUNTER: "counter", _SEQUENCE: "sequence", _LOG: "log"}
    kind = kinds.get(key[: len(_COUNTER)])
    return "keys of the engine" if kind is None else f"{kind} {key[len(_COUNTER) :]!r}"


def checked_value(value: bytes) -> bytes:
    """Return the value as `bytes`; raise `InvalidArgumentError` if it is too large or no bytes-like object."""
    if type(value) is not bytes:
        value = _as_bytes(value, "value")
    if len(value) > MAXIMUM_VALUE_BYTES:
        raise InvalidArgumentError(f"a value of {len(value)} bytes is larger than {MAXIMUM_VALUE_BYTES}")
    return value


def checked_values(values: Sequence[bytes]) -> list[bytes]:
    """Return many values as `checked_value` does each."""
    return list(values) if _all_bytes(values, MAXIMUM_VALUE_BYTES) else list(map(checked_value, values))


def internal_range(start: bytes | None, stop: bytes | None, prefix: bytes | None = None) -> tuple[bytes, bytes]:
    """Return the internal bounds of the user keys in [start, stop) that begin with `prefix`."""
    low = b"" if start is None else internal_key(start)
    high = SYSTEM_START if stop is None else internal_key(stop)
    if prefix is not None:
        if type(prefix) is not bytes:
            prefix = _as_bytes(prefix, "prefix")
        low = max(low, internal_key(prefix))
        end = prefix_end(prefix)
        if end is not None:
            high = min(high, internal_key(end))
    return low, high


def prefix_end(prefix: bytes) -> bytes | None:
    """Return the first key after all keys that begin with `prefix`, or None when there is none."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes((stripped[-1] + 1,)) if stripped else None


def counter_key(name: bytes) -> bytes:
    """Return the internal key of a counter."""
    return _COUNTER + _checked_name(name)


def counter_name(key: bytes) -> bytes:
    """Return the name of the counter with this internal key."""
    return key[len(_COUNTER) :]


def sequence_key(name: bytes) -> bytes:
    """Return the internal key of an id sequence."""
    return _SEQUENCE + _checked_name(name)


def log_prefix(name: bytes) -> bytes:
    """Return what the internal keys of all entries of a log begin with; a position follows it."""
    return _LOG + _checked_name(name).replace(b"\x00", b"\x00\xff") + b"\x00\x01"


def log_position(sequence: int, index: int) -> bytes:
    """Return the position of entry `index` of the commit that begins with sequence number `sequence`."""
    return _POSITION.pack(sequence, index)


def encode_integer(value: int) -> bytes:
    """Return the stored form of a counter; raise `InvalidArgumentError` outside 64 bits."""
    try:
        return _INTEGER.pack(value)
    except struct.error:
        raise InvalidArgumentError(f"counter value {value} does not fit in 64 bits") from None


def decode_integer(data: bytes | None) -> int:
    """Return the value of a stored counter; an absent one is 0."""
    if data is None:
        return 0
    value: int = _INTEGER.unpack(data)[0]
    return value


def _all_bytes(items: Sequence[bytes], longest: int) -> bool:
    """Tell whether there are items, all exactly `bytes` and none longer than allowed; everything else is looked at."""
    return set(map(type, items)) == {bytes} and max(map(len, items)) <= longest


def _checked_name(name: bytes) -> bytes:
    if type(name) is not bytes:
        name = _as_bytes(name, "name")
    if len(name) > MAXIMUM_KEY_BYTES // 4:
        raise InvalidArgumentError(f"a name of {len(name)} bytes is longer than {MAXIMUM_KEY_BYTES // 4}")
    return name


def _as_bytes(value: object, what: str) -> bytes:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    raise InvalidArgumentError(f"a {what} must be bytes, not {type(value).__name__}")
