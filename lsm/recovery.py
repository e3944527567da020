"""Replaying the logs: which logs count, where the valid log ends, and whether what is missing was promised.

The chain begins with the log that the manifest names; each next log is the one whose header names the last one as its
predecessor (of several, the highest number). A log with a successor ends where the successor says; the last one ends at
its first break: a frame that is cut off, does not match its checksums or does not continue the sequence.

Behind the break nothing counts. Acknowledged commits are missing, which is corruption and no torn tail, if anything
says that more was durable: a valid frame there, in this log or a later one; the header of a later log about its
predecessor; a record of SHARED; or a later log that a crash cannot have left (`_is_foreign`). Everything replayed is a
prefix of the commit order, so nothing is ever in the middle lost.

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
from lsm.write_ahead_log.reader import LogReader, has_frames, promise_beyond, read_headers, read_log_header
from lsm.write_ahead_log.writer import LogWriter

Position = tuple[int, int]
"""A place in the logs: number of a log, offset in it."""


class ReplayedLog(NamedTuple):
    """One log of the chain and the memtable that holds it."""

    writer: LogWriter
    memtable: Memtable
    frame_count: int


class Break(NamedTuple):
    """Where the valid log ends although more bytes follow, or should follow.

    `damage` tells which promise is broken, and where; None for a torn end.
    """

    name: str
    offset: int
    reason: str
    dropped_bytes: int
    damage: CorruptionError | None

    @property
    def promised(self) -> bool:
        """Whether what is missing had been durable."""
        return self.damage is not None


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
    promised: Position,
    salvage: bool,
    sync: bool,
) -> Replay:
    """Replay the chain of logs that begins with `oldest`; every log becomes a memtable.

    last_sequence: of the tables; the first log must continue it. promised: the place up to which SHARED says that the
    logs were durable. sync: make the logs and their names durable before reading them, or a power loss could leave a
    newer log that relies on one whose name is gone.
    Raises `CorruptionError` naming file and offset when promised commits are missing (unless `salvage`), `FormatError`
    for logs of a newer release, `StorageError` when reading fails.
    """
    files = _open_logs(directory, oldest)
    headers = read_headers(files)
    _check_oldest(f"{directory.path}/{log_name(oldest.number)}", files, headers, oldest, last_sequence)
    chain = find_chain(headers, oldest)
    sync_failed = sync and not _sync_all([files[number] for number in chain])
    if sync:
        directory.sync()
    logs: list[ReplayedLog] = []
    for place, number in enumerate(chain):
        successor = headers[chain[place + 1]] if place + 1 < len(chain) else None
        reader = LogReader(files[number])
        logs.append(_replay_one(reader, successor, new_memtable))
        end_wanted = reader.size_bytes if successor is None else successor.predecessor_end
        if reader.end < end_wanted or successor is None:
            known = frozenset(headers[member].incarnation for member in chain[: place + 1])
            broken = _judge(reader, {later: files[later] for later in files if later > number}, known, promised)
            if broken is not None and broken.damage is not None and not salvage:
                raise broken.damage
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


def _judge(
    reader: LogReader, later: Mapping[int, File], incarnations: frozenset[int], promised: Position
) -> Break | None:
    """Say whether anything was dropped behind the end of the chain, and whether it had been promised.

    reader: of the last log, at its end. later: the logs with higher numbers. incarnations: of the logs in the chain.
    """
    dropped = max(reader.size_bytes - reader.end, 0)
    dropped += sum(max(file.size() - LOG_HEADER_BYTES, 0) for file in later.values())
    damage = _broken_promise(reader, later, promised)
    if damage is None:
        foreign = (number for number in sorted(later) if _is_foreign(later[number], number, incarnations))
        damage = next((_uncontinued(reader, later[number]) for number in foreign), None)
    if not dropped and damage is None:
        return None
    reason = damage.reason if damage is not None else reader.reason or "the logs after it do not continue it"
    return Break(log_name(reader.header.number), reader.end, reason, dropped, damage)


def _broken_promise(reader: LogReader, later: Mapping[int, File], promised: Position) -> CorruptionError | None:
    """Return the damage if a frame, a header or SHARED says that the logs were durable beyond the end of the chain."""
    path, number, end = reader.file.path, reader.header.number, reader.end
    if promise_beyond(reader.file, number, end, start=end) is not None:
        reason = f"{reader.reason}; a later frame says that the log was durable beyond this place"
        return CorruptionError(path, end, reason)
    for other in sorted(later):
        if _promises(later[other], number, end):
            if reader.reason:
                reason = f"{reader.reason}; {log_name(other)} says that the log was durable beyond this place"
                return CorruptionError(path, end, reason)
            return _uncontinued(reader, later[other])
    if promised <= (number, end):
        return None
    if promised[0] == number or reader.reason:
        reason = reader.reason or "the log ends here"
        return CorruptionError(path, end, f"{reason}; SHARED says that it was durable up to {promised[1]}")
    if promised[0] in later:
        return _uncontinued(reader, later[promised[0]])
    missing = f"{path.rpartition('/')[0]}/{log_name(promised[0])}"
    return CorruptionError(missing, 0, "SHARED says that this log was durable, but it is missing")


def _uncontinued(reader: LogReader, file: File) -> CorruptionError:
    """Return what is wrong with a log that should continue the last one of the chain, which is whole."""
    try:
        header = read_log_header(file)
    except CorruptionError as damage:
        return damage
    if not file.path.endswith("/" + log_name(header.number)):
        return CorruptionError(file.path, 0, f"this is {log_name(header.number)} under another name")
    wanted = log_name(reader.header.number)
    return CorruptionError(
        file.path,
        0,
        f"log {header.number} continues {log_name(header.predecessor_number)}, but the last one is {wanted}",
    )


def _promises(file: File, number: int, end: int) -> bool:
    """Tell whether a log behind the break says that everything up to beyond (`number`, `end`) was durable."""
    if promise_beyond(file, number, end, start=LOG_HEADER_BYTES) is not None:
        return True
    try:
        header = read_log_header(file)
    except CorruptionError:
        return False
    return header.predecessor_durable and (header.predecessor_number, header.predecessor_end) > (number, end)


def _is_foreign(file: File, number: int, incarnations: frozenset[int]) -> bool:
    """Tell whether a log outside of the chain cannot have been left by a crash.

    A crash leaves logs of the chain's incarnations, whose predecessor was never durable; the log of a recovery that did
    not come to its end, which has no frames; and a name whose blocks still show the header of a log that was removed.
    What is left is a log of another database, another one of ours under a wrong number, or one whose predecessor
    somebody removed.
    """
    try:
        header = read_log_header(file)
    except CorruptionError:
        return False
    is_ours = header.number == number and header.incarnation in incarnations
    return not is_ours and has_frames(file, header.identity)
