"""Rotation: sealing the active memtable together with its log, and starting fresh ones.

A memtable never holds part of a log, so the two change hands in one step: the new log is created, its header saying
where the old one ends, and one assignment swaps the view. Once the attempt has begun, the old log never grows again:
a successor that says where it ends may already lie on the disk, and frames behind that place would be lost. So a
rotation that failed, or was interrupted, is tried again (with a new number, and the higher number counts) before the
next commit.
"""

from __future__ import annotations

import struct

from lsm.core import Core
from lsm.write_ahead_log.header import LogHeader
from lsm.write_ahead_log.writer import LogWriter, create_log

_IDENTITY = struct.Struct("<Q")


def rotate_locked(core: Core) -> None:
    """Seal the active memtable and its log. Under the commit mutex, with no commit unfinished.

    Raises `StorageError` when the new log cannot be made; nothing has changed then, but the next commit tries again.
    """
    core.rotating = True
    state, sequence = core.view
    old = core.logs[state.active.log_number]
    # A log of an attempt that was interrupted is given up: a flush must not take it for the successor of this one.
    core.logs = {number: log for number, log in core.logs.items() if number <= old.number}
    log = create_log(core.directory, successor_header(core, old))
    core.names_unsynced = True
    if old.durable_end < old.end and old not in core.unsynced:
        core.unsynced.append(old)
    core.logs[log.number] = log
    memtable = core.new_memtable(log.number)
    core.history = core.history.extended(memtable)
    core.view = (state.rotated(memtable), sequence)
    core.rotating = False
    core.publish_locked()
    core.state_changed_locked()
    core.notify()


def successor_header(core: Core, old: LogWriter) -> LogHeader:
    """Return the header of a log that follows `old` at its present end, with a fresh number and identity."""
    return LogHeader(
        identity=new_identity(core),
        incarnation=core.incarnation,
        number=core.allocate_file_number_locked(),
        predecessor_number=old.number,
        predecessor_identity=old.identity,
        predecessor_end=old.end,
        predecessor_last_sequence=old.last_sequence,
        predecessor_entry_count=old.entry_count,
        predecessor_durable=old.durable_end >= old.end and not core.unsynced and not core.names_unsynced,
    )


def new_identity(core: Core) -> int:
    """Return a random 64-bit number that is not 0."""
    value: int = _IDENTITY.unpack(core.environment.random_bytes(8))[0]
    return value or 1
