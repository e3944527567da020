"""Randomness and identity of simulated processes."""

from lsm.testing import SimulatedEnvironment, SimulatedFileSystem


def test_random_bytes_repeat_between_runs_and_never_between_processes() -> None:
    """Equal seeds and histories give equal bytes; a process never gets those of the one before it."""

    def history(seed: int) -> list[bytes]:
        first = SimulatedFileSystem()
        drawn = [SimulatedEnvironment(first, seed=seed).random_bytes(8)]
        killed = first.after_kill()
        drawn.append(SimulatedEnvironment(killed, seed=seed).random_bytes(8))
        drawn.append(SimulatedEnvironment(killed.after_power_loss(), seed=seed).random_bytes(8))
        return drawn

    assert history(1) == history(1)
    assert len({*history(1), *history(2)}) == 6


def test_the_boot_id_changes_with_the_power_and_the_process_id_with_the_process() -> None:
    """A kill keeps the machine running; a power loss does not."""
    first = SimulatedFileSystem()
    killed = first.after_kill()
    lost = first.after_power_loss()
    environments = [SimulatedEnvironment(filesystem) for filesystem in (first, killed, lost)]

    assert environments[0].boot_id() == environments[1].boot_id() != environments[2].boot_id()
    assert len(environments[2].boot_id()) == 16
    assert environments[0].process_id() != environments[1].process_id()


def test_threads_and_locks_are_real() -> None:
    """A thread of the environment runs beside the caller."""
    environment = SimulatedEnvironment()
    condition = environment.condition()
    done: list[int] = []

    def work() -> None:
        with condition:
            done.append(1)
            condition.notify_all()

    with condition:
        thread = environment.thread(work, "worker")
        while not done:
            assert condition.wait(timeout=10)
    thread.join()

    assert not thread.is_alive()
    assert environment.lock().acquire()
    assert environment.monotonic_seconds() <= environment.monotonic_seconds()
