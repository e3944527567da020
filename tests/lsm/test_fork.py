"""Forks: the child gets a typed error and can open other directories, the parent goes on undisturbed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROLOGUE = """
import os, signal, sys, threading
import lsm
from tests.support.small import SMALL

signal.alarm(30)  # a child that hangs dies, and the parent sees it
path = sys.argv[1]
database = lsm.open(path, {options})
database.put(b"before", b"1")
snapshot, scan, transaction = database.snapshot(), database.scan(), database.transaction()
transaction.put(b"never", b"1")

def refused(use):
    try:
        use()
    except lsm.ForkedError as error:
        assert "parent" in str(error), error
    else:
        raise AssertionError("allowed in the child")

def in_child(work):
    child = os.fork()
    if child:
        return child
    try:
        signal.alarm(10)
        work()
    except BaseException:
        import traceback
        traceback.print_exc()
        os._exit(1)
    os._exit(0)

def check(child):
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, status
"""

EVERY_VERB = """
def work():
    for use in (
        lambda: database.get(b"before"),
        lambda: database.put(b"child", b"1"),
        lambda: database.put(b"child", b"1", sync=True),
        lambda: database.delete(b"before"),
        lambda: database.write(batch),
        lambda: database.run(lambda transaction: None),
        lambda: list(database.scan()),
        lambda: database.snapshot(),
        lambda: snapshot.get(b"before"),
        lambda: next(scan),
        lambda: transaction.get(b"before"),
        lambda: transaction.commit(),
        lambda: database.flush(),
        lambda: database.compact(),
        lambda: database.sync(),
        lambda: database.stats(),
        lambda: database.verify(),
        lambda: database.checkpoint(path + "-copy"),
        lambda: database.allocate(b"ids"),
    ):
        refused(use)
    database.close()
    assert database.closed

batch = lsm.WriteBatch()
batch.put(b"child", b"1")
check(in_child(work))
database.put(b"after", b"1", sync=True)
assert dict(database.scan()) == {b"before": b"1", b"after": b"1"}
database.flush()
database.compact()
assert database.verify().ok
try:
    lsm.open(path)
except lsm.LockedError as error:
    assert error.process_id == os.getpid()
else:
    raise AssertionError("the child's end has freed the parent's lock")
database.close()
with lsm.open(path, SMALL if "SMALL" in sys.argv else None) as database:
    assert dict(database.scan()) == {b"before": b"1", b"after": b"1"}
"""

HELD = """
def hold():
    with database._core.mutex:
        held.set()
        release.wait()

def work():
    refused(lambda: database.put(b"child", b"1"))
    refused(lambda: database.put(b"child", b"1", sync=True))
    refused(lambda: database.flush())
    refused(lambda: database.sync())
    refused(lambda: database.stats())
    refused(lambda: database.compact())
    refused(lambda: transaction.commit())
    refused(lambda: database.allocate(b"ids"))
    database.close()

held, release = threading.Event(), threading.Event()
thread = threading.Thread(target=hold)
thread.start()
held.wait()
child = in_child(work)
check(child)
release.set()
thread.join()
database.put(b"after", b"1")
database.close()
"""

BUSY = """
def write(name):
    for number in range(400):
        database.put(b"%s %d" % (name, number), b"v" * 20)

def work():
    refused(lambda: database.get(b"before"))
    refused(lambda: database.put(b"child", b"1"))
    with lsm.open(f"{path}-{os.getpid()}", SMALL) as other:
        other.put(b"mine", b"1", sync=True)
        other.flush()
        assert dict(other.scan()) == {b"mine": b"1"}

threads = [threading.Thread(target=write, args=(name,)) for name in (b"a", b"b")]
for thread in threads:
    thread.start()
children = [in_child(work) for _ in range(8)]
for child in children:
    check(child)
for thread in threads:
    thread.join()
assert len(list(database.scan())) == 801
database.close()
with lsm.open(path, SMALL) as database:
    assert len(list(database.scan())) == 801
    assert database.verify().ok
"""


def run(tmp_path: Path, program: str, options: str) -> None:
    """Run a program in a process of its own."""
    command = [sys.executable, "-W", "ignore", "-c", PROLOGUE.format(options=options) + program, str(tmp_path / "data")]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    assert (finished.returncode, finished.stderr) == (0, "")


@pytest.mark.parametrize("maintenance", [False, True])
def test_every_verb_is_refused_in_the_child(tmp_path: Path, maintenance: bool) -> None:
    """And nothing that it does, its end included, touches the parent or its lock."""
    options = "lsm.Options()" if maintenance else "lsm.Options(maintenance=False)"
    run(tmp_path, EVERY_VERB, options)


def test_a_lock_that_was_held_at_the_fork_hangs_nobody(tmp_path: Path) -> None:
    """The thread that held it does not exist in the child, so nobody would ever give it back."""
    run(tmp_path, HELD, "SMALL")


def test_forks_in_the_middle_of_work(tmp_path: Path) -> None:
    """While other threads write and flush; the children open directories of their own."""
    run(tmp_path, BUSY, "lsm.Options(memtable_bytes=8192, level_count=4)")
