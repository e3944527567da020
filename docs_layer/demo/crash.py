"""The chapter about the worst case: a process is killed with SIGKILL in the middle of a load, and nothing is lost."""

import signal
import subprocess
import sys
from pathlib import Path

from docs_layer import Database, open_db
from docs_layer.demo.narration import Narrator, Stopwatch
from docs_layer.demo.tables import BATCH_CHECK_INS, TABLES, CheckIn

BATCHES_BEFORE_KILL = 20


def kill_a_loader(directory: Path, narrator: Narrator) -> int:
    """Start the loading process, kill it while it works, and return how many transactions it had acknowledged."""
    narrator.chapter("kill -9")
    narrator.say(
        f"A child process stores check-ins, {BATCH_CHECK_INS} in a transaction, each synced before it is acknowledged."
    )
    command = [sys.executable, "-m", "docs_layer.demo.victim", str(directory)]
    acknowledged = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:  # noqa: S603 - our own module
        for line in child.stdout or ():
            acknowledged = int(line) + 1
            if acknowledged == BATCHES_BEFORE_KILL:
                child.send_signal(signal.SIGKILL)
    if child.returncode != -signal.SIGKILL:
        raise RuntimeError(f"the loading process ended by itself with status {child.returncode}")
    narrator.show(
        [f"killed with SIGKILL after {acknowledged} acknowledged transactions, {acknowledged * BATCH_CHECK_INS:,} rows"]
    )
    return acknowledged


def reopen(directory: Path, acknowledged: int, narrator: Narrator) -> Database:
    """Open the database after the crash, and compare what is there with what was acknowledged.

    Raises:
        RuntimeError: an acknowledged row is missing, or a transaction is there in part; it never happens.
    """
    narrator.code("db = open_db(directory, tables=[Country, City, Airport, CheckIn]); db.recovery")
    watch = Stopwatch()
    db = open_db(directory, tables=TABLES)
    narrator.show(
        [f"open again in {watch}", db.recovery, f"{db.recovery.dropped_bytes} bytes of unfinished work dropped"]
    )
    count = db.query(CheckIn).count()
    batches, rest = divmod(count, BATCH_CHECK_INS)
    if batches < acknowledged or rest:
        raise RuntimeError(f"{acknowledged} transactions were acknowledged, but {count} rows are there")
    narrator.show([f"{count:,} check-ins are there: all {acknowledged} acknowledged transactions, every one whole"])
    if batches > acknowledged:
        narrator.show([f"and {batches - acknowledged} more that had reached the log before they could be acknowledged"])
    return db
