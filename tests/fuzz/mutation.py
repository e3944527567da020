"""Changes of an input without a fuzzing engine: a seeded sequence of the edits that find most."""

from __future__ import annotations

import random
from collections.abc import Sequence

_NUMBERS = [0, 1, 2, 127, 128, 255, 256, 65535, 65536, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 63) - 1]
_NUMBERS += [1 << 63, (1 << 64) - 1]


def mutated(data: bytes, chance: random.Random, others: Sequence[bytes] = ()) -> bytes:
    """Return `data` after one to four edits; `others` give pieces to splice in."""
    content = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        _edit(content, chance, others)
    return bytes(content)


def _edit(content: bytearray, chance: random.Random, others: Sequence[bytes]) -> None:
    place = chance.randrange(len(content) + 1)
    size = chance.choice((1, 1, 2, 4, 8, 16, 64))
    kind = chance.randrange(8)
    if kind <= 1 and place < len(content):
        content[place] ^= 1 << chance.randrange(8)
    elif kind == 2 and place < len(content):
        content[place] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
    elif kind == 3:
        width = chance.choice((1, 2, 4, 8))
        number = chance.choice(_NUMBERS) & ((1 << 8 * width) - 1)
        content[place : place + width] = number.to_bytes(width, chance.choice(("little", "big")))
    elif kind == 4:
        del content[place : place + size]
    elif kind == 5:
        content[place:place] = chance.randbytes(size) if chance.random() < 0.5 else bytes(size)
    elif kind == 6:
        piece = content[place : place + size]
        target = chance.randrange(len(content) + 1)
        content[target : target + len(piece) * chance.randrange(2)] = piece
    elif others:
        other = chance.choice(others)
        start = chance.randrange(len(other) + 1)
        content[place : place + size] = other[start : start + size]
