"""A table read past its damaged parts: the entries of every block that is whole, and the key ranges of the others.

Every part of a table has its own checksum, salted with the table's identity and the part's place, so a part is right or
is not used. Where an index is whole, it says which keys a damaged block may hold. Where it is not, or where the footer
is gone, parts are found one after the other: each begins where the one before ends, and its end is where its checksum
fits. Data blocks are told from other parts by their keys, which ascend over the whole table.

Memory: one part, and 1 MiB while the end of one is searched for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from operator import lt
from struct import Struct
from typing import NamedTuple

from lsm.checksum import extend, place_salt
from lsm.compression import MAXIMUM_CONTENT_BYTES, Decompressor, Method
from lsm.environment import File
from lsm.errors import CorruptionError
from lsm.kernel import kernel
from lsm.repair.order import Placed
from lsm.runs import Range, Run
from lsm.sstable.frame import TRAILER_BYTES, Footer, FrameReader, Handle, read_footer
from lsm.sstable.index import Partition, TopIndex, parse_index, parse_top_index
from lsm.sstable.parts import read_range_tombstones

_TRAILER_HEAD = Struct("<IB")
_CHECKSUM = Struct("<I")
_METHOD = re.compile(rb"[" + bytes(sorted(Method)) + rb"]")
_WINDOW_BYTES = 1 << 20


class Piece(NamedTuple):
    """A block: its entries, or the keys that it may have held and why it cannot be read. From `start` up to `stop`."""

    run: Run | None
    start: bytes
    stop: bytes | None
    offset: int
    reason: str


class TableSalvage:
    """Reads one table file. `pieces` may be iterated any number of times; each time the file is read anew."""

    def __init__(self, file: File, table: Placed) -> None:
        """Read `file`, which is in the place of `table`."""
        self._file = file
        self._table = table
        self._path = file.path
        self._footer: Footer | None = None
        self._problem = ""
        try:
            self._footer = read_footer(file, table.identity)
        except CorruptionError as damage:
            self._problem = damage.reason
        identity = table.identity if self._footer is None else self._footer.identity
        self._frames = None if identity is None else FrameReader(file, identity, Decompressor())

    def runs(self) -> Iterator[Run]:
        """Yield the entries of all blocks that can be read, ascending."""
        for piece in self.pieces():
            if piece.run is not None:
                yield piece.run

    def pieces(self) -> Iterator[Piece]:
        """Yield every data block in the order of keys, and in the place of each that cannot be read its keys."""
        last: bytes | None = None
        for piece in self._pieces():
            if piece.run is not None:
                keys = piece.run[0]
                if not all(map(lt, keys, keys[1:])) or (last is not None and keys[0] <= last):
                    yield Piece(None, piece.start, piece.stop, piece.offset, "its keys do not ascend")
                    continue
                last = keys[-1]
            yield piece

    def range_tombstones(self) -> list[Range] | None:
        """Return the deleted ranges, or None when they cannot be read."""
        if self._frames is None:
            return None
        if self._footer is not None:
            try:
                return read_range_tombstones(self._frames, self._footer.range_tombstones)[1]
            except CorruptionError:
                return None
        if not self._table.range_tombstone_count:
            return []
        return self._search_range_tombstones(self._frames)

    @property
    def has_entries(self) -> bool:
        """Whether the table held entries, as far as it is known."""
        return bool(self._table.entry_count if self._footer is None else self._footer.top_index.size)

    def _pieces(self) -> Iterator[Piece]:
        table = self._table
        if not self.has_entries:
            return
        if self._frames is None:
            yield Piece(None, table.start, table.stop, 0, self._problem)
            return
        top = None if self._footer is None else self._top_index(self._footer, self._frames)
        if top is None:
            yield from self._scanned(self._frames)
            return
        stops = [*top.bounds[1:], table.stop]
        for partition, stop in zip(top.partitions, stops, strict=True):
            yield from self._partition(self._frames, partition, stop)

    def _top_index(self, footer: Footer, frames: FrameReader) -> TopIndex | None:
        try:
            return parse_top_index(kernel(), frames.read(footer.top_index), footer.top_index, self._path)
        except CorruptionError:
            return None

    def _partition(self, frames: FrameReader, partition: Partition, stop: bytes | None) -> Iterator[Piece]:
        """Yield the blocks of a partition, by its index or, where that is damaged, one after the other."""
        try:
            index = parse_index(kernel(), frames.read(partition.index_handle), partition, self._path)
        except CorruptionError:
            yield from self._sequence(frames, partition, stop)
            return
        stops = [*index.bounds[1:], stop]
        for slot, (start, end) in enumerate(zip(index.bounds, stops, strict=True)):
            handle = Handle(index.offsets[slot], index.offsets[slot + 1] - index.offsets[slot])
            try:
                run = self._decoded(frames.read(handle), handle.offset)
                yield Piece(run, start, end, handle.offset, "")
            except CorruptionError as damage:
                yield Piece(None, start, end, handle.offset, damage.reason)

    def _sequence(self, frames: FrameReader, partition: Partition, stop: bytes | None) -> Iterator[Piece]:
        """Yield the blocks of a partition without its index: all parts in its data are blocks."""
        start, offset, _ = partition.bound, *partition.data_handle
        end = offset + partition.data_handle.size
        while offset < end:
            size = self._frame_size(frames.identity, offset, end)
            try:
                run = self._decoded(frames.read(Handle(offset, size)), offset) if size else None
            except CorruptionError:
                run = None
            if run is None:
                yield Piece(None, start, stop, offset, "block: damaged, and so is the index that knows where it ends")
                return
            yield Piece(run, start, run[0][-1] + b"\0", offset, "")
            start, offset = run[0][-1] + b"\0", offset + size

    def _scanned(self, frames: FrameReader) -> Iterator[Piece]:
        """Yield the blocks of a table of which nothing is known but its identity, one part after the other."""
        table, count, start = self._table, 0, self._table.start
        offset = 0
        for offset, run in self._blocks(frames):
            count += len(run[0])
            yield Piece(run, start, run[0][-1] + b"\0", offset, "")
            start = run[0][-1] + b"\0"
        if count != table.entry_count:
            reason = self._problem or "top index: damaged, and a block as well"
            yield Piece(None, start, table.stop, offset, reason)

    def _blocks(self, frames: FrameReader) -> Iterator[tuple[int, Run]]:
        """Yield the data blocks that are found one after the other from the start of the file."""
        count = 0
        for kind, offset, run in self._parts(frames):
            count += len(run[0])
            if kind == "top index" or (kind == "data" and 0 <= self._table.entry_count < count):
                return
            if kind == "data":
                yield offset, run
            else:
                count -= len(run[0])

    def _search_range_tombstones(self, frames: FrameReader) -> list[Range] | None:
        """Find the range tombstones without the footer: the part after the top index, or the first one of all."""
        is_next = not self._table.entry_count
        for kind, _, run in self._parts(frames):
            if is_next:
                starts, stops = run
                return (
                    list(zip(starts, stops, strict=True)) if len(starts) == self._table.range_tombstone_count else None
                )
            is_next = kind == "top index"
        return None

    def _parts(self, frames: FrameReader) -> Iterator[tuple[str, int, Run]]:
        """Yield all parts that are blocks, from the start of the file: what each is, its offset and its entries.

        An index begins with a key that was there before; a second index without data in between is the top index.
        """
        last: bytes | None = None
        before = ""
        for offset, content in self._contents(frames):
            try:
                run = self._decoded(content, offset)
            except CorruptionError:
                continue  # a filter, or the properties
            if last is None or run[0][0] > last:
                before, last = "data", run[0][-1]
            else:
                before = "index" if before == "data" else "top index"
            yield before, offset, run

    def _contents(self, frames: FrameReader) -> Iterator[tuple[int, bytes]]:
        """Yield the content of each part from the start of the file, up to the first that cannot be found."""
        offset, end = 0, self._file.size()
        while offset < end:
            size = self._frame_size(frames.identity, offset, end)
            if not size:
                return
            try:
                yield offset, frames.read(Handle(offset, size))
            except CorruptionError:
                return
            offset += size

    def _frame_size(self, identity: int, offset: int, end: int) -> int:
        """Return the size of the frame at `offset`, which ends at or before `end`; 0 if no checksum fits."""
        crc, done = place_salt(identity, offset), offset
        for start in range(offset, end, _WINDOW_BYTES):
            data = self._file.read_at(start, min(_WINDOW_BYTES + TRAILER_BYTES, end - start))
            for match in _METHOD.finditer(data, _TRAILER_HEAD.size - 1, len(data) - _CHECKSUM.size):
                covered = match.end()
                content_size, method = _TRAILER_HEAD.unpack_from(data, covered - _TRAILER_HEAD.size)
                if not _is_possible(start + covered - _TRAILER_HEAD.size - offset, content_size, method):
                    continue
                crc, done = extend(crc, data[done - start : covered]), start + covered
                if crc == _CHECKSUM.unpack_from(data, covered)[0]:
                    return done + _CHECKSUM.size - offset
            rest = start + _WINDOW_BYTES
            if done < rest:
                crc, done = extend(crc, data[done - start : rest - start]), rest
        return 0

    @staticmethod
    def _decoded(content: bytes, offset: int) -> Run:
        return kernel().decode_block(kernel().parse_block(content, "", offset))


def _is_possible(stored_size: int, content_size: int, method: int) -> bool:
    """Tell whether a frame may store so many bytes for a content of this size."""
    if method == Method.NONE:
        return content_size == stored_size
    return 0 <= stored_size < content_size <= MAXIMUM_CONTENT_BYTES
