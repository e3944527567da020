"""Defects of commits and recovery: what is half there, what is believed, and what is made of a failed call."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any

import lsm
from lsm.checksum import extend, place_salt
from lsm.commit.pipeline import CommitPipeline
from lsm.commit.request import Request
from lsm.core import Core
from lsm.database import Parts
from lsm.environment import Directory, File
from lsm.errors import CorruptionError, DiskFullError, StorageError
from lsm.filenames import table_name
from lsm.install import Installer
from lsm.manifest import Manifest
from lsm.memtable import Memtable
from lsm.recovery import ReplayedLog
from lsm.shared_page import Promise
from lsm.tables import TableSet
from lsm.version import Version
from lsm.write_ahead_log.frame import HEADER_BYTES, parse_header
from lsm.write_ahead_log.header import LOG_HEADER_BYTES, LogHeader
from lsm.write_ahead_log.reader import Frame, LogReader
from lsm.write_ahead_log.writer import LogWriter
from tests.defects.defect import NO_SPACE, TOO_MANY, Defect, Patch, instead

SECTOR_BYTES = 512
BODY_CRC_OFFSET = 48
CRC = struct.Struct("<I")


def batch_in_two_frames(patch: Patch) -> None:
    """A batch goes to the log in two frames."""

    def make(commit: Any) -> Any:
        def wrong(self: CommitPipeline, request: Request) -> int:
            batch = request.batch
            if batch is not None and len(batch) > 1 and request.resolver is None:
                for keys, values in ((batch.keys[:1], batch.values[:1]), (batch.keys[1:], batch.values[1:])):
                    part = lsm.WriteBatch()
                    part.keys, part.values = keys, values
                    last: int = commit(self, Request(part, None, sync=request.sync, size_bytes=batch.size_bytes))
                return last
            return int(commit(self, request))

        return wrong

    instead(patch, "lsm.commit.pipeline:CommitPipeline.commit", make)


def torn_frames_believed(patch: Patch) -> None:
    """The body of a frame is believed without its checksum."""
    patch.setattr("lsm.write_ahead_log.reader.body_is_valid", lambda *_: True)


def first_sector_checked(patch: Patch) -> None:
    """The checksum of a frame covers the first sector of its body only."""

    def make_encode(encode: Any) -> Any:
        def wrong(identity: int, offset: int, first: int, count: int, durable: tuple[int, int], body: bytes) -> bytes:
            salt = place_salt(identity, offset)
            fields = bytes(encode(identity, offset, first, count, durable, body)[:BODY_CRC_OFFSET])
            fields += CRC.pack(extend(salt, body[:SECTOR_BYTES]))
            return fields + CRC.pack(extend(salt, fields)) + body

        return wrong

    def make_valid(valid: Any) -> Any:
        def wrong(header: Any, body: bytes, identity: int, offset: int) -> bool:
            short = body[:SECTOR_BYTES]
            return bool(valid(header._replace(body_length=len(short)), short, identity, offset))

        return wrong

    instead(patch, "lsm.commit.pipeline:encode_frame", make_encode)
    instead(patch, "lsm.write_ahead_log.reader:body_is_valid", make_valid)


def holes_stepped_over(patch: Patch) -> None:
    """Recovery goes on behind a damaged frame, with the next one that it finds."""

    def make(following: Any) -> Any:
        def wrong(self: LogReader, limit: int) -> Frame | None:
            begin = self.end
            for offset in range(begin, limit):
                self.end = offset
                header = parse_header(self._read(offset, HEADER_BYTES), self.header.identity, offset)
                if header is not None:
                    self.last_sequence = header.first_sequence - 1
                    frame: Frame | None = following(self, limit)
                    if frame is not None:
                        return frame
            self.end = begin
            return self._stopped("nothing follows")

        return wrong

    instead(patch, "lsm.write_ahead_log.reader:LogReader._next", make)


def zeros_are_fatal(patch: Patch) -> None:
    """A log whose header never came to the disk is taken for damage, if the file is as long as a header."""

    def make(read: Any) -> Any:
        def wrong(files: dict[int, File]) -> dict[int, LogHeader]:
            headers: dict[int, LogHeader] = read(files)
            for number, file in files.items():
                if number not in headers and not any(file.read_at(0, LOG_HEADER_BYTES)) and file.size():
                    raise CorruptionError(file.path, 0, "the header is all zeros")
            return headers

        return wrong

    instead(patch, "lsm.recovery:read_headers", make)


def torn_tail_kept(patch: Patch) -> None:
    """Recovery takes the length of the last log, torn end included, for the end of its frames."""

    def make(replay: Any) -> Any:
        def wrong(
            opened: LogReader, successor: LogHeader | None, new_memtable: Callable[[int], Memtable]
        ) -> ReplayedLog:
            found: ReplayedLog = replay(opened, successor, new_memtable)
            if successor is None:
                found.writer.end = found.writer.durable_end = opened.size_bytes
            return found

        return wrong

    instead(patch, "lsm.recovery:_replay_one", make)


def numbers_reused(patch: Patch) -> None:
    """After a crash file numbers go on where the manifest was, whatever lies in the directory."""
    patch.setattr("lsm.opening._next_number", lambda *of: of[-2].next_file_number)


def damage_is_a_torn_end(patch: Patch) -> None:
    """Whatever stands behind a bad frame, it counts as the end of the log."""
    patch.setattr("lsm.recovery._broken_promise", lambda *_: None)
    patch.setattr("lsm.recovery._is_foreign", lambda *_: False)


def frames_copied(patch: Patch) -> None:
    """Recovery writes what it replayed into the new log as well."""

    def make(recover: Any) -> Any:
        def wrong(*arguments: Any) -> Parts:
            parts: Parts = recover(*arguments)
            core = parts.core
            for number in sorted(core.logs)[:-1]:
                for frame in LogReader(core.logs[number].file).frames(core.logs[number].end):
                    if len(frame.batch):
                        parts.pipeline.commit(Request(frame.batch, None, sync=False, size_bytes=100))
            return parts

        return wrong

    instead(patch, "lsm.opening:_recover", make)


def replayed_logs_removed(patch: Patch) -> None:
    """Recovery removes the logs that it has replayed, though they are only in memory."""

    def make(remove: Any) -> Any:
        def wrong(core: Core, manifest: Manifest) -> tuple[str, ...]:
            kept = core.logs
            core.logs = {number: log for number, log in kept.items() if number == max(kept)}
            removed: tuple[str, ...] = remove(core, manifest)
            core.logs = kept
            return removed

        return wrong

    instead(patch, "lsm.opening:remove_leftovers", make)


def newest_memtable_only(patch: Patch) -> None:
    """A flush writes the newest of the sealed memtables and forgets the older ones."""
    instead(
        patch,
        "lsm.flush:_write_table",
        lambda write: lambda new, options, sealed, *rest: write(new, options, sealed[:1], *rest),
    )


def failed_append_left(patch: Patch) -> None:
    """What a failed append has left in the log stays there, and the next frame goes behind it."""

    def wrong(self: LogWriter) -> None:
        self.end = self.file.size()

    patch.setattr(LogWriter, "cut", wrong)


def short_writes_ignored(patch: Patch) -> None:
    """A write is made once; how many bytes it took is not looked at."""

    def wrong(file: File, offset: int, data: bytes) -> None:
        file.write_at(offset, data)

    for module in ("manifest", "checkpoint", "shared_page", "write_ahead_log.writer", "sstable.writer"):
        instead(patch, f"lsm.{module}:write_all", lambda _: wrong)


def unreadable_is_the_end(patch: Patch) -> None:
    """A log that cannot be read counts as one that has ended."""

    def make(read: Any) -> Any:
        def wrong(self: LogReader, offset: int, size: int) -> bytes:
            try:
                return bytes(read(self, offset, size))
            except StorageError:
                return b""

        return wrong

    instead(patch, "lsm.write_ahead_log.reader:LogReader._read", make)


def unopened_tables_left_out(patch: Patch) -> None:
    """A table that cannot be opened because too many files are open is left out."""

    def make(open_all: Any) -> Any:
        def wrong(directory: Directory, version: Version, *rest: Any) -> TableSet:
            try:
                opened: TableSet = open_all(directory, version, *rest)
            except StorageError as error:
                if error.errno != TOO_MANY:
                    raise
                lost = error.path.rpartition("/")[2]
                levels = tuple(
                    tuple(table for table in tables if table_name(table.number) != lost) for tables in version.levels
                )
                return wrong(directory, Version(levels, version.last_sequence), *rest)
            return opened

        return wrong

    instead(patch, "lsm.opening:open_tables", make)
    instead(patch, "lsm.install:open_tables", make)


def inputs_cleaned_up(patch: Patch) -> None:
    """Cleaning up after a compaction that failed takes tables of level 0 as well."""

    def make(discard: Any) -> Any:
        def wrong(self: Installer, numbers: Iterator[int]) -> None:
            discard(self, [*numbers, *(table.number for table in self.manifest.version.levels[0])])

        return wrong

    instead(patch, "lsm.install:Installer.discard", make)


def full_for_ever(patch: Patch) -> None:
    """Once the disk was full, every write is refused until the database is opened again."""
    full: list[Core] = []

    def make(undo: Any) -> Any:
        def wrong(self: CommitPipeline, log: LogWriter, error: StorageError) -> StorageError:
            if error.errno == NO_SPACE:
                full.append(self._core)
            result: StorageError = undo(self, log, error)
            return result

        return wrong

    def make_check(check: Any) -> Any:
        def wrong(self: Core) -> None:
            check(self)
            if self in full:
                raise DiskFullError(self.path, "write", NO_SPACE, "the disk was full")

        return wrong

    instead(patch, "lsm.commit.pipeline:CommitPipeline._undo_append_locked", make)
    instead(patch, "lsm.core:Core.check_writable_locked", make_check)
    patch.setattr(CommitPipeline, "commit_entry", CommitPipeline._commit_alone)


def failed_install_shown(patch: Patch) -> None:
    """A version whose manifest or CURRENT could not be written is used all the same, and old files are removed."""

    def make(switch: Any) -> Any:
        def wrong(self: Installer, manifest: Manifest) -> None:
            try:
                switch(self, manifest)
            except StorageError:
                return

        return wrong

    instead(patch, "lsm.install:Installer._switch", make)


def shown_before_it_is_durable(patch: Patch) -> None:
    """A flush swaps the view before its version is on the disk; when that fails, memory has forgotten the memtables."""

    def make(switch: Any) -> Any:
        def wrong(self: Installer, manifest: Manifest) -> None:
            before = self._manifest
            self._publish(manifest, self._open(manifest.version))
            self._manifest = before
            switch(self, manifest)

        return wrong

    instead(patch, "lsm.install:Installer._switch", make)


def memtable_kept(patch: Patch) -> None:
    """After an exception in the middle of a commit its memtable is used on as it is."""

    def wrong(core: Core, in_flight: object) -> None:
        core.unfinished = False

    patch.setattr("lsm.commit.pipeline.finish_unfinished_locked", wrong)


def frames_without_promise(patch: Patch) -> None:
    """Frames do not say what was durable, and neither do headers nor SHARED."""

    def make(encode: Any) -> Any:
        return lambda identity, offset, first, count, durable, body: encode(
            identity, offset, first, count, (0, 0), body
        )

    instead(patch, "lsm.commit.pipeline:encode_frame", make)
    instead(
        patch,
        "lsm.commit.rotation:successor_header",
        lambda make: lambda *of: make(*of)._replace(predecessor_durable=False),
    )
    patch.setattr("lsm.opening.read_promise", lambda _: Promise())


DEFECTS = [
    Defect("a batch in two frames", batch_in_two_frames, "kill"),
    Defect("torn frames are believed", torn_frames_believed, "torn writes"),
    Defect("a checksum over the first sector only", first_sector_checked, "torn writes"),
    Defect("holes in the log are stepped over", holes_stepped_over, "reordered writes"),
    Defect("a log of zeros makes the database unusable", zeros_are_fatal, "length without content"),
    Defect("a torn tail is kept", torn_tail_kept, "torn writes"),
    Defect("file numbers are used again", numbers_reused, "kill"),
    Defect("damage in the middle is taken for a torn end", damage_is_a_torn_end, "bits at rest"),
    Defect("nothing tells what was durable", frames_without_promise, "bits at rest"),
    Defect("recovery copies frames into the new log", frames_copied, "crash in recovery"),
    Defect("recovery removes the logs that it replayed", replayed_logs_removed, "kill, then power loss"),
    Defect("a flush forgets older memtables", newest_memtable_only, "kill"),
    Defect("appending goes on behind a failed append", failed_append_left, "EIO on write", slow=True),
    Defect("a short write is not continued", short_writes_ignored, "short writes"),
    Defect("an unreadable log counts as ended", unreadable_is_the_end, "EIO on read", slow=True),
    Defect("a table that cannot be opened is left out", unopened_tables_left_out, "too many open files"),
    Defect("cleaning up after an error removes live tables", inputs_cleaned_up, "EIO on write"),
    Defect("a full disk is full for ever", full_for_ever, "disk full for a while"),
    Defect("an install that failed is used", failed_install_shown, "EIO on write"),
    Defect("the view is swapped before its version is durable", shown_before_it_is_durable, "EIO on write"),
    Defect("the memtable is kept after an exception", memtable_kept, "exceptions"),
]
