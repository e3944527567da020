"""The commits in the logs of a damaged directory, in order, past what is broken.

Frames behind a broken one are found by the log's marker and believed by their own checksums, which are salted with
their place. They are newer than everything before the hole, and are applied after it, never under it. What the hole
means is in the report: its changes are lost, so any key may have the value that it had before.

Where nothing promises durability beyond a break, it is a torn end, and all behind it is left out, as recovery does.

Reads the logs twice: once for the promises, once for the commits. Memory: one frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lsm.environment import Directory, File
from lsm.errors import CorruptionError, FormatError, InvalidArgumentError
from lsm.filenames import log_name
from lsm.recovery import Position
from lsm.repair.log_order import LogPart
from lsm.repair.report import Findings
from lsm.write_ahead_log.frame import HEADER_BYTES, KNOWN_FLAGS, SKIPPABLE_FLAGS, FrameHeader, body_is_valid
from lsm.write_ahead_log.header import FORMAT_VERSION, LOG_HEADER_BYTES, LogHeader
from lsm.write_ahead_log.reader import frame_headers, possible_identities, read_log_header
from lsm.write_batch import WriteBatch, decode_batch


class LogSalvage:
    """Reads the logs of one directory; `commits` may be iterated once."""

    def __init__(
        self, directory: Directory, parts: Sequence[LogPart], last_sequence: int, promised: Position, findings: Findings
    ) -> None:
        """Read `parts`, oldest first, on top of tables that end with `last_sequence`; `promised`: what SHARED says."""
        self._directory = directory
        self._parts = parts
        self._findings = findings
        self._promised = promised
        self._stopped = False
        self._hole: tuple[str, int, str] | None = None
        """The last damaged place (file, offset, reason) until it is known what was in it."""
        self.last_sequence = last_sequence
        """Of what was read so far, or is known to be lost."""
        self.logs = self.commits = 0

    def batches(self) -> Iterator[WriteBatch]:
        """Yield the commits that are not in the tables, oldest first, and note what is lost."""
        for part in self._parts:
            if not part.problem:
                self._promised = max([self._promised, *self._promises(part)])
        for part in self._parts:
            if self._stopped:
                self._drop(part, LOG_HEADER_BYTES)
            elif part.problem:
                self._break(part, 0, part.problem, certain=part is self._parts[0] or part.limit is None)
            else:
                yield from self._log(part)
        self._check_end()

    def _promises(self, part: LogPart) -> Iterator[Position]:
        """Yield the places up to which the logs were durable, as a log says."""
        file = self._open(part)
        header = _header(file)
        if header is not None and header.predecessor_durable:
            yield header.predecessor_number, header.predecessor_end
        for identity in possible_identities(file):
            for offset, frame in frame_headers(file, identity, LOG_HEADER_BYTES):
                if part.limit is None or offset < part.limit:
                    yield frame.durable_log, frame.durable_offset

    def _log(self, part: LogPart) -> Iterator[WriteBatch]:
        """Yield the commits of one log."""
        self.logs += 1
        file = self._open(part)
        header = _header(file)
        if header is not None:
            self._expect(part, LOG_HEADER_BYTES, header.predecessor_last_sequence)
        end = LOG_HEADER_BYTES
        limit = file.size() if part.limit is None else part.limit
        for offset, frame, batch in _valid_frames(file, min(limit, file.size())):
            if offset != end and not self._break(part, end, "the log is damaged here", certain=False):
                break
            end = offset + HEADER_BYTES + frame.body_length
            first, last = frame.first_sequence, frame.first_sequence + frame.entry_count - 1
            self._expect(part, offset, first - 1)
            if last > self.last_sequence:
                self.last_sequence = last
                self.commits += 1
                yield batch
        if end < limit and not self._stopped:
            self._break(part, end, "the log is damaged or cut off here", certain=False)
        if self._stopped:
            self._drop(part, end)

    def _expect(self, part: LogPart, offset: int, last_sequence: int) -> None:
        """Compare what was read so far with what comes next; commits that are missing in between are a loss."""
        count = last_sequence - self.last_sequence
        if self._stopped or count < 0:
            return
        name, place, reason = self._hole or (log_name(part.number), offset, "commits before this place are missing")
        self._hole = None
        if count:
            reason += f"; {count:,} changes (sequences {self.last_sequence + 1} to {last_sequence}) are lost"
            self._findings.lost(name, place, b"", None, reason)
            self.last_sequence = last_sequence

    def _break(self, part: LogPart, offset: int, reason: str, *, certain: bool) -> bool:
        """Decide what a break is: damage, of which is told later, or the torn end, behind which nothing counts.

        certain: it is damage whatever was promised. Return whether to go on.
        """
        if certain or self._promised > (part.number, offset):
            self._hole = self._hole or (log_name(part.number), offset, reason)
            return True
        self._stopped = True
        return False

    def _drop(self, part: LogPart, offset: int) -> None:
        """Count what is behind the torn end."""
        if not part.problem:
            self._findings.dropped_bytes += max(self._open(part).size() - offset, 0)

    def _check_end(self) -> None:
        """Note a loss if the last place is a damaged one, or something promised more than the last log has."""
        if self._stopped or not self._parts:
            return
        last = self._parts[-1]
        if self._hole is None and not last.problem:
            size_bytes = self._open(last).size()
            if self._promised > (last.number, size_bytes):
                number, offset = self._promised
                reason = f"the logs were durable up to offset {offset} of {log_name(number)}, but end here"
                self._hole = log_name(last.number), size_bytes, reason
        if self._hole is not None:
            name, place, reason = self._hole
            self._findings.lost(
                name, place, b"", None, f"{reason}; commits after sequence {self.last_sequence} are lost"
            )

    def _open(self, part: LogPart) -> File:
        return self._directory.open(log_name(part.number), "read")


def _valid_frames(file: File, limit: int) -> Iterator[tuple[int, FrameHeader, WriteBatch]]:
    """Yield every frame that is whole and ends at or before `limit`, with its offset."""
    for identity in possible_identities(file):
        end = 0
        found = False
        for offset, header in frame_headers(file, identity, LOG_HEADER_BYTES):
            if offset < end or offset + HEADER_BYTES + header.body_length > limit:
                continue
            batch = _batch(file, offset, header, identity)
            if batch is not None:
                found = True
                end = offset + HEADER_BYTES + header.body_length
                yield offset, header, batch
        if found:
            return


def _batch(file: File, offset: int, header: FrameHeader, identity: int) -> WriteBatch | None:
    """Return the commit of a frame, or None when its body is damaged."""
    body = file.read_at(offset + HEADER_BYTES, header.body_length)
    if not body_is_valid(header, body, identity, offset):
        return None
    if header.flags & ~(KNOWN_FLAGS | SKIPPABLE_FLAGS):
        raise FormatError(file.path, FORMAT_VERSION + 1, FORMAT_VERSION)
    try:
        return decode_batch(body, header.entry_count)
    except InvalidArgumentError:
        return None


def _header(file: File) -> LogHeader | None:
    try:
        return read_log_header(file)
    except CorruptionError:
        return None
