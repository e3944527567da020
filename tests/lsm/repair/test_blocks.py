"""Tables read past damage in each of their parts: every whole block comes out, the others are named by their keys."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest

from lsm.environment import Directory
from lsm.options import Compression
from lsm.repair.blocks import TableSalvage
from lsm.repair.order import Placed
from lsm.runs import Range, Value
from lsm.sstable import writer as writer_module
from lsm.sstable.frame import FOOTER_BYTES
from lsm.sstable.reader import TableReader
from tests.support.tables import IDENTITY, NAME, new_cache, new_directory, write_table

ENTRIES: list[tuple[bytes, Value]] = [
    (b"key/%03d" % number, None if number % 7 == 3 else b"value %d" % number * 3) for number in range(60)
]
RANGES: list[Range] = [(b"a", b"b"), (b"key/0", b"key/1"), (b"z", None)]


@pytest.fixture(params=["none", "lz4", "zstd"])
def compression(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Compression:
    """Return each method, with partitions of three blocks."""
    monkeypatch.setattr(writer_module, "PARTITION_BLOCKS", 3)
    chosen: Compression = request.param
    return chosen


def _table(compression: Compression, ranges: list[Range]) -> tuple[Directory, bytes, dict[str, list[tuple[int, int]]]]:
    """Write the table; return its bytes and where its parts lie, by kind."""
    directory = new_directory()
    write_table(directory, ENTRIES, ranges, compression=compression)
    file = directory.open(NAME, "read")
    reader = TableReader(file, IDENTITY, new_cache())
    footer, _ = reader._parts.open()
    parts: dict[str, list[tuple[int, int]]] = {"block": [], "filter": [], "index": []}
    top = reader._parts.top_index()
    for number, partition in enumerate(top.partitions):
        offsets = reader._parts.index(top, number).offsets
        parts["block"] += [(offset, end - offset) for offset, end in pairwise(offsets)]
        parts["filter"].append(partition.filter_handle)
        parts["index"].append(partition.index_handle)
    parts |= {"top index": [footer[1]], "ranges": [footer[2]], "properties": [footer[3]]}
    parts["footer"] = [(file.size() - FOOTER_BYTES, FOOTER_BYTES)]
    return directory, file.read_at(0, file.size()), parts


def _salvage(directory: Directory, content: bytes, ranges: list[Range]) -> TableSalvage:
    file = directory.open(NAME, "write")
    file.truncate(0)
    file.write_at(0, content)
    return TableSalvage(file, Placed(5, IDENTITY, b"a", None, len(ENTRIES), len(ranges)))


def _damaged(content: bytes, places: list[tuple[int, int]]) -> bytes:
    damaged = bytearray(content)
    for offset, size in places:
        if size:
            damaged[offset + size // 2] ^= 0x10
    return bytes(damaged)


def _entries(salvage: TableSalvage) -> Iterator[tuple[bytes, Value]]:
    for keys, values in salvage.runs():
        yield from zip(keys, values, strict=True)


@pytest.mark.parametrize("ranges", [[], RANGES])
@pytest.mark.parametrize("kind", ["filter", "index", "top index", "properties", "footer"])
def test_nothing_is_lost_with_a_part_that_only_finds_others(
    compression: Compression, kind: str, ranges: list[Range]
) -> None:
    """All damaged at once: blocks are found one after the other; an index is never taken for data."""
    directory, content, parts = _table(compression, ranges)
    salvage = _salvage(directory, _damaged(content, parts[kind]), ranges)

    assert list(_entries(salvage)) == ENTRIES
    assert [piece for piece in salvage.pieces() if piece.run is None] == []
    assert salvage.range_tombstones() == ranges


def test_a_damaged_block_is_named_by_its_keys(compression: Compression) -> None:
    """With its index: from its lower bound up to that of the next block, and nothing else is lost."""
    directory, content, parts = _table(compression, RANGES)
    for place in parts["block"]:
        salvage = _salvage(directory, _damaged(content, [place]), RANGES)
        [lost] = [piece for piece in salvage.pieces() if piece.run is None]
        found = list(_entries(salvage))

        inside = [key for key, _ in ENTRIES if lost.start <= key and (lost.stop is None or key < lost.stop)]
        assert lost.offset == place[0]
        assert 0 < len(inside) < 8
        assert found == [entry for entry in ENTRIES if entry[0] not in inside]


def test_a_damaged_block_and_its_index(compression: Compression) -> None:
    """What lies behind it in its partition is lost, up to the next partition."""
    directory, content, parts = _table(compression, [])
    salvage = _salvage(directory, _damaged(content, [parts["block"][4], parts["index"][1]]), [])
    [lost] = [piece for piece in salvage.pieces() if piece.run is None]
    found = dict(_entries(salvage))

    missing = [key for key, _ in ENTRIES if key not in found]
    assert lost.stop is not None
    assert missing == [key for key, _ in ENTRIES if lost.start <= key < lost.stop]
    assert len(found) > 40


def test_damaged_range_tombstones_are_not_taken_for_none(compression: Compression) -> None:
    """Nobody knows what they deleted."""
    directory, content, parts = _table(compression, RANGES)

    assert _salvage(directory, _damaged(content, parts["ranges"]), RANGES).range_tombstones() is None
    both = _damaged(content, parts["ranges"] + parts["footer"])
    assert _salvage(directory, both, RANGES).range_tombstones() is None


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_table_that_is_cut_off(compression: Compression, share: float) -> None:
    """Every block before the cut comes out, and the rest is named."""
    directory, content, _ = _table(compression, [])
    salvage = _salvage(directory, content[: int(len(content) * share)], [])
    found = list(_entries(salvage))
    lost = [piece for piece in salvage.pieces() if piece.run is None]

    assert found == ENTRIES[: len(found)]
    assert len(found) == len(ENTRIES) or (lost[-1].start > found[-1][0] if found else lost[-1].start == b"a")


def test_a_table_of_range_tombstones_only(compression: Compression) -> None:
    """Its only block is no data, also when the footer is gone."""
    directory = new_directory()
    write_table(directory, [], RANGES, compression=compression)
    file = directory.open(NAME, "write")
    file.write_at(file.size() - 1, b"?")
    salvage = TableSalvage(file, Placed(5, IDENTITY, b"a", None, 0, len(RANGES)))

    assert list(salvage.pieces()) == []
    assert salvage.range_tombstones() == RANGES


def test_without_an_identity_nothing_can_be_believed(compression: Compression) -> None:
    """Neither manifest nor footer know it: the whole table is lost."""
    directory, content, parts = _table(compression, [])
    file = directory.open(NAME, "write")
    file.write_at(0, _damaged(content, parts["footer"]))
    salvage = TableSalvage(file, Placed(5, None, b"a", b"z", 60, 0))

    assert [(piece.run, piece.start, piece.stop) for piece in salvage.pieces()] == [(None, b"a", b"z")]
    assert salvage.range_tombstones() is None
