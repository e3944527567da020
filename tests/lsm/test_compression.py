"""Compression: what is stored comes back, and no damaged block asks for more memory than it may."""

import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsm.compression import MAXIMUM_CONTENT_BYTES, Compressor, Decompressor, Method
from lsm.errors import CorruptionError
from lsm.options import Compression

PATH = "/data/000005.sst"
PLACE = 8192
METHODS: dict[Compression, Method] = {"none": Method.NONE, "lz4": Method.LZ4, "zstd": Method.ZSTANDARD}
on_each_method = pytest.mark.parametrize("compression", METHODS)

TEXT = b"to be, or not to be, that is the question; " * 20


@on_each_method
@given(content=st.one_of(st.binary(max_size=300), st.binary(min_size=1, max_size=9).map(lambda piece: piece * 400)))
def test_content_comes_back(compression: Compression, content: bytes) -> None:
    """Every content, also an empty one, is the same after compression and back."""
    method, stored = Compressor(compression).compress(content)

    assert Decompressor().decompress(method, stored, len(content), PATH, PLACE) == content


@on_each_method
def test_compressible_content_gets_smaller(compression: Compression) -> None:
    """Each method does what its option names."""
    method, stored = Compressor(compression).compress(TEXT)

    assert method == METHODS[compression]
    assert compression == "none" or len(stored) < len(TEXT) // 4


@on_each_method
def test_incompressible_content_is_stored_as_it_is(compression: Compression) -> None:
    """A block that would hardly shrink is not worth the time of decompressing it."""
    content = bytes(range(256))

    assert Compressor(compression).compress(content) == (Method.NONE, content)


def test_numbers_on_disk_do_not_change() -> None:
    """Tables written before stay readable."""
    assert [(method.name, method.value) for method in Method] == [("NONE", 0), ("LZ4", 1), ("ZSTANDARD", 2)]


def damages(compression: Compression) -> list[tuple[int, bytes, int]]:
    """Return ways to ask for what was not stored: method, stored bytes, size."""
    method, stored = Compressor(compression).compress(TEXT)
    size = len(TEXT)
    return [
        (method, stored, size + 1),
        (method, stored, size - 1),
        (method, stored, 0),
        (method, stored, MAXIMUM_CONTENT_BYTES),
        (method, stored, MAXIMUM_CONTENT_BYTES + 1),
        (method, stored, 0xFFFFFFFF),
        (method, stored[:-1], size),
        (method, b"", size),
        (3, stored, size),
        (255, stored, size),
        ((method + 1) % 3, stored, size),
    ]


@pytest.mark.parametrize("case", range(11))
@on_each_method
def test_damage_is_corruption_at_its_place(compression: Compression, case: int) -> None:
    """A wrong size, cut bytes, an unknown or another method: `CorruptionError`, and no memory for the wrong size."""
    method, stored, size = damages(compression)[case]

    peak_bytes, error = measured(lambda: Decompressor().decompress(method, stored, size, PATH, PLACE))

    assert (error.path, error.offset) == (PATH, PLACE)
    assert peak_bytes < 1 << 20


def measured(action: Callable[[], object]) -> tuple[int, CorruptionError]:
    """Return the peak of memory during an action, and the damage that it found."""
    tracemalloc.start()
    try:
        with pytest.raises(CorruptionError) as caught:
            action()
        return tracemalloc.get_traced_memory()[1], caught.value
    finally:
        tracemalloc.stop()


def test_a_context_is_used_again_after_damage() -> None:
    """Damage does not spoil the decompressor for the next block."""
    method, stored = Compressor("zstd").compress(TEXT)
    decompressor = Decompressor()

    with pytest.raises(CorruptionError):
        decompressor.decompress(method, stored[:-3], len(TEXT), PATH, PLACE)

    assert decompressor.decompress(method, stored, len(TEXT), PATH, PLACE) == TEXT


def test_a_frame_that_promises_a_gigabyte_takes_no_memory() -> None:
    """Neither its own size nor that beside it is believed beyond what so few bytes can make."""
    size_bytes = 1 << 30
    stored = bytes.fromhex("28b52ffd a0") + size_bytes.to_bytes(4, "little") + bytes.fromhex("030000 78")
    tracemalloc.start()
    try:
        with pytest.raises(CorruptionError, match="impossible size"):
            Decompressor().decompress(Method.ZSTANDARD, stored, size_bytes, "table", 7)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_nothing_that_is_written_is_impossible() -> None:
    """The most compressible content is far from the limit."""
    content = bytes(64 << 20)
    method, stored = Compressor("zstd").compress(content)

    assert Decompressor().decompress(method, stored, len(content), "table", 0) == content
