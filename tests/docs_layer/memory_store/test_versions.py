"""Old versions are kept as long as a view may see them, and no longer."""

from __future__ import annotations

import gc

from docs_layer.memory_store import MemoryStore
from docs_layer.memory_store.versions import VersionedMap


def chain_length(versions: VersionedMap[bytes], key: bytes) -> int:
    """Count the versions of a key."""
    node = versions._chains.get(key)
    length = 0
    while node is not None:
        length += 1
        node = node[2]
    return length


def put(store: MemoryStore, value: bytes | None) -> None:
    """Commit one version of the key, or its deletion."""
    transaction = store.transaction()
    if value is None:
        transaction.delete(b"k")
    else:
        transaction.put(b"k", value)
    transaction.commit()


def test_a_sequence_number_picks_its_version() -> None:
    """Each view sees the newest version that is not newer than itself."""
    versions: VersionedMap[bytes] = VersionedMap()
    versions.apply_locked({b"k": b"1"}, 1)
    versions.apply_locked({b"k": None}, 3)
    versions.apply_locked({b"k": b"5"}, 5)
    assert [versions.at(b"k", sequence) for sequence in range(7)] == [None, b"1", b"1", None, None, b"5", b"5"]
    assert versions.newest_locked(b"k") == (5, b"5")
    assert versions.newest_locked(b"none") == (0, None)


def test_forgetting_keeps_what_the_oldest_view_sees() -> None:
    """Everything below that version goes, also the deletion of a key that nobody sees any more."""
    versions: VersionedMap[bytes] = VersionedMap()
    for sequence in range(1, 6):
        versions.apply_locked({b"k": b"%d" % sequence}, sequence)
    versions.forget_locked(3)
    assert [versions.at(b"k", sequence) for sequence in (3, 4, 5)] == [b"3", b"4", b"5"]
    assert chain_length(versions, b"k") == 3
    versions.apply_locked({b"k": None}, 6)
    versions.forget_locked(6)
    assert versions.keys_locked(b"", b"z") == []
    assert chain_length(versions, b"k") == 0


def test_applying_twice_is_applying_once() -> None:
    """A commit that was interrupted is applied again."""
    versions: VersionedMap[bytes] = VersionedMap()
    versions.apply_locked({b"k": b"1"}, 1)
    for _ in range(2):
        versions.apply_locked({b"k": b"2", b"l": b"2", b"absent": None}, 2)
    assert chain_length(versions, b"k") == 2
    assert versions.keys_locked(b"", b"z") == [b"k", b"l"]


def test_without_views_one_version_stays() -> None:
    """A thousand overwrites cost the memory of one, and a deleted key none."""
    store = MemoryStore()
    for number in range(1000):
        put(store, b"%d" % number)
    put(store, b"last")
    assert chain_length(store._state.entries, b"k") <= 2
    put(store, None)
    put(store, None)
    transaction = store.transaction()
    transaction.put(b"other", b"")
    transaction.commit()
    assert store.estimate(b"", b"z").entries == 1
    store.close()


def test_a_view_that_was_forgotten_keeps_nothing() -> None:
    """Closing is not the only way to let go: an open snapshot and an open transaction may be collected."""
    store = MemoryStore()
    put(store, b"first")
    views: list[object] = [store.snapshot(), store.transaction(), store.transaction().unvalidated]
    for number in range(10):
        put(store, b"%d" % number)
    assert chain_length(store._state.entries, b"k") > 2
    views.clear()
    gc.collect()
    put(store, b"a")
    put(store, b"b")
    assert chain_length(store._state.entries, b"k") <= 2
    store.close()
