"""The block cache: bounded, second chance for what is used, nothing left of what was dropped."""

import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsm.block_cache import BlockCache
from lsm.testing import SimulatedEnvironment

CHARGE = 750
"""With the overhead of an entry this makes 1000 bytes."""


def new_cache(entry_count: int) -> BlockCache:
    """Return a cache for this many entries of `CHARGE`."""
    return BlockCache(entry_count * 1000, SimulatedEnvironment().lock())


def test_what_was_put_is_found() -> None:
    """A hit returns the very object; another offset and another table miss; both are counted."""
    cache = new_cache(10)
    table, other = cache.table(), cache.table()
    content = object()
    cache.put(table, 0, content, CHARGE)

    assert cache.get(table, 0) is content
    assert cache.get(table, 1) is None
    assert cache.get(other, 0) is None
    assert (cache.hits, cache.misses, cache.used_bytes, cache.entry_count) == (1, 2, 1000, 1)


def test_the_oldest_unused_entry_goes_first() -> None:
    """What was used since the hand came by stays, what was not goes, in the order of arrival."""
    cache = new_cache(5)
    table = cache.table()
    for offset in range(5):
        cache.put(table, offset, offset, CHARGE)
    cache.get(table, 0)

    cache.put(table, 5, 5, CHARGE)
    cache.put(table, 6, 6, CHARGE)

    assert sorted(table.entries) == [0, 3, 4, 5, 6]


def test_a_second_chance_is_given_once() -> None:
    """An entry that is never used again after its mark was taken goes at the next pass."""
    cache = new_cache(4)
    table = cache.table()
    for offset in range(4):
        cache.put(table, offset, offset, CHARGE)
    cache.get(table, 0)

    for offset in range(10, 17):
        cache.put(table, offset, offset, CHARGE)

    assert sorted(table.entries) == [13, 14, 15, 16]


def test_an_object_that_is_there_stays() -> None:
    """Two threads that read the same block at once end with one object, charged once."""
    cache = new_cache(10)
    table = cache.table()
    cache.put(table, 0, "first", CHARGE)
    cache.put(table, 0, "second", CHARGE)

    assert cache.get(table, 0) == "first"
    assert cache.used_bytes == 1000


@pytest.mark.parametrize("capacity_bytes", [0, 1, 3999])
def test_an_object_too_large_is_not_cached(capacity_bytes: int) -> None:
    """More than a quarter of the capacity would push out too much, and a capacity of 0 caches nothing."""
    cache = BlockCache(capacity_bytes, SimulatedEnvironment().lock())
    table = cache.table()
    cache.put(table, 0, "large", CHARGE)

    assert cache.get(table, 0) is None
    assert cache.used_bytes == 0


def test_dropping_a_table_frees_its_bytes() -> None:
    """Nothing of the table is left, nothing of another is touched, and nothing comes back by a late reader."""
    cache = new_cache(10)
    table, other = cache.table(), cache.table()
    cache.put(table, 0, 0, CHARGE)
    cache.put(other, 0, 0, CHARGE)
    cache.drop(table)
    cache.put(table, 1, 1, CHARGE)

    assert (cache.get(table, 0), cache.get(table, 1), cache.get(other, 0)) == (None, None, 0)
    assert cache.used_bytes == 1000


def test_entries_of_a_forgotten_table_go_first() -> None:
    """The hand takes what belongs to a table that nobody reads any more, even if it was used."""
    cache = new_cache(4)
    table, other = cache.table(), cache.table()
    cache.put(table, 0, 0, CHARGE)
    cache.get(table, 0)
    for offset in range(3):
        cache.put(other, offset, offset, CHARGE)
    table.dropped = True

    cache.put(other, 3, 3, CHARGE)

    assert not table.entries
    assert sorted(other.entries) == [0, 1, 2, 3]


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["put", "get", "drop"]), st.integers(0, 2), st.integers(0, 6), st.integers(0, 2500)),
        max_size=80,
    )
)
def test_the_invariants_hold_after_every_step(steps: list[tuple[str, int, int, int]]) -> None:
    """The bytes are those of the entries and within the capacity; what is found is what was put there."""
    cache = BlockCache(10_000, SimulatedEnvironment().lock())
    tables = [cache.table() for _ in range(3)]
    for action, number, offset, charge_bytes in steps:
        table = tables[number]
        if action == "put":
            cache.put(table, offset, (number, offset), charge_bytes)
        elif action == "get":
            assert cache.get(table, offset) in {None, (number, offset)}
        else:
            cache.drop(table)
            tables[number] = cache.table()
        entries = [entry for one in tables for entry in one.entries.values()]
        assert cache.used_bytes == sum(entry.charge_bytes for entry in entries) <= cache.capacity_bytes
        assert cache.entry_count == len(entries)


def test_threads_share_a_cache() -> None:
    """Threads that put, get and evict at once see only right contents, and the sum is right in the end."""
    cache = new_cache(50)
    tables = [cache.table() for _ in range(4)]
    wrong: list[object] = []

    def work(seed: int) -> None:
        for step in range(3000):
            number, offset = (step * seed) % 4, (step * 7 + seed) % 40
            found = cache.get(tables[number], offset)
            if found is None:
                cache.put(tables[number], offset, (number, offset), CHARGE)
            elif found != (number, offset):
                wrong.append(found)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(1, 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)

    assert not wrong
    assert cache.used_bytes == cache.entry_count * 1000 == sum(len(table.entries) for table in tables) * 1000
