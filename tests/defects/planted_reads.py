"""Defects of reads: a wrong answer to right bytes, on some level, with some options, in some direction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lsm.block_cache import BlockCache, CachedTable
from lsm.kernel import kernel
from lsm.memtable import Memtable
from lsm.runs import MISSING, Missing, Range, Run
from lsm.sstable.writer import TableWriter
from tests.defects.defect import Defect, Patch, instead, nothing


class Immortal(CachedTable):
    """A place in the cache that is never dropped."""

    @property
    def dropped(self) -> bool:
        """False, whatever was set."""
        return False

    @dropped.setter
    def dropped(self, _: bool) -> None:
        pass


def cache_without_table(patch: Patch) -> None:
    """The cache knows blocks by their offset alone, whatever table they are of."""
    shared = Immortal()
    patch.setattr(BlockCache, "table", lambda _: shared)


def filter_forgets(patch: Patch) -> None:
    """A filter is built from every key but the last."""
    chosen = kernel()
    patch.setattr(chosen, "build_filter", _without_last(chosen.build_filter))


def _without_last(build: Any) -> Any:
    return lambda hashes, bits_per_key: build(hashes[:-1], bits_per_key)


def tombstones_lost_in_flush(patch: Patch) -> None:
    """A flush leaves tombstones out, as if nothing older lay below."""
    instead(patch, "lsm.flush:merge", lambda merge: lambda sources, **_: merge(sources))


def ranges_lost_in_flush(patch: Patch) -> None:
    """Tables forget deleted ranges."""
    patch.setattr(TableWriter, "add_range_tombstones", nothing)


def snapshot_sees_later(patch: Patch) -> None:
    """A memtable shows its newest version of a key, whatever sequence is asked for."""

    def wrong(self: Memtable, key: bytes, sequence: int) -> bytes | Missing | None:
        entry = self.entries.get(key)
        return MISSING if entry is None else entry[1]

    patch.setattr(Memtable, "get", wrong)


def backward_sees_deleted(patch: Patch) -> None:
    """A scan backward does not look at deleted ranges of tables."""

    def make(sources: Any) -> Any:
        def wrong(self: Any, start: Any, stop: Any, hidden: Sequence[Range] = (), *, reverse: bool = False) -> Any:
            found = sources(self, start, stop, hidden, reverse=reverse)
            return [source._replace(range_tombstones=()) for source in found] if reverse else found

        return wrong

    instead(patch, "lsm.tables:TableSet.sources", make)


def last_block_forgotten(patch: Patch) -> None:
    """A scan with an end leaves out the last entry of every table before it."""

    def make(runs: Any) -> Any:
        def wrong(self: Any) -> Iterator[Run]:
            for keys, values in runs(self):
                if self._stop is not None and len(keys) > 1:
                    yield keys[:-1], values[:-1]
                else:
                    yield keys, values

        return wrong

    instead(patch, "lsm.sstable.scan:Scan.runs", make)


DEFECTS = [
    Defect("blocks of one table are taken for those of another", cache_without_table, "option sets"),
    Defect("a filter forgets a key", filter_forgets, "option sets"),
    Defect("tombstones are lost in a flush", tombstones_lost_in_flush, "option sets"),
    Defect("deleted ranges are lost in a flush", ranges_lost_in_flush, "option sets"),
    Defect("a snapshot sees later writes", snapshot_sees_later, "option sets"),
    Defect("a scan backward sees deleted ranges", backward_sees_deleted, "option sets"),
    Defect("a scan leaves out the end of a block", last_block_forgotten, "option sets"),
]
