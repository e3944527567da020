"""The nursery: a small process that has imported everything and forks the processes of a crash test in milliseconds.

It reads one JSON value a line from standard input and answers each with one line: a `Task` is answered with the number
of the process that works on it, a number with the status of that process after its end, which the nursery waits for.
Nothing else reaps its children, so a number means the same process until the parent asks for its status. When the
input ends, the parent has gone: every child is killed.

Run as `python -m lsm.testing.crashtest.nursery DESCRIPTOR`, with the writing end of the pipe for messages.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import sys

import msgspec

from lsm.testing.crashtest.writer import Task, work


def main(pipe: int) -> None:
    """Serve until the input ends."""
    faulthandler.enable()
    # For the children: one that is asked to close before it can listen hears of it once it can.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    children: set[int] = set()
    try:
        for line in sys.stdin.buffer:
            order = msgspec.json.decode(line, type=int | Task)
            if isinstance(order, Task):
                answer = _fork(order, pipe)
                children.add(answer)
            else:
                children.discard(order)
                answer = os.waitstatus_to_exitcode(os.waitpid(order, 0)[1])
            sys.stdout.write(f"{answer}\n")
            sys.stdout.flush()
    finally:
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)


def _fork(task: Task, pipe: int) -> int:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(sys.stdin.fileno())
            os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
            work(task, pipe)
            status = 0
        finally:
            os._exit(status)
    return child


if __name__ == "__main__":
    main(int(sys.argv[1]))
