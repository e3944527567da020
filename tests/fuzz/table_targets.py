"""Fuzz targets for tables: every part by itself, with every kernel, and a whole table asked, scanned, checked."""

from __future__ import annotations

from itertools import pairwise

import msgspec

import lsm
from lsm.block_cache import BlockCache
from lsm.compression import Compressor, Decompressor, Method
from lsm.environment import File
from lsm.kernel import kernel, kernels
from lsm.kernel.interface import Kernel
from lsm.repair.blocks import TableSalvage
from lsm.repair.order import Placed
from lsm.runs import Run
from lsm.sstable.frame import TRAILER_BYTES, FrameReader, Handle
from lsm.sstable.index import Partition, encode_index, encode_top_index, parse_index, parse_top_index
from lsm.sstable.parts import read_range_tombstones
from lsm.sstable.properties import encode_properties, parse_properties
from lsm.sstable.reader import TableReader
from lsm.testing import SimulatedEnvironment
from tests.fuzz.engine_targets import agreed, file_of
from tests.fuzz.limits import Limits
from tests.fuzz.seals import sealed_table
from tests.fuzz.target import Target
from tests.support.tables import NAME, PROPERTIES, new_directory, write_table

_KEYS = [b"alpha", b"beta", b"delta\x00", b"delta\xff", b"epsilon"]
_VALUES = [b"1" * 40, None, b"", b"\x00\xff" * 20, b"e" * 50]


def _parse_block(data: bytes) -> None:
    """Parse a block with every kernel, and ask it everything; the answers are the same."""
    agreed(lambda one: _asked(one, data))


def _asked(one: Kernel, data: bytes) -> list[object]:
    block = one.parse_block(data, "block", 0)
    keys, values = one.decode_block(block)
    chosen = [*keys[:3], *keys[-3:], b"", b"beta", b"\xff" * 9]
    ascending = all(low < high for low, high in pairwise(keys))
    asked: list[object] = [keys, values, block.entry_count]
    if ascending:  # the order of hostile keys is nobody's promise, and so is what a search in them finds
        asked += [one.search_block(block, key) for key in chosen]
        asked += [one.decode_part(block, low, high) for low in chosen for high in chosen[:4]]
    else:
        for key in chosen:
            one.search_block(block, key)
            one.decode_part(block, key, None)
            one.decode_part(block, None, key)
    return asked


def _blocks() -> list[bytes]:
    one = kernel()
    return [
        one.encode_block(_KEYS, _VALUES),
        one.encode_block([b"same/%02d" % number for number in range(20)], [b"v%02d" % number for number in range(20)]),
        one.encode_block([b"only"], [None]),
        one.encode_block([b"a", b"b"], [None, None]),
    ]


def _parse_index(data: bytes) -> None:
    """Parse an index of a partition, and a top index, at the place where they would have to end."""
    for one in kernels().values():
        handle = Handle(400, len(data) + TRAILER_BYTES)
        partition = Partition(b"alpha", Handle(0, 300), Handle(300, 100), handle, 0, 30)
        try:
            parse_top_index(one, data, Handle(500, handle.size), "index")
        except lsm.CorruptionError:
            index = parse_index(one, data, partition, "index")
            assert index.offsets[-1] == 300
            assert index.entries_before[-1] == 30


def _indexes() -> list[bytes]:
    partition = Partition(b"alpha", Handle(0, 300), Handle(300, 100), Handle(400, 100), 0, 30)
    return [
        encode_index(kernel(), [b"alpha", b"m", b"x"], [100, 120, 80], [10, 12, 8]),
        encode_top_index(kernel(), [partition]),
    ]


def _parse_filter(data: bytes) -> None:
    hashes = kernel().key_hashes([b"a", b"b", b"key/17"])
    agreed(lambda one: _probed(one, data, hashes))


def _probed(one: Kernel, data: bytes, hashes: list[int]) -> list[bool]:
    key_filter = one.parse_filter(data, "filter", 0)
    return [one.probe_filter(key_filter, key_hash) for key_hash in (*hashes, 0, (1 << 64) - 1)]


def _filters() -> list[bytes]:
    hashes = kernel().key_hashes([b"%d" % number for number in range(30)])
    return [kernel().build_filter(hashes, bits) for bits in (1, 10, 20)]


