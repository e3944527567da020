"""Ranges of keys: what to scan for an equality, for a comparison and for a beginning of text.

Owns the arithmetic of bounds. Invariant: a range holds exactly the keys it is named for, whatever components follow
and whatever NUL bytes their strings hold; so never `startswith` on keys, always these functions. Pure functions.

The keys that begin with the components p, and go on, are exactly [p 01, p FF): behind them comes a type code (10..EF)
or the end marker 01, while a longer string that begins like the last one of p goes on with FF (ascending) or 00
(descending).
"""

from __future__ import annotations

from typing import Any, Final

from docs_layer.key_encoding.codes import END_MARKER, INVERTED, NULL_BYTES, OPEN_ENDED_KINDS
from docs_layer.key_encoding.encoders import component_encoder, encode_str

_BEHIND: Final = b"\xff"


def entries_with(prefix: bytes) -> tuple[bytes, bytes]:
    """Give the range of all longer keys that begin with these whole components (the key `prefix` itself is outside)."""
    return prefix + END_MARKER, prefix + _BEHIND


def successor(prefix: bytes) -> bytes:
    """Give the least bytes greater than everything that begins with `prefix`. Raises `ValueError` if there are none."""
    kept = prefix.rstrip(b"\xff")
    if not kept:
        raise ValueError(f"nothing is greater than every key that begins with {prefix!r}")
    return kept[:-1] + bytes([kept[-1] + 1])


def range_bounds(
    prefix: bytes,
    low: Any | None,
    low_inclusive: bool,
    high: Any | None,
    high_inclusive: bool,
    kind: str,
    descending: bool = False,
) -> tuple[bytes, bytes]:
    """Give the range of keys whose next component lies between two values.

    Arguments: `prefix`, the components before it; `low` and `high`, values in the order of the kind, None for no
    bound; `kind` and `descending` of the component. Nulls are never inside: they are lower than every value, and a
    comparison with them is false.
    Result: start and stop for a scan; start is not below stop when nothing can lie between. Whole keys that end with
    the component are found as well as longer ones.
    Errors: `UnencodableError` for a bound that the kind does not hold, `ValueError` for an unknown kind.
    """
    encode = component_encoder(kind, descending)
    # A longer string sorts before a descending one that it begins with, so there the component's own keys begin at 01.
    before = END_MARKER if descending and kind in OPEN_ENDED_KINDS else b""
    if descending:
        start = prefix + END_MARKER if high is None else _edge(prefix, encode(high), before, high_inclusive)
        null = NULL_BYTES.translate(INVERTED)
        stop = prefix + null if low is None else _edge(prefix, encode(low), before, not low_inclusive)
    else:
        start = _edge(prefix, NULL_BYTES if low is None else encode(low), before, low is not None and low_inclusive)
        stop = prefix + _BEHIND if high is None else _edge(prefix, encode(high), before, not high_inclusive)
    return start, stop


def _edge(prefix: bytes, component: bytes, before: bytes, is_before: bool) -> bytes:
    """Give the bound just before, or just behind, all keys that have this component."""
    return prefix + component + (before if is_before else _BEHIND)


def null_bounds(prefix: bytes, descending: bool = False) -> tuple[bytes, bytes]:
    """Give the range of keys whose next component is null."""
    null = NULL_BYTES.translate(INVERTED) if descending else NULL_BYTES
    return prefix + null, prefix + null + _BEHIND


def starts_with_bounds(prefix: bytes, text: str, descending: bool = False) -> tuple[bytes, bytes]:
    """Give the range of keys whose next component is a string that begins with `text` (of kind "str" or "any").

    Errors: `UnencodableError` for lone surrogates.
    """
    beginning = encode_str(text)[:-1]
    if descending:
        beginning = beginning.translate(INVERTED)
    start = prefix + beginning
    return start, successor(start)
