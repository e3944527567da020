"""Replaying the logs: which logs count, where the valid log ends, and whether what is missing was promised.

The chain begins with the log that the manifest names; each next log is the one whose header names the last one as its
predecessor (of several, the highest number). A log with a successor ends where the successor says; the last one ends at
its first break: a frame that is cut off, does not match its checksums or does not continue the sequence.

Behind the break nothing counts. If any valid frame there, in this log or a later one, promises that the log was durable
beyond the break, or a later header says that a damaged predecessor was, then acknowledged commits are missing: that is
corruption, not a torn tail. Everything replayed is a prefix of the commit order, so nothing is ever in the middle lost.

Nothing is changed here: no file is truncated, copied or written. The files are synced before they are believed, since
a killed process may have left bytes in the page cache that were never durable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from lsm.apply import apply_batch
from lsm.environment import Directory, File
from lsm.errors import CorruptionError, StorageError
from lsm.filenames import log_name, parse_name
from lsm.memtable import Memtable
from lsm.version import LogReference
from lsm.write_ahead_log.header import LOG_HEADER_BYTES, LogHeader
from lsm.write_ahead_log.reader import LogReader, promise_beyond, read_headers, read_log_header
from lsm.write_ahead_log.writer import LogWriter


class ReplayedLog(NamedTuple):
    """One log of the chain and the memtable that holds it."""

    writer: LogWriter
    memtable: Memtable
    frame_count: int


class Break(NamedTuple):
    """Where the valid log ends although more bytes follow."""

    name: str
    offset: int
    reason: str
    dropped_bytes: int
    promised: bool


class Replay(NamedTuple):
    """The outcome: logs oldest first; `sync_failed` says that what was read may not be durable."""

    logs: list[ReplayedLog]
    broken: Break | None
    sync_failed: bool


def find_chain(headers: Mapping[int, LogHeader], oldest: LogReference) -> list[int]:
    """Return the numbers of the logs that continue one another, beginning with `oldest`, which must be among them."""
    successors: dict[tuple[int, int], int] = {}
    for number in sorted(headers):
        header = headers[number]
        successors[header.predecessor_number, header.predecessor_identity] = number
    chain = [oldest.number]
    while True:
        last = headers[chain[-1]]
        following = successors.get((last.number, last.identity))
        if following is None or following <= chain[-1]:
            return chain
        chain.append(following)


def replay_logs(
    directory: Directory,
    oldest: LogReference,
    new_memtable: Callable[[int], Memtable],
    *,
    last_sequence: int,
    salvage: bool,
    sync: bool,
) -> Replay:
    """Replay the chain of logs that begins with `oldest`; every log becomes a memtable.

    last_sequence: of the tables; the first log must continue it. sync: make the logs durable before reading them.
    Raises `CorruptionError` naming file and offset when promised commits are missing (unless `salvage`), `FormatError`
    for logs of a newer release, `StorageError` when reading fails.
    """
    files = _open_logs(directory, oldest)
    headers = read_headers(files)
    _check_oldest(f"{directory.path}/{log_name(oldest.number)}", files, headers, oldest, last_sequence)
    chain = find_chain(headers, oldest)
    sync_failed = sync and not _sync_all([files[number] for number in chain])
    logs: list[ReplayedLog] = []
    for place, number in enumerate(chain):
        successor = headers[chain[place + 1]] if place + 1 < len(chain) else None
        reader = LogReader(files[number])
        logs.append(_replay_one(reader, successor, new_memtable))
        end_wanted = reader.size_bytes if successor is None else successor.predecessor_end
        if reader.end < end_wanted or successor is None:
            broken = _judge(reader, files, number)
            if broken is not None and broken.promised and not salvage:
                raise CorruptionError(reader.file.path, reader.end, broken.reason)
            return Replay(logs, broken, sync_failed)
    return Replay(logs, None, sync_failed)


def _open_logs(directory: Directory, oldest: LogReference) -> dict[int, File]:
    """Open every log that may belong to the chain."""
    files: dict[int, File] = {}
    for name in directory.names():
        parsed = parse_name(name)
        if parsed is not None and parsed[0] == "log" and parsed[1] >= oldest.number:
            files[parsed[1]] = directory.open(name, "read")
    return files


def _check_oldest(
    path: str, files: Mapping[int, File], headers: Mapping[int, LogHeader], oldest: LogReference, last_sequence: int
) -> None:
    """Raise `CorruptionError` unless the log that the manifest names is there, itself and whole in its header."""
    file = files.get(oldest.number)
    if file is None:
        raise CorruptionError(path, 0, "the manifest needs this log, but it is missing")
    header = headers.get(oldest.number)
    if header is None:
        header = read_log_header(file)
        raise CorruptionError(file.path, 0, f"the header says that this is log {header.number}")
    if header.identity != oldest.identity:
        raise CorruptionError(file.path, 0, "this is another log than the one the manifest names")
    if header.predecessor_last_sequence != last_sequence:
        found = header.predecessor_last_sequence
        raise CorruptionError(file.path, 0, f"the log begins after sequence {found}, the tables end at {last_sequence}")


def _sync_all(files: list[File]) -> bool:
    """Sync every file, whatever becomes of the others; tell whether all went well."""
    failed = False
    for file in files:
        try:
            file.sync()
        except StorageError:
            failed = True
    return not failed


def _replay_one(reader: LogReader, successor: LogHeader | None, new_memtable: Callable[[int], Memtable]) -> ReplayedLog:
    """Read one log up to its end or its break."""
    memtable = new_memtable(reader.header.number)
    frame_count = 0
    for frame in reader.frames(None if successor is None else successor.predecessor_end):
        apply_batch(memtable, frame.batch, frame.header.first_sequence)
        frame_count += 1
    writer = LogWriter(reader.file, reader.header)
    writer.end = writer.durable_end = reader.end
    writer.entry_count = reader.entry_count
    writer.last_sequence = reader.last_sequence
    return ReplayedLog(writer, memtable, frame_count)


def _judge(reader: LogReader, files: Mapping[int, File], number: int) -> Break | None:
    """Say whether anything was dropped behind the end of log `number`, and whether it had been promised."""
    dropped = max(reader.size_bytes - reader.end, 0)
    promised = promise_beyond(reader.file, number, reader.end, start=reader.end) is not None
    for other in sorted(files):
        if other > number:
            dropped += max(files[other].size() - LOG_HEADER_BYTES, 0)
            promised = promised or _promises(files[other], number, reader.end)
    if not dropped and not promised:
        return None
    reason = reader.reason or "the logs after it do not continue it"
    if promised:
        reason += "; a later frame says that the log was durable beyond this place"
    return Break(log_name(number), reader.end, reason, dropped, promised)


def _promises(file: File, number: int, end: int) -> bool:
    """Tell whether a log behind the break says that everything up to beyond (`number`, `end`) was durable."""
    if promise_beyond(file, number, end, start=LOG_HEADER_BYTES) is not None:
        return True
    try:
        header = read_log_header(file)
    except CorruptionError:
        return False
    return header.predecessor_durable and (header.predecessor_number, header.predecessor_end) > (number, end)
