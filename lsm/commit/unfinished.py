"""Finishing what an exception, or a failed write, left half done: the log decides.

An exception (Ctrl-C, a timer) can end a commit between any two instructions. Frames that lie whole in the live log
behind its committed end are made durable, with all before them, since one of their authors may have asked for it, and
published, since none of them got an answer; an incomplete rest is cut off. The active memtable, which may hold entries
of frames that are gone, is thrown away and made anew from the log. No reader saw the difference: entries above the
view's sequence are invisible.

The same happens when another writer enters first, so the handle recovers by itself. It is the read half of recovery.
"""

from __future__ import annotations

from collections.abc import Sequence

from lsm.apply import apply_batch
from lsm.commit.durability import make_durable_locked
from lsm.commit.request import Outcome, Request
from lsm.core import Core
from lsm.keys import EPOCH_KEY, decode_integer
from lsm.write_ahead_log.reader import LogReader


def finish_unfinished_locked(core: Core, in_flight: Sequence[Request]) -> None:
    """Bring memory and log back to the end of the last whole frame. Under the commit mutex.

    Idempotent: an exception in here leaves everything as unfinished as before. Requests in flight are marked done if
    their frame is in the log. Raises `StorageError` when the log cannot be read, synced or cut; writing stays blocked.
    """
    state, _ = core.view
    log = core.logs[state.active.log_number]
    memtable = core.new_memtable(log.number)
    reader = LogReader(log.file)
    for frame in reader.frames():
        apply_batch(memtable, frame.batch, frame.header.first_sequence)
    if reader.end > log.end:
        make_durable_locked(core, log, reader.end)
    if reader.size_bytes > reader.end:
        log.file.truncate(reader.end)
    log.end = reader.end
    log.entry_count = reader.entry_count
    log.last_sequence = reader.last_sequence
    core.history = core.history.extended(memtable)
    rebuilt = state.with_active(memtable)
    core.epochs = ((reader.last_sequence, decode_integer(rebuilt.get(EPOCH_KEY, reader.last_sequence))),)
    core.view = (rebuilt, reader.last_sequence)
    core.publish_locked()
    for request in in_flight:
        if request.outcome is Outcome.PENDING and 0 < request.last_sequence <= reader.last_sequence:
            request.done()
    core.unfinished = False
