"""The live log: where the next frame goes, and up to where it is known to be on the disk.

Used only under the commit mutex, except `file`, which may be synced by anyone.
"""

from __future__ import annotations

from lsm.environment import Directory, File, write_all
from lsm.errors import StorageError
from lsm.filenames import log_name
from lsm.write_ahead_log.header import LOG_HEADER_BYTES, LogHeader, encode_log_header


class LogWriter:
    """One log file that is open for appending.

    Fields: `end`: offset behind the last committed frame. `durable_end`: all before it is on the disk. `entry_count`
    and `last_sequence`: of the frames up to `end`, which the successor's header repeats. `promised_end`: offset behind
    the last frame without entries, which is there for its promise alone.
    """

    __slots__ = (
        "durable_end",
        "end",
        "entry_count",
        "file",
        "header",
        "identity",
        "last_sequence",
        "number",
        "promised_end",
    )

    def __init__(self, file: File, header: LogHeader) -> None:
        self.file = file
        self.header = header
        self.number = header.number
        self.identity = header.identity
        self.end = LOG_HEADER_BYTES
        self.durable_end = 0
        self.promised_end = 0
        self.entry_count = 0
        self.last_sequence = header.predecessor_last_sequence

    def append(self, data: bytes) -> None:
        """Write whole frames at the committed end; `end` stays. Raises `StorageError` when not all bytes went in."""
        write_all(self.file, self.end, data)

    def cut(self) -> None:
        """Remove what was written behind the committed end. Raises `StorageError`."""
        self.file.truncate(self.end)


def create_log(directory: Directory, header: LogHeader) -> LogWriter:
    """Create the file of a log and write its header; nothing is synced.

    Raises `StorageError`; a file that was created but not written whole is removed again.
    """
    name = log_name(header.number)
    file = directory.open(name, "create")
    try:
        writer = LogWriter(file, header)
        writer.end = 0
        writer.append(encode_log_header(header))
        writer.end = LOG_HEADER_BYTES
    except StorageError:
        file.close()
        directory.unlink(name)
        raise
    return writer
