"""Defects of tables and reads: checksums left out, files confused with others, and wrong answers to right bytes."""

from __future__ import annotations

from typing import Any

from lsm.compression import Decompressor
from lsm.directory_locks import DirectoryLocks
from lsm.environment import Directory, File
from lsm.errors import LockedError, MissingFileError
from lsm.filenames import LOCK, PRESENCE, table_name
from lsm.sstable.frame import TRAILER_BYTES, FrameReader
from lsm.sstable.reader import TableReader
from lsm.testing.handles import SimulatedFile
from lsm.write_ahead_log.frame import HEADER_BYTES
from lsm.write_ahead_log.reader import Frame, LogReader
from tests.defects.defect import Defect, Patch, instead, nothing

MOST_BYTES = 64 << 20
"""What a planted allocation takes at most, for the sake of the machine."""


def blocks_unchecked(patch: Patch) -> None:
    """The checksum of a block is not compared."""

    def wrong(self: FrameReader, raw: bytes, offset: int) -> bytes:
        end = len(raw) - TRAILER_BYTES
        size = int.from_bytes(raw[end : end + 4], "little")
        decompressor: Decompressor = self._decompressor
        return decompressor.decompress(raw[end + 4], raw[:end], size, self.path, offset)

    patch.setattr(FrameReader, "open", wrong)


def manifests_unchecked(patch: Patch) -> None:
    """The check lines of manifest and CURRENT are there, but nobody compares them."""
    patch.setattr("lsm.manifest.checksum", lambda _: 0)


def foreign_logs(patch: Patch) -> None:
    """Any log is taken for the one with its number that the manifest names."""
    patch.setattr("lsm.recovery._check_oldest", nothing)


def blocks_without_salt(patch: Patch) -> None:
    """The checksum of a block does not depend on its table and its place."""
    patch.setattr("lsm.sstable.frame.place_salt", lambda *_: 0)


def tables_without_identity(patch: Patch) -> None:
    """Any table is taken for the one with its number that the manifest names."""
    instead(patch, "lsm.sstable.parts:read_footer", lambda read: lambda file, _: read(file, None))
    patch.setattr(
        "lsm.tables._open_table",
        lambda directory, table, cache: TableReader(directory.open(table_name(table.number), "read"), None, cache),
    )


def length_believed(patch: Patch) -> None:
    """Room for a frame is made before its header was checked."""

    def make(following: Any) -> Any:
        def wrong(self: LogReader, limit: int) -> Frame | None:
            header = self._read(self.end, HEADER_BYTES)
            room = bytearray(min(int.from_bytes(header[8:16], "little"), MOST_BYTES))
            frame: Frame | None = following(self, limit)
            del room
            return frame

        return wrong

    instead(patch, "lsm.write_ahead_log.reader:LogReader._next", make)


def lock_files_removed(patch: Patch) -> None:
    """Closing a handle removes the lock files."""

    def make(close: Any) -> Any:
        def wrong(self: DirectoryLocks) -> None:
            for file in (self._presence, self._lock):
                if isinstance(file, SimulatedFile):
                    node = file._node
                    directory = file._process.disk.root.entries["data"]
                    for name in (PRESENCE, LOCK):
                        if getattr(directory, "entries", {}).get(name) is node:
                            file._process.disk.name((directory, name, None))  # type: ignore[arg-type]  # it is one
            close(self)

        return wrong

    instead(patch, "lsm.directory_locks:DirectoryLocks.close", make)


def locks_of_the_process(patch: Patch) -> None:
    """A lock belongs to the process: closing any descriptor of the file drops it, as with POSIX record locks."""

    def make(close: Any) -> Any:
        def wrong(self: SimulatedFile) -> None:
            self._node.locks.clear()
            close(self)

        return wrong

    instead(patch, "lsm.testing.handles:SimulatedFile.close", make)


def readers_hold_presence(patch: Patch) -> None:
    """A handle that only reads keeps the lock by which writers know that they are alone."""
    kept: list[File] = []

    def wrong(directory: Directory) -> None:
        try:
            presence = directory.open(PRESENCE, "read")
        except MissingFileError:
            return
        if not presence.try_lock(exclusive=False):
            raise LockedError(directory.path, None)
        kept.append(presence)

    patch.setattr("lsm.opening.check_nobody_writes", wrong)


DEFECTS = [
    Defect("blocks are not checked", blocks_unchecked, "bits at rest"),
    Defect("manifests are not checked", manifests_unchecked, "bits at rest", slow=True),
    Defect("any log with the right number will do", foreign_logs, "exchanged files"),
    Defect("checksums without the place of a block", blocks_without_salt, "exchanged files"),
    Defect("any table with the right number will do", tables_without_identity, "exchanged files"),
    Defect("a length is believed before it is checked", length_believed, "impossible lengths"),
    Defect("lock files are removed at closing", lock_files_removed, "two owners"),
    Defect("a lock is lost with any descriptor", locks_of_the_process, "two owners"),
    Defect("a reader keeps writers out", readers_hold_presence, "two owners"),
]
