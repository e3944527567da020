"""Applying batches: the order of the changes is the order of their sequence numbers."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from lsm.apply import apply_batch
from lsm.memtable import Memtable
from lsm.runs import MISSING, Missing
from lsm.write_batch import WriteBatch

KEYS = [b"a", b"b", b"c", b"d"]
CHANGES = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 3)), max_size=10)


@given(CHANGES, st.integers(1, 50))
def test_every_prefix_of_a_batch_is_a_moment(changes: list[tuple[int, int, int]], first: int) -> None:
    """Change i is visible from its number on: puts, deletions, and range deletions that hide what came before."""
    batch = WriteBatch()
    moments: list[dict[bytes, bytes | Missing | None]] = [dict.fromkeys(KEYS, MISSING)]
    for number, (kind, place, other) in enumerate(changes):
        state = dict(moments[-1])
        if kind == 0:
            batch.put(KEYS[place], b"%d" % number)
            state[KEYS[place]] = b"%d" % number
        elif kind == 1:
            batch.delete(KEYS[place])
            state[KEYS[place]] = None
        elif place < other:
            batch.delete_range(KEYS[place], KEYS[other])
            state.update(dict.fromkeys(KEYS[place:other]))
        else:
            continue
        moments.append(state)
    memtable = Memtable(1, threading.Lock())
    apply_batch(memtable, batch, first)

    for number, state in enumerate(moments):
        assert {key: memtable.get(key, first + number - 1) for key in KEYS} == state
    assert memtable.entry_count == len(batch)
    assert memtable.last_sequence == (first + len(batch) - 1 if len(batch) else 0)
    memtable.check()
