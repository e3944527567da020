"""The oracle: what a ledger promises, and how a crash compares."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from lsm.testing import Crash, Ledger, Promise, Recording, SimulatedFileSystem, WrongRecoveryError


def _crash(entries: Sequence[object], promised: int) -> Crash[object]:
    return Crash(SimulatedFileSystem(), entries, promised, killed=False, address="0:nothing")


def test_a_ledger_counts_what_was_promised() -> None:
    """An entry is on its way, then acknowledged, then durable; or withdrawn, or found out later."""
    ledger = Ledger(["old"])
    assert ledger.promise == Promise(1, 1, 1)

    ledger.issue("a")
    assert ledger.promise == Promise(1, 1, 2)
    ledger.acknowledge()
    assert ledger.promise == Promise(1, 2, 2)
    ledger.settle()
    assert ledger.promise == Promise(2, 2, 2)
    ledger.issue("b")
    ledger.withdraw()
    assert ledger.last == "a"
    for entry in "cde":
        ledger.issue(entry)
    ledger.accept(3)
    assert ledger.entries == ["old", "a", "c"]
    assert ledger.promise == Promise(3, 3, 3)


def test_a_block_promises_when_it_ends() -> None:
    """Inside it the entry is on its way; an exception leaves it so."""
    recording: Recording[int] = Recording(SimulatedFileSystem(), Ledger())

    with recording.promise(1, durable=False):
        assert recording.ledger.promise == Promise(0, 0, 1)
    assert recording.ledger.promise == Promise(0, 1, 1)
    with recording.promise(2):
        pass
    assert recording.ledger.promise == Promise(2, 2, 2)
    with pytest.raises(KeyError), recording.promise(3):
        raise KeyError
    assert recording.ledger.promise == Promise(2, 2, 3)
    recording.settle()
    assert recording.ledger.promise == Promise(2, 2, 3)


@pytest.mark.parametrize("found", [["a"], ["a", "b"], ["a", "b", "c"]])
def test_a_prefix_with_everything_promised_is_right(found: list[str]) -> None:
    """What was on its way may be there or not."""
    crash = _crash(["a", "b", "c"], 1)

    crash.check_prefix(found)

    assert crash.promised == ["a"]


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ([], "the last ones are missing"),
        (["b"], "at 0 found 'b', wanted 'a'"),
        (["a", "c"], "at 1 found 'c', wanted 'b'"),
        (["a", "b", "c", "d"], "found 'd', which was never begun"),
    ],
    ids=["lost", "hole at the beginning", "hole", "invented"],
)
def test_holes_losses_and_inventions_are_wrong(found: list[str], reason: str) -> None:
    """The message says what was found and what was wanted."""
    with pytest.raises(WrongRecoveryError, match=reason):
        _crash(["a", "b", "c"], 1).check_prefix(found)


def test_a_state_is_one_of_those_after_the_promise() -> None:
    """It tells which one; of equal ones the last."""
    states = [{}, {b"a": b"1"}, {}, {b"b": b"2"}]

    assert _crash(states, 2).check_state({b"a": b"1"}) == 2
    assert _crash(states, 1).check_state({}) == 3
    with pytest.raises(WrongRecoveryError, match="it is state 2: promised commits are lost"):
        _crash(states, 4).check_state({b"a": b"1"})
    with pytest.raises(WrongRecoveryError, match=r"missing \[b'b'\], surplus \[b'c'\], other values \[\]"):
        _crash(states, 1).check_state({b"c": b"3"})
