"""Keys and values of the benchmarks: sizes, order, and the same ones every time."""

from itertools import islice

from bench.data import VALUE_BYTES, key, missing_key, shuffled, values


def test_keys_are_ordered_and_of_one_size() -> None:
    """Keys are 16 bytes and sort as their numbers; a missing key lies behind its neighbour."""
    assert len(key(7)) == 16
    assert key(9) < missing_key(9) < key(10)


def test_the_order_depends_on_the_seed_only() -> None:
    """Every engine gets the same random order."""
    assert shuffled(100, seed=1) == shuffled(100, seed=1) != shuffled(100, seed=2)
    assert sorted(shuffled(100, seed=1)) == list(range(100))


def test_values_are_half_compressible() -> None:
    """A value is 50 random bytes, twice; neighbours differ."""
    first, second = islice(values(), 2)

    assert len(first) == VALUE_BYTES
    assert first[:50] == first[50:]
    assert first != second
