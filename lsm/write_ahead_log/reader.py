"""Reading a log: its frames in order up to the first break, and the promises that stand behind a break.

Memory: one frame at a time plus a read-ahead of 1 MiB. No length is believed before it is compared with the file's
size.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from lsm.environment import File
from lsm.errors import CorruptionError, FormatError, InvalidArgumentError
from lsm.write_ahead_log.frame import (
    HEADER_BYTES,
    KNOWN_FLAGS,
    SKIPPABLE_FLAGS,
    FrameHeader,
    body_is_valid,
    marker_bytes,
    parse_header,
)
from lsm.write_ahead_log.header import FORMAT_VERSION, IDENTITY_OFFSET, LOG_HEADER_BYTES, LogHeader, parse_log_header
from lsm.write_batch import WriteBatch, decode_batch

_READ_BYTES = 1 << 20


class Frame(NamedTuple):
    """One valid frame: `offset` to `end` in the file."""

    offset: int
    end: int
    header: FrameHeader
    batch: WriteBatch


class LogReader:
    """Iterates over the frames of one log. For one thread.

    After the iteration `end` is the offset behind the last valid frame, and `reason` tells why it stopped there: an
    empty text when the log (or the limit) was reached exactly.
    """

    def __init__(self, file: File) -> None:
        self.file = file
        self.size_bytes = file.size()
        self.header = read_log_header(file)
        self.end = LOG_HEADER_BYTES
        self.last_sequence = self.header.predecessor_last_sequence
        self.entry_count = 0
        self.reason = ""
        self._buffer = b""
        self._buffer_offset = 0

    def frames(self, limit: int | None = None) -> Iterator[Frame]:
        """Yield the frames that end at or before `limit` (bytes; None: the size of the file), up to the first break.

        Raises `FormatError` for a frame that needs a newer release, `StorageError` when reading fails.
        """
        limit = self.size_bytes if limit is None else limit
        while self.end < limit:
            if self.end == self.size_bytes:
                self.reason = f"the log ends at {self.size_bytes}, its successor says {limit}"
                return
            frame = self._next(min(limit, self.size_bytes))
            if frame is None:
                return
            self.end = frame.end
            self.last_sequence = frame.header.first_sequence + frame.header.entry_count - 1
            self.entry_count += frame.header.entry_count
            yield frame

    def _next(self, limit: int) -> Frame | None:
        offset = self.end
        header = parse_header(self._read(offset, HEADER_BYTES), self.header.identity, offset)
        if header is None:
            return self._stopped("no valid frame header")
        end = offset + HEADER_BYTES + header.body_length
        if end > limit:
            return self._stopped(f"a frame of {end - offset} bytes goes beyond the end at {limit}")
        if header.first_sequence != self.last_sequence + 1:
            return self._stopped(f"sequence {header.first_sequence} follows {self.last_sequence}")
        body = self._read(offset + HEADER_BYTES, header.body_length)
        if not body_is_valid(header, body, self.header.identity, offset):
            return self._stopped("checksum of the frame's body does not match")
        if header.flags & ~(KNOWN_FLAGS | SKIPPABLE_FLAGS):
            raise FormatError(self.file.path, FORMAT_VERSION + 1, FORMAT_VERSION)
        try:
            return Frame(offset, end, header, decode_batch(body, header.entry_count))
        except InvalidArgumentError as error:
            return self._stopped(str(error))

    def _stopped(self, reason: str) -> Frame | None:
        """Note why there is no next frame."""
        self.reason = reason
        return None

    def _read(self, offset: int, size: int) -> bytes:
        """Return `size` bytes from `offset` through the read-ahead; fewer at the end of the file."""
        start = offset - self._buffer_offset
        if start < 0 or start + size > len(self._buffer):
            self._buffer = self.file.read_at(offset, max(size, _READ_BYTES))
            self._buffer_offset = offset
            start = 0
        return self._buffer[start : start + size]


def promise_beyond(file: File, log: int, offset: int, *, start: int) -> tuple[int, int] | None:
    """Look behind `start` of a log file for a frame that promises durability beyond `offset` of log number `log`.

    Returns the promised position (log, offset), or None. Works also when the header of the file is damaged. Reads the
    rest of the file once; frame headers are found by the log's marker and believed by their own checksum.
    """
    for identity in possible_identities(file):
        for _, header in frame_headers(file, identity, start):
            if (header.durable_log, header.durable_offset) > (log, offset):
                return header.durable_log, header.durable_offset
    return None


def has_frames(file: File, identity: int) -> bool:
    """Tell whether a log with this identity holds any valid frame header."""
    return any(True for _ in frame_headers(file, identity, LOG_HEADER_BYTES))


def possible_identities(file: File) -> list[int]:
    """Return what may be the identity of the log: as its header has it, and as its first frame has it."""
    found: list[int] = []
    for offset in (IDENTITY_OFFSET, LOG_HEADER_BYTES):
        data = file.read_at(offset, 8)
        if len(data) == 8 and (identity := int.from_bytes(data, "little")) not in found:
            found.append(identity)
    return found


def frame_headers(file: File, identity: int, start: int) -> Iterator[tuple[int, FrameHeader]]:
    """Yield every valid frame header from `start` on with its offset, whatever lies between them."""
    marker = marker_bytes(identity)
    size_bytes = file.size()
    for position in range(start, size_bytes, _READ_BYTES):
        data = file.read_at(position, _READ_BYTES + HEADER_BYTES)
        found = data.find(marker)
        while 0 <= found < _READ_BYTES:
            header = parse_header(data[found : found + HEADER_BYTES], identity, position + found)
            if header is not None:
                yield position + found, header
            found = data.find(marker, found + 1)


def read_log_header(file: File) -> LogHeader:
    """Return the header of a log file.

    Raises `CorruptionError` when it is damaged or cut off, `FormatError` when a newer release wrote it.
    """
    return parse_log_header(file.read_at(0, LOG_HEADER_BYTES), file.path)


def read_headers(files: dict[int, File]) -> dict[int, LogHeader]:
    """Return the valid headers of the logs, by number; a log with a damaged header, or another number, is left out."""
    headers: dict[int, LogHeader] = {}
    for number, file in files.items():
        try:
            header = read_log_header(file)
        except CorruptionError:
            continue
        if header.number == number:
            headers[number] = header
    return headers
