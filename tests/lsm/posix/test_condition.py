"""The condition variable wakes who waits, and survives exceptions from signal handlers at any instruction."""

import threading

from lsm.posix import PosixEnvironment
from lsm.posix.condition import InterruptibleCondition
from tests.support.alarm import Interrupted, alarm

ROUNDS = 1500


def test_everyone_who_waits_is_woken() -> None:
    """Each waiting thread sees what was changed before it was told."""
    condition = InterruptibleCondition()
    state = {"waiting": 0, "go": 0, "woken": 0}

    def work() -> None:
        with condition:
            state["waiting"] += 1
            condition.notify_all()
            while not state["go"]:
                assert condition.wait(10)
            state["woken"] += 1

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    with condition:
        while state["waiting"] < 3:
            assert condition.wait(10)
        state["go"] = 1
        condition.notify_all()
    for thread in threads:
        thread.join()

    assert state["woken"] == 3


def test_waiting_ends_by_itself() -> None:
    """A wait that nobody ends returns False, with the mutex taken again and no trace of the waiter."""
    condition = InterruptibleCondition()

    with condition:
        assert not condition.wait(0.001)
        assert not _free(condition)
    assert _free(condition)
    with condition:
        condition.notify_all()


def test_the_mutex_excludes() -> None:
    """Only one thread is inside at a time; waiting lets the others in."""
    condition = InterruptibleCondition()
    with condition:
        assert not _free(condition)
    assert _free(condition)


def _free(condition: InterruptibleCondition) -> bool:
    """Tell whether another thread could take the mutex."""
    answers: list[bool] = []

    def ask() -> None:
        taken = condition.acquire(False)
        answers.append(taken)
        if taken:
            condition.release()

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    return answers[0]


def test_a_timer_that_raises_anywhere_leaves_the_mutex_free() -> None:
    """Entering, waiting, notifying and leaving are interrupted at random instructions, and nothing stays taken."""
    condition = PosixEnvironment().condition()
    assert isinstance(condition, InterruptibleCondition)
    interrupted = 0
    with alarm() as timer:
        for number in range(ROUNDS):
            try:
                timer.start(0.00002 + number % 50 * 0.000002)
                for _ in range(100):
                    with condition:
                        condition.wait(0)
                        condition.notify_all()
                timer.armed = False
            except Interrupted:
                interrupted += 1
            assert not condition._is_owned()

    assert interrupted > ROUNDS // 2
    assert _free(condition)
    with condition:
        condition.notify_all()
        assert not condition._waiters
