"""Logs made by hand on a simulated disk, frame by frame."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from lsm.environment import Directory, File
from lsm.filenames import log_name
from lsm.memtable import Memtable
from lsm.recovery import Replay, replay_logs
from lsm.testing import SimulatedFileSystem
from lsm.version import LogReference
from lsm.write_ahead_log.frame import encode_frame
from lsm.write_ahead_log.header import LOG_HEADER_BYTES, LogHeader, encode_log_header
from lsm.write_batch import WriteBatch, encode_batch

IDENTITY = 0x0102030405060708


def new_directory() -> Directory:
    """Return an empty directory of a new simulated disk."""
    filesystem = SimulatedFileSystem()
    filesystem.create_directory("/data")
    return filesystem.open_directory("/data")


def put_batch(*keys: bytes) -> WriteBatch:
    """Return a batch that puts each key with the value `v`."""
    batch = WriteBatch()
    for key in keys:
        batch.put(key, b"v")
    return batch


class LogBytes:
    """The bytes of a log, grown by one frame after the other; keeps count as a writer does."""

    def __init__(
        self, number: int = 1, *, after: LogBytes | None = None, durable: bool = False, identity: int | None = None
    ) -> None:
        """Begin the log with this number, the first one or the one after another."""
        self.number = number
        self.identity = IDENTITY + number if identity is None else identity
        self.header = LogHeader(self.identity, 99, number)
        self.last_sequence = 0
        self.entry_count = 0
        if after is not None:
            self.last_sequence = after.last_sequence
            self.header = self.header._replace(
                predecessor_number=after.number,
                predecessor_identity=after.identity,
                predecessor_end=after.end,
                predecessor_last_sequence=after.last_sequence,
                predecessor_entry_count=after.entry_count,
                predecessor_durable=durable,
            )
        self.content = encode_log_header(self.header)
        self.ends = [LOG_HEADER_BYTES]

    @property
    def end(self) -> int:
        """The offset behind the last frame."""
        return len(self.content)

    def add(self, batch: WriteBatch, *, promise: tuple[int, int] = (0, 0), sequence: int | None = None) -> LogBytes:
        """Append a frame, which promises that all before (log, offset) is durable; return the log."""
        first = self.last_sequence + 1 if sequence is None else sequence
        self.content += encode_frame(self.identity, self.end, first, len(batch), promise, encode_batch(batch))
        self.last_sequence = first + len(batch) - 1
        self.entry_count += len(batch)
        self.ends.append(self.end)
        return self

    def put(self, *keys: bytes, promise: tuple[int, int] = (0, 0)) -> LogBytes:
        """Append a frame that puts keys."""
        return self.add(put_batch(*keys), promise=promise)

    def write(self, directory: Directory, content: bytes | None = None) -> File:
        """Write the file, with another content if one is given; return it opened."""
        data = self.content if content is None else content
        file = directory.open(log_name(self.number), "create")
        if data:
            file.write_at(0, data)
        return file


def write_logs(directory: Directory, logs: Sequence[LogBytes]) -> None:
    """Write several logs."""
    for log in logs:
        log.write(directory)


def replay(
    directory: Directory,
    oldest: LogBytes,
    *,
    last_sequence: int = 0,
    promised: tuple[int, int] = (0, 0),
    salvage: bool = False,
    sync: bool = False,
) -> Replay:
    """Replay the logs of a directory."""
    return replay_logs(
        directory,
        LogReference(oldest.number, oldest.identity),
        lambda number: Memtable(number, threading.Lock()),
        last_sequence=last_sequence,
        promised=promised,
        salvage=salvage,
        sync=sync,
    )


def keys(found: Replay) -> list[list[bytes]]:
    """Return the keys in the memtable of each log."""
    return [[key for run, _ in log.memtable.runs(None, None, 1 << 60) for key in run] for log in found.logs]


def replayed(logs: Sequence[LogBytes], *, salvage: bool = False) -> Replay:
    """Write logs and replay them from the first one."""
    directory = new_directory()
    write_logs(directory, logs)
    return replay(directory, logs[0], salvage=salvage)
