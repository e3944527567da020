"""An exception at any instruction of a commit, such as Ctrl-C, leaves the commit whole or not there."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest

from docs_layer.memory_store import MemoryStore
from tests.docs_layer.store_contract.steps import committed, entries

Shown = tuple[list[tuple[bytes, bytes]], int, list[bytes]]
"""Entries, counter and log of a snapshot."""

KEYS = [b"k%d" % number for number in range(6)]


class Interrupted(BaseException):
    """What a signal handler might raise."""


def commit_and_interrupt(store: MemoryStore, value: bytes, at_line: int) -> bool:
    """Commit new values of all keys, interrupted when the n-th line of the store runs; tell whether it was."""
    transaction = store.transaction()
    for key in KEYS:
        transaction.put(key, value)
    transaction.delete(b"doomed")
    transaction.add(b"n", 1)
    transaction.append(b"l", value)
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        if "memory_store" in frame.f_code.co_filename and event == "line":
            count += 1
            if count == at_line:
                raise Interrupted
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        transaction.commit()
    except Interrupted:
        return True
    finally:
        sys.settrace(before)
    return False


def shown(store: MemoryStore) -> Shown:
    """Give everything that a new snapshot shows."""
    with store.snapshot() as snapshot:
        return entries(snapshot), snapshot.counter(b"n"), [value for _, value in snapshot.log(b"l")]


@pytest.mark.parametrize("scan_first", [False, True])
def test_a_commit_is_whole_wherever_an_exception_strikes(scan_first: bool) -> None:
    """Every line of the commit is struck once; the store then shows all of it or nothing, and goes on working."""
    at_line, outcomes, was_interrupted = 0, set(), True
    while was_interrupted:
        at_line += 1
        store = MemoryStore()
        with committed(store) as transaction:
            transaction.put(KEYS[0], b"old")
            transaction.put(b"doomed", b"old")
        if scan_first:
            shown(store)
        was_interrupted = commit_and_interrupt(store, b"new", at_line)
        old: Shown = ([(b"doomed", b"old"), (KEYS[0], b"old")], 0, [])
        new: Shown = ([(key, b"new") for key in KEYS], 1, [b"new"])
        found = shown(store)
        assert found in (old, new)
        outcomes.add(found == new)
        with committed(store) as transaction:
            transaction.put(KEYS[0], b"after")
            transaction.put(b"z", b"after")
        assert shown(store)[0][-1] == (b"z", b"after")
        assert len(shown(store)[0]) == len(found[0]) + 1
        store.close()
    assert outcomes == {False, True}
    assert at_line > 50
