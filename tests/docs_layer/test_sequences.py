"""Automatic ids: unique over handles and threads, in leases that grow, never behind explicit ids."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from docs_layer import Col, Database, Key, MemoryStore, Table, UniqueViolation, auto, col, open_db
from docs_layer.sequences import LARGEST_LEASE, LARGEST_MOVING_ID, Sequences
from docs_layer.store import Store
from tests.docs_layer.samples import Author, Book

NAME = b"id"


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Give the time."""
        return self.now


class CountingStore(MemoryStore):
    """A store that remembers how much was allocated and reserved in each call."""

    def __init__(self) -> None:
        super().__init__()
        self.allocated: list[int] = []
        self.reserved: list[int] = []

    def allocate(self, name: bytes, count: int = 1) -> int:
        """See `docs_layer.store.Store.allocate`."""
        self.allocated.append(count)
        return super().allocate(name, count)

    def reserve(self, name: bytes, last: int) -> None:
        """See `docs_layer.store.Store.reserve`."""
        self.reserved.append(last)
        super().reserve(name, last)


def test_leases_grow_while_they_are_used_up_quickly() -> None:
    """Leases double up to their limit, and begin again after a pause."""
    store, clock = CountingStore(), Clock()
    sequences = Sequences(store, clock)
    taken = [number for _ in range(4000) for number in sequences.take(NAME, 1)]
    assert taken == list(range(1, 4001))
    assert store.allocated[:5] == [1, 2, 4, 8, 16]
    assert max(store.allocated) == LARGEST_LEASE
    clock.now = 100.0
    while len(store.allocated) == len(store.allocated[:]) and store.allocated[-1] != 1:
        sequences.take(NAME, 1)
    assert store.allocated[-1] == 1


def test_many_numbers_are_one_call() -> None:
    """A batch takes what is left of a lease, and the rest in one allocation."""
    store = CountingStore()
    sequences = Sequences(store, Clock())
    sequences.take(NAME, 1)
    sequences.take(NAME, 1)
    numbers = list(sequences.take(NAME, 5000))
    assert len(set(numbers)) == 5000
    assert numbers == sorted(numbers)
    assert len(store.allocated) == 3


def test_an_explicit_id_moves_the_sequence_in_few_calls() -> None:
    """Ascending explicit ids reserve ahead; ids below what is leased already do nothing."""
    store = CountingStore()
    sequences = Sequences(store, Clock())
    for number in range(1, 10_001):
        sequences.move(NAME, number)
    assert len(store.reserved) < 40
    assert sequences.take(NAME, 1)[0] > 10_000
    calls = len(store.reserved)
    sequences.move(NAME, 5)
    sequences.move(NAME, LARGEST_MOVING_ID + 1)
    assert len(store.reserved) == calls


def test_ids_after_explicit_ones_are_greater(db: Database) -> None:
    """The toy's hole: an explicit id used to make a later automatic insert fail."""
    db.insert(Author(id=50, name="fifty"))
    automatic = [db.insert(Author(name=f"a{place}")).id for place in range(100)]
    assert min(automatic) > 50
    assert len(set(automatic)) == 100


def test_an_automatic_id_that_is_taken_is_skipped(db: Database) -> None:
    """An explicit id out of a lease that is already handed out does not fail the automatic insert that meets it."""
    first = [db.insert(Author(name=f"a{place}")).id for place in range(5)]
    ahead = list(range(max(first) + 1, max(first) + 6))
    db.insert_many([Author(id=number, name=f"explicit {number}") for number in ahead])
    rows = db.insert_many([Author(name=f"later {place}") for place in range(20)])
    assert not {row.id for row in rows} & {*first, *ahead}
    assert db.query(Author).count() == 30


@pytest.mark.parametrize("explicit", [2**62 + 1, 2**63 - 1, -5])
def test_extreme_ids_do_not_use_the_numbers_up(db: Database, explicit: int) -> None:
    """An id above 2**62, or below zero, leaves the sequence where it is."""
    db.insert(Author(id=explicit, name="far"))
    assert db.insert(Author(name="near")).id < 100


def test_a_far_id_does_not_hide_the_others_of_its_call(db: Database) -> None:
    """The greatest explicit id below the limit moves the sequence."""
    db.insert_many([Author(id=50, name="fifty"), Author(id=2**62 + 1, name="far")])
    assert db.insert(Author(name="next")).id > 50


def test_two_handles_and_many_threads_never_share_an_id() -> None:
    """Handles lease from one store; every id is unique."""
    store = MemoryStore()
    handles = [open_db(store, tables=[Author, Book]) for _ in range(2)]

    def insert(worker: int) -> list[int]:
        return [handles[worker % 2].insert(Author(name=f"{worker} {place}")).id for place in range(50)]

    with ThreadPoolExecutor(4) as pool:
        numbers = [number for part in pool.map(insert, range(4)) for number in part]
    assert len(set(numbers)) == 200
    assert handles[0].query(Author).count() == 200
    assert handles[0].verify().is_sound


class Given(Table):
    """Keys that the program gives; its sequence stands still."""

    __table_name__ = "Numbered"
    id: Key[int]
    name: Col[str] = col(unique=True)


class Numbered(Table):
    """The same table for a program that lets the database number rows."""

    id: Key[int] = auto()
    name: Col[str] = col(unique=True)


def test_a_taken_automatic_id_does_not_hide_what_is_wrong() -> None:
    """Another number is given to the row whose number is taken; the value that clashes is what the error names."""
    store = MemoryStore()
    open_db(store, tables=[Given]).insert_many([Given(id=1, name="a"), Given(id=2, name="b")])
    db = open_db(store, tables=[Numbered])
    with pytest.raises(UniqueViolation) as caught:
        db.insert_many([Numbered(name="new"), Numbered(name="a")])
    assert caught.value.index == "Numbered_name"
    assert caught.value.existing == 1
    assert db.insert(Numbered(name="new")).id > 2


def test_unused_numbers_are_given_back_at_close(store: Store) -> None:
    """A program that is run again and again leaves no gaps behind it."""
    keep = _Unclosed(store)
    for run in range(5):
        with open_db(keep, tables=[Author]) as db:
            ids = [db.insert(Author(name=f"{run} {place}")).id for place in range(5)]
        assert ids == list(range(run * 5 + 1, run * 5 + 6))


def test_numbers_behind_which_others_came_stay_used(store: Store) -> None:
    """Of two handles, the one that leased first cannot give anything back."""
    first, second = Sequences(store), Sequences(store)
    taken = [*first.take(NAME, 1), *first.take(NAME, 1), *second.take(NAME, 1)]
    first.close()
    second.close()
    assert taken == [1, 2, 4]
    assert list(Sequences(store).take(NAME, 1)) == [5]


def test_a_store_that_takes_nothing_back_is_closed_all_the_same() -> None:
    """Giving back is a courtesy: its failure is not the program's."""
    store = CountingStore()
    sequences = Sequences(store)
    for _ in range(2):
        sequences.take(NAME, 1)
    store.close()
    sequences.close()


class _Unclosed:
    """A store whose `close` does nothing."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def close(self) -> None:
        """Stay open."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)
