"""The lane of system calls that fail or kill: `strace -e inject` does it to a process that knows nothing of it.

The simulated disk fails calls of the interface; this shows that `lsm.posix`, between the interface and the kernel,
passes on what it is told. Each call of a kind fails once, or from then on, or is the last one of the process.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import lsm
from lsm.testing.crashtest import BrokenPromiseError
from lsm.testing.crashtest.history import History
from lsm.testing.crashtest.inspection import inspect
from lsm.testing.crashtest.messages import Inbox
from tests.real.victim import NOT_OPENED, OPTIONS, SYNC_FAILED
from tests.support.totals import Lane

NAME = "system calls that fail or kill (strace)"
_KILLED = -9


class Fault(NamedTuple):
    """What is done to the n-th call of a kind: `inject` is the words of strace. forever: to all later ones as well."""

    call: str
    inject: str
    forever: bool = False


class Ended(NamedTuple):
    """How a victim ended, what it was promised, and what it had to say on standard error."""

    status: int
    history: History
    complaint: str


FAULTS = (
    Fault("fdatasync", "error=EIO"),
    Fault("fsync", "error=EIO"),
    Fault("pwrite64", "error=EIO"),
    Fault("pwrite64", "error=ENOSPC"),
    Fault("pwrite64", "error=ENOSPC", forever=True),
    Fault("ftruncate", "error=EIO"),
    Fault("renameat", "error=EIO"),
    Fault("unlinkat", "error=EIO"),
    Fault("linkat", "error=EIO"),
    Fault("flock", "error=ENOLCK"),
    *(Fault(call, "signal=KILL") for call in ("pwrite64", "fdatasync", "fsync", "renameat", "unlinkat", "linkat")),
)


def unavailable() -> str:
    """Say why calls cannot be made to fail here; empty if they can."""
    if not shutil.which("strace"):
        return "needs strace"
    command = ["strace", "-qq", "-e", "trace=fsync", "-e", "inject=fsync:error=EIO", "true"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return f"strace is refused here: {done.stderr.strip()}" if done.returncode else ""


def syscall_faults(directory: Path, minutes: float) -> Iterator[Lane]:
    """Fail the calls of each kind, one after the other: every one in a run of an hour, fewer in a shorter one."""
    yield syscall_faults_every(directory, stride=max(1, round(60 / minutes)))


def syscall_faults_every(directory: Path, stride: int) -> Lane:
    """Fail each so-manieth call of each kind."""
    reason = unavailable()
    if reason:
        return Lane(NAME, {}, skipped=reason)
    begin = time.monotonic()
    tried: Counter[str] = Counter()
    wrong = 0
    counts = _count_calls(directory / "count")
    for place, fault in enumerate(FAULTS):
        for number in range(1, counts[fault.call] + 1, stride):
            try:
                tried[attempt(directory / f"{fault.call}-{place}-{number}", fault, number)] += 1
            except (BrokenPromiseError, lsm.Error) as error:
                wrong += 1
                sys.stderr.write(f"{fault}, call {number}: {type(error).__name__}: {error}\n")
    return Lane(NAME, dict(tried), wrong, time.monotonic() - begin)


def _count_calls(directory: Path) -> Counter[str]:
    """Run the victim undisturbed and count its calls of each kind."""
    calls = sorted({fault.call for fault in FAULTS})
    log = directory.with_suffix(".log")
    ended = _run(directory, ["-e", f"trace={','.join(calls)}", "-o", str(log)])
    if ended.status:
        raise RuntimeError(f"the undisturbed victim ended with status {ended.status}: {ended.complaint}")
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    log.unlink()
    _remove(directory)
    return Counter(call for line in lines for call in calls if f" {call}(" in f" {line}")


def attempt(directory: Path, fault: Fault, number: int) -> str:
    """Run the victim with one fault, look at what it leaves, and say how it ended. Raises when it is not right."""
    when = f"{number}+" if fault.forever else str(number)
    inject = f"inject={fault.call}:{fault.inject}:when={when}"
    status, history, complaint = _run(directory, ["-e", f"trace={fault.call}", "-e", inject, "-o", os.devnull])
    ends = {0: "went on", SYNC_FAILED: "poisoned", NOT_OPENED: "not opened", _KILLED: "killed", 137: "killed"}
    if status not in ends:
        raise BrokenPromiseError(f"the victim ended with status {status}: {complaint}")
    inspect(str(directory), OPTIONS, history, history.acknowledged, history.issued)
    _remove(directory)
    return ends[status]


def _run(directory: Path, strace: list[str]) -> Ended:
    """Run the victim under strace."""
    checkpoints = Path(f"{directory}-checkpoints")
    checkpoints.mkdir()
    reading, writing = os.pipe()
    command = [sys.executable, "-B", "-m", "tests.real.victim", str(directory), str(writing)]
    history = History.of(1)
    traced = ["strace", "-f", "-qq", *strace, *command]
    with subprocess.Popen(traced, pass_fds=[writing], stderr=subprocess.PIPE, text=True) as child:
        os.close(writing)
        inbox = Inbox(reading)
        while child.poll() is None:
            for message in inbox.messages():
                history.hear(message)
            time.sleep(0.005)
        for message in inbox.messages():
            history.hear(message)
        complaint = child.stderr.read() if child.stderr else ""
    os.close(reading)
    history.ended()
    return Ended(child.returncode, history, complaint)


def _remove(directory: Path) -> None:
    for path in (directory, Path(f"{directory}-checkpoints")):
        shutil.rmtree(path, ignore_errors=True)
