"""The history knows what may be there after a crash, and nothing else passes its check."""

import pytest

from lsm.testing.crashtest.history import BrokenPromiseError, History, check
from lsm.testing.crashtest.messages import Answered, Issued
from lsm.testing.crashtest.plan import (
    TOTAL,
    Barrier,
    Checkpoint,
    Commit,
    Delete,
    DeleteRange,
    Put,
    Step,
    apply,
    count_key,
)

FIRST = Commit("plain", (Put(b"w0/a", 8),), sync=False)
SECOND = Commit("batch", (Put(b"w0/b", 8), Delete(b"w0/a")), sync=False)
SYNCED = Commit("plain", (Put(b"w0/c", 8),), sync=True)


def heard(history: History, *steps: Step, writer: int = 0, answered: bool = True) -> None:
    """Let a history hear of steps; with `answered` also that they are done."""
    for step in steps:
        number = history.writers[writer].last_number + 1
        history.hear(Issued(writer, number, step))
        if answered:
            history.hear(Answered(writer, number, "done"))


def state(*commits: Commit, writer: int = 0) -> dict[bytes, bytes]:
    """Return what commits of one writer leave, when they are its first steps."""
    content: dict[bytes, bytes] = {}
    for number, commit in enumerate(commits, 1):
        apply(content, writer, number, commit)
    return content


def test_acknowledged_commits_survive_a_kill() -> None:
    """Everything acknowledged must be there, what was only begun may be; less or something else is noticed."""
    history = History.of(1)
    heard(history, FIRST)
    heard(history, SECOND, answered=False)

    assert check(history, state(FIRST), 0, history.acknowledged, history.issued) == (1,)
    assert check(history, state(FIRST, SECOND), 0, history.acknowledged, history.issued) == (2,)
    with pytest.raises(BrokenPromiseError, match="the state after 0: promised commits are lost"):
        check(history, {}, 0, history.acknowledged, history.issued)


def test_half_a_batch_is_noticed() -> None:
    """A batch is there as a whole or not at all."""
    history = History.of(1)
    heard(history, FIRST, SECOND)
    half = state(FIRST) | {b"w0/b": state(FIRST, SECOND)[b"w0/b"]}

    with pytest.raises(BrokenPromiseError, match=r"no state from 2 to 2; at 2: missing \[\], surplus \[b'w0/a'\]"):
        check(history, half, 0, history.acknowledged, history.issued)


@pytest.mark.parametrize("barrier", [SYNCED, Barrier("flush"), Barrier("sync"), Barrier("compact")])
def test_what_is_synced_survives_a_power_cut(barrier: Step) -> None:
    """A sync by anybody makes durable what was acknowledged before it began, and nothing that came later."""
    history = History.of(2)
    heard(history, FIRST)
    heard(history, FIRST, writer=1)
    heard(history, barrier)
    heard(history, FIRST, writer=1)

    assert history.durable == (2 if barrier is SYNCED else 1, 1)
    assert history.acknowledged == (2 if barrier is SYNCED else 1, 2)


def test_a_sync_covers_what_was_acknowledged_before_it_began() -> None:
    """A commit that was acknowledged while the sync ran may have come too late for it."""
    history = History.of(2)
    history.hear(Issued(0, 1, SYNCED))
    heard(history, FIRST, writer=1)
    history.hear(Answered(0, 1, "done"))

    assert history.durable == (1, 0)


def test_a_hole_in_the_common_order_is_noticed() -> None:
    """What one writer has is there only with what another one had been told before."""
    history = History.of(2)
    other = Commit("plain", (Put(b"w1/a", 8),), sync=False)
    heard(history, FIRST)
    heard(history, other, writer=1)

    assert check(history, state(FIRST), 0, history.durable, history.issued) == (1, 0)
    with pytest.raises(BrokenPromiseError, match="a hole in the order of commits: writer 1 has 1 commits"):
        check(history, state(other, writer=1), 0, history.durable, history.issued)


def test_deleted_keys_stay_deleted() -> None:
    """A key of a deleted range that is there again is no state of the history."""
    history = History.of(1)
    gone = Commit("plain", (DeleteRange(b"w0/a", b"w0/z"),), sync=False)
    heard(history, FIRST, gone)

    assert check(history, {}, 0, history.acknowledged, history.issued) == (2,)
    with pytest.raises(BrokenPromiseError, match="promised commits are lost"):
        check(history, state(FIRST), 0, history.acknowledged, history.issued)


def test_shared_sums_and_unknown_keys_are_compared() -> None:
    """What transactions share is the sum of what they count, and nobody else's key is there."""
    history = History.of(1)
    heard(history, Commit("transaction", (), sync=False))
    content = {count_key(0): b"1", TOTAL: b"1"}

    assert check(history, content, 1, history.acknowledged, history.issued) == (1,)
    for wrong, counter in ((content, 2), ({**content, TOTAL: b"2"}, 1)):
        with pytest.raises(BrokenPromiseError, match="1 transactions are counted"):
            check(history, wrong, counter, history.acknowledged, history.issued)
    with pytest.raises(BrokenPromiseError, match="keys that nobody wrote"):
        check(history, {**content, b"x": b""}, 1, history.acknowledged, history.issued)


def test_refused_steps_never_were() -> None:
    """A commit that an error refused must not be there; a refused checkpoint is not expected."""
    history = History.of(1)
    heard(history, FIRST)
    refused: list[Step] = [SECOND, Checkpoint("w0-1")]
    for number, step in enumerate(refused, 2):
        history.hear(Issued(0, number, step))
        history.hear(Answered(0, number, "refused", "DiskFullError"))

    assert not history.checkpoints
    assert check(history, state(FIRST), 0, history.acknowledged, history.issued) == (1,)
    with pytest.raises(BrokenPromiseError):
        check(history, state(FIRST, SECOND), 0, history.acknowledged, history.issued)


def test_settled_commits_are_forgotten_but_counted() -> None:
    """What is durable becomes the base; the numbers go on."""
    history = History.of(1)
    heard(history, FIRST, SYNCED, SECOND)
    history.settle()

    assert (history.writers[0].settled, history.issued) == (2, (3,))
    content = state(FIRST, SYNCED)
    assert check(history, content, 0, history.durable, history.issued) == (2,)
    history.adopt(content)
    assert (history.durable, history.issued, history.writers[0].issues) == ((3,), (3,), [])


def test_a_checkpoint_lies_between_its_issue_and_its_answer() -> None:
    """It has what was acknowledged before it began, and may have what was issued before it was answered."""
    history = History.of(2)
    heard(history, FIRST)
    history.hear(Issued(0, 2, Checkpoint("w0-1")))
    heard(history, FIRST, writer=1)
    history.hear(Answered(0, 2, "done"))
    heard(history, SECOND)
    promised = history.checkpoints[0]

    assert (promised.least, promised.most, promised.finished) == ((1, 0), (1, 1), True)
