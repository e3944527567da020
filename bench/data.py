"""Keys and values: 16 bytes and 100 bytes, the same for every engine, and half compressible as real values are."""

import random
from collections.abc import Iterator

VALUE_BYTES = 100
_POOL_BYTES = 1 << 20


def key(number: int) -> bytes:
    """Return the key of a number; keys are ordered as the numbers are."""
    return b"%016d" % number


def missing_key(number: int) -> bytes:
    """Return a key that is never stored, and lies right behind the one of the number."""
    return b"%016d." % number


def shuffled(count: int, seed: int) -> list[int]:
    """Return the numbers below `count` in a random order that depends on the seed only."""
    numbers = list(range(count))
    random.Random(seed).shuffle(numbers)
    return numbers


def values(seed: int = 1) -> Iterator[bytes]:
    """Yield values for ever: 50 random bytes, twice."""
    pool = random.Random(seed).randbytes(_POOL_BYTES)
    half = VALUE_BYTES // 2
    while True:
        for start in range(0, _POOL_BYTES - half, half):
            yield pool[start : start + half] * 2