def _parse_properties(data: bytes) -> None:
    properties = parse_properties(data, "properties", 0)
    assert parse_properties(encode_properties(properties), "again", 0) == properties


def _properties() -> list[bytes]:
    return [encode_properties(PROPERTIES), encode_properties(msgspec.structs.replace(PROPERTIES, largest=None))]


def _decompress(data: bytes) -> None:
    """Decompress a block; the first byte is the method, the next four are the size that was stored beside it."""
    size_bytes = int.from_bytes(data[1:5], "little")
    content = Decompressor().decompress(data[0] if data else 9, data[5:], size_bytes, "block", 0)
    assert len(content) == size_bytes


def _compressed() -> list[bytes]:
    content = b"row %d " * 30
    found = [bytes((Method.NONE,)) + len(content).to_bytes(4, "little") + content]
    for name in ("lz4", "zstd"):
        method, stored = Compressor(name).compress(content)
        found.append(bytes((method,)) + len(content).to_bytes(4, "little") + stored)
    return found


class _Content:
    """A frame reader whose frames are given."""

    path = "ranges"

    def __init__(self, content: bytes) -> None:
        self.content = content

    def read(self, handle: Handle) -> bytes:
        """Return the content of any frame."""
        return self.content


def _parse_ranges(data: bytes) -> None:
    frames: FrameReader = _Content(data)  # type: ignore[assignment]  # only read
    starts, ranges = read_range_tombstones(frames, Handle(0, 1))
    assert starts == [start for start, _ in ranges]


def _ranges() -> list[bytes]:
    return [kernel().encode_block([b"a", b"m"], [b"b", None]), kernel().encode_block([b"a"], [b"b"])]


def _ask_table(data: bytes) -> None:
    """Open a table, ask it everything, check every byte, and read it as a repair does."""
    file = file_of(data, NAME)
    errors = [error for question in _QUESTIONS for error in _asked_table(file, question)]
    salvage = TableSalvage(file, Placed(5, None, b"", None, -1, -1))
    for run in salvage.runs():
        assert run[0]
    salvage.range_tombstones()
    if errors:
        raise errors[0]


def _asked_table(file: File, question: str) -> list[lsm.CorruptionError]:
    reader = TableReader(file, None, BlockCache(1 << 16, SimulatedEnvironment().lock()))
    try:
        if question == "check":
            return list(reader.check())
        if question == "get":
            for key in (*_KEYS, b"", b"gamma", b"\xff"):
                reader.get(key, kernel().key_hashes([key])[0])
        elif question == "scan":
            _read_runs(reader)
        else:
            reader.properties()
            reader.estimate(b"b", b"e")
            reader.estimate(None, None)
    except lsm.CorruptionError as error:
        return [error]
    return []


_QUESTIONS = ("get", "scan", "facts", "check")


def _read_runs(reader: TableReader) -> None:
    for reverse in (False, True):
        runs: list[Run] = list(reader.runs(reverse=reverse))
        assert all(keys and len(keys) == len(values) for keys, values in runs)
    list(reader.runs(b"b", b"delta\xff", fill_cache=False))
    reader.range_tombstones()


def _tables() -> list[bytes]:
    found = []
    for compression in ("none", "lz4", "zstd"):
        directory = new_directory()
        entries = list(zip(_KEYS, _VALUES, strict=True)) + [(b"z%02d" % number, b"v" * 20) for number in range(20)]
        write_table(directory, entries, [(b"a", b"b"), (b"x", None)], compression=compression)
        file = directory.open(NAME, "read")
        found.append(file.read_at(0, file.size()))
    return found


TABLE_TARGETS = [
    Target("block", _parse_block, _blocks, limits=Limits(calls_each_byte=400)),
    Target("index", _parse_index, _indexes),
    Target("filter", _parse_filter, _filters),
    Target("properties", _parse_properties, _properties),
    Target("compressed-block", _decompress, _compressed, limits=Limits(memory_each_byte=1 << 16)),
    Target("range-tombstones", _parse_ranges, _ranges),
    Target(
        "table", _ask_table, _tables, sealed_table, Limits(calls=200_000, calls_each_byte=2_000, memory_bytes=1 << 20)
    ),
]
