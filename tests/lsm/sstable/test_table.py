"""Writer and reader together: what was written is read, by every way of reading, at every shape of the table."""

import random
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsm.errors import InvalidArgumentError
from lsm.options import MAXIMUM_KEY_BYTES, Compression
from lsm.runs import MISSING, Range, Value
from lsm.sstable import writer as writer_module
from lsm.sstable.frame import FOOTER_BYTES
from lsm.sstable.reader import TableReader
from lsm.testing import Fault, SimulatedFileSystem
from tests.support.tables import (
    IDENTITY,
    NAME,
    PROPERTIES,
    Entries,
    flatten,
    look_up,
    new_cache,
    new_directory,
    new_writer,
    open_table,
    write_table,
)

COMPRESSIONS: list[Compression] = ["none", "lz4", "zstd"]
keys = st.one_of(st.binary(max_size=3), st.integers(0, 99).map(lambda number: b"row/%02d" % number))
values = st.one_of(st.none(), st.binary(max_size=8), st.integers(60, 200).map(lambda size: b"v" * size))
bounds = st.one_of(st.none(), keys)


@pytest.fixture(autouse=True)
def small_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make partitions so small that every table has several."""
    monkeypatch.setattr(writer_module, "PARTITION_BLOCKS", 3)
    monkeypatch.setattr(writer_module, "PARTITION_ENTRIES", 10)


@st.composite
def range_lists(draw: st.DrawFn) -> list[Range]:
    """Draw disjoint ascending ranges, the last one sometimes without an end."""
    ends = sorted(draw(st.sets(keys, max_size=6)))
    ranges: list[Range] = list(zip(ends[::2], ends[1::2], strict=False))
    return [*ranges, (ends[-1], None)] if len(ends) % 2 else ranges


def within(entries: Entries, start: bytes | None, stop: bytes | None) -> list[tuple[bytes, Value]]:
    """Return the entries within bounds, as a scan must."""
    return [(key, value) for key, value in entries if (start is None or start <= key) and (stop is None or key < stop)]


def covered(key: bytes, ranges: list[Range]) -> bool:
    """Tell whether one of the ranges holds the key."""
    return any(start <= key and (stop is None or key < stop) for start, stop in ranges)


@given(
    drawn=st.dictionaries(keys, values, min_size=1, max_size=60),
    ranges=range_lists(),
    start=bounds,
    stop=bounds,
    others=st.lists(keys, max_size=10),
    block_bytes=st.integers(16, 200),
    compression=st.sampled_from(COMPRESSIONS),
    filter_bits_per_key=st.sampled_from([0, 10]),
    cache_bytes=st.sampled_from([0, 4000, 1 << 20]),
)
def test_a_table_answers_as_a_dict(
    drawn: dict[bytes, Value],
    ranges: list[Range],
    start: bytes | None,
    stop: bytes | None,
    others: list[bytes],
    block_bytes: int,
    compression: Compression,
    filter_bits_per_key: int,
    cache_bytes: int,
) -> None:
    """Look-ups, scans in both directions, range tombstones and the check, whatever the options and the cache."""
    directory, entries = new_directory(), sorted(drawn.items())
    write_table(
        directory,
        entries,
        ranges,
        block_bytes=block_bytes,
        compression=compression,
        filter_bits_per_key=filter_bits_per_key,
    )
    reader = open_table(directory, new_cache(cache_bytes))

    for key in [*drawn, *others]:
        expected = drawn[key] if key in drawn else None if covered(key, ranges) else MISSING
        assert look_up(reader, key) == expected
    for fill_cache in (False, True, True):
        assert flatten(reader.runs(start, stop, fill_cache=fill_cache)) == within(entries, start, stop)
        assert (
            flatten(reader.runs(start, stop, reverse=True, fill_cache=fill_cache)) == within(entries, start, stop)[::-1]
        )
    assert reader.range_tombstones() == ranges
    assert list(reader.check()) == []


@given(
    drawn=st.dictionaries(keys, values, min_size=1, max_size=60),
    pieces=st.lists(st.integers(0, 20), max_size=20),
)
def test_the_bytes_do_not_depend_on_the_pieces(drawn: dict[bytes, Value], pieces: list[int]) -> None:
    """Entries added in any number of calls make the same table as in one."""
    whole, pieced, entries = new_directory(), new_directory(), sorted(drawn.items())
    size = write_table(whole, entries).size_bytes
    writer = new_writer(pieced.open(NAME, "create"))
    position = 0
    for piece in [*pieces, len(entries)]:
        part = entries[position : position + piece]
        writer.add([key for key, _ in part], [value for _, value in part])
        position += piece
    writer.finish(PROPERTIES)

    assert pieced.open(NAME, "read").read_at(0, size + 1) == whole.open(NAME, "read").read_at(0, size + 1)


@given(drawn=st.dictionaries(keys, values, max_size=40), ranges=range_lists())
def test_the_summary_counts_and_bounds(drawn: dict[bytes, Value], ranges: list[Range]) -> None:
    """What the writer returns is true, stands in the properties too, and its bounds hold every key spoken of."""
    if not drawn and not ranges:
        return
    directory = new_directory()
    written = write_table(directory, sorted(drawn.items()), ranges)
    properties = open_table(directory).properties()

    assert written.size_bytes == directory.open(NAME, "read").size()
    assert written.entry_count == properties.entry_count == len(drawn)
    assert written.tombstone_count == properties.tombstone_count == sum(value is None for value in drawn.values())
    assert written.range_tombstone_count == properties.range_tombstone_count == len(ranges)
    assert (written.smallest, written.largest) == (properties.smallest, properties.largest)
    assert written.smallest == min([*drawn, *(start for start, _ in ranges)])
    stops = [stop for _, stop in ranges]
    assert written.largest == (None if None in stops else max([*drawn, *(stop for stop in stops if stop is not None)]))
    assert written.largest_is_excluded == (written.largest is not None and written.largest not in drawn)


def test_a_large_entry_has_a_block_of_its_own() -> None:
    """The longest key, and values much larger than a block, between small ones."""
    entries: list[tuple[bytes, Value]] = [
        (b"a", b"small"),
        (b"b", bytes(300_000)),
        (b"c", b"small"),
        (b"d" * MAXIMUM_KEY_BYTES, b"small"),
        (b"e", None),
    ]
    directory = new_directory()
    write_table(directory, entries, compression="lz4")
    reader = open_table(directory)

    assert flatten(reader.runs()) == entries
    assert [keys for keys, _ in reader.runs()][1] == [b"b"]
    assert all(look_up(reader, key) == value for key, value in entries)
    assert list(reader.check()) == []


def test_the_size_so_far_follows_the_file() -> None:
    """The estimate grows with each call and is close to the size in the end, so that outputs can be cut by it."""
    writer = new_writer(new_directory().open(NAME, "create"), block_bytes=4096)
    chance, sizes = random.Random(3), [writer.size_bytes]
    for number in range(400):
        writer.add([b"%06d" % number], [chance.randbytes(100)])
        sizes.append(writer.size_bytes)
    written = writer.finish(PROPERTIES)

    assert sizes == sorted(sizes)
    assert abs(sizes[-1] - written.size_bytes) < written.size_bytes // 10


@pytest.mark.parametrize(
    "batches", [[[b"b", b"a"]], [[b"a", b"a"]], [[b"a", b"b"], [b"b"]], [[b"b"], [b"a"]], [[b"a", b"c", b"b", b"d"]]]
)
def test_keys_out_of_order_are_refused(batches: list[list[bytes]]) -> None:
    """A key that is not above the one before it, in one call or over two, is named and never written."""
    writer = new_writer(new_directory().open(NAME, "create"))

    *right, wrong = batches
    for batch in right:
        writer.add(batch, [b""] * len(batch))

    with pytest.raises(InvalidArgumentError, match="not above"):
        writer.add(wrong, [b""] * len(wrong))


@pytest.mark.parametrize(
    "ranges",
    [[(b"a", b"a")], [(b"b", b"a")], [(b"a", b"c"), (b"b", b"d")], [(b"c", b"d"), (b"a", b"b")], [(b"a", None)] * 2],
)
def test_ranges_out_of_order_are_refused(ranges: list[Range]) -> None:
    """Empty, overlapping and descending ranges are refused."""
    with pytest.raises(InvalidArgumentError):
        new_writer(new_directory().open(NAME, "create")).add_range_tombstones(ranges)


def test_lists_of_two_lengths_are_refused() -> None:
    """Every key has its value."""
    with pytest.raises(InvalidArgumentError, match="2 keys with 1 values"):
        new_writer(new_directory().open(NAME, "create")).add([b"a", b"b"], [b""])


def test_an_empty_table_is_refused() -> None:
    """A table that says nothing has no bounds."""
    with pytest.raises(InvalidArgumentError, match="at least one"):
        new_writer(new_directory().open(NAME, "create")).finish(PROPERTIES)


def test_a_finished_table_is_durable() -> None:
    """After `finish` the content survives a power loss, once the directory is synced."""
    filesystem = SimulatedFileSystem()
    filesystem.create_directory("/data")
    directory = filesystem.open_directory("/data")
    filesystem.open_directory("/").sync()
    entries = [(b"%03d" % number, b"value") for number in range(100)]
    write_table(directory, entries)
    directory.sync()

    survivor = filesystem.after_power_loss().open_directory("/data")

    assert flatten(open_table(survivor).runs()) == entries


def test_short_writes_are_continued() -> None:
    """A file system that takes only a part of each write gets the rest with the next call."""
    filesystem = SimulatedFileSystem()
    filesystem.create_directory("/data")
    directory = filesystem.open_directory("/data")
    filesystem.fail(Fault(operation="write", times=None, short_bytes=7))
    entries = [(b"%03d" % number, b"value") for number in range(20)]

    write_table(directory, entries)

    assert flatten(open_table(directory).runs()) == entries


def test_nothing_is_read_before_it_is_asked_for() -> None:
    """A reader is made without a call; a look-up in the cache makes none either."""
    filesystem = SimulatedFileSystem()
    filesystem.create_directory("/data")
    directory = filesystem.open_directory("/data")
    write_table(directory, [(b"a", b"1")])
    file = directory.open(NAME, "read")
    calls = filesystem.calls
    reader = TableReader(file, IDENTITY, new_cache())
    assert filesystem.calls == calls
    look_up(reader, b"a")
    calls = filesystem.calls

    assert look_up(reader, b"a") == b"1"
    assert filesystem.calls == calls


def test_a_long_scan_reads_in_large_pieces() -> None:
    """Reading ahead makes far fewer calls than there are blocks, in both directions; a short scan reads little."""
    filesystem = SimulatedFileSystem()
    filesystem.create_directory("/data")
    directory = filesystem.open_directory("/data")
    entries = [(b"%05d" % number, b"v" * 50) for number in range(2000)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer_module, "PARTITION_BLOCKS", 1000)
        patch.setattr(writer_module, "PARTITION_ENTRIES", 10_000)
        write_table(directory, entries, block_bytes=500)
    for reverse in (False, True):
        reader = open_table(directory)
        before = filesystem.calls
        assert len(flatten(reader.runs(reverse=reverse))) == 2000
        assert filesystem.calls - before < 15


def test_a_scan_does_not_flush_the_cache() -> None:
    """A scan of everything puts at most a sixteenth of the capacity into the cache, or nothing."""
    directory, cache = new_directory(), new_cache(1 << 17)
    write_table(directory, [(b"%05d" % number, b"v" * 50) for number in range(5000)], block_bytes=500)
    reader = open_table(directory, cache)
    look_up(reader, b"00000")
    used_bytes = cache.used_bytes

    flatten(reader.runs(b"02000", b"04000", fill_cache=False))
    blocks = [entry for entry in reader._parts.cached.entries.values() if hasattr(entry.content, "entry_count")]
    assert len(blocks) == 1
    flatten(reader.runs(b"02000", b"04000"))
    blocks = [entry for entry in reader._parts.cached.entries.values() if hasattr(entry.content, "entry_count")]
    assert len(blocks) > 1
    assert sum(entry.content.memory_bytes for entry in blocks) < (1 << 13) + 2000
    assert used_bytes < cache.capacity_bytes


def test_a_forgotten_reader_leaves_the_cache() -> None:
    """When a reader is collected, its blocks are the first to go."""
    directory, cache = new_directory(), new_cache()
    write_table(directory, [(b"a", b"1")])
    reader = open_table(directory, cache)
    look_up(reader, b"a")
    cached = reader._parts.cached
    del reader

    assert cached.dropped


@pytest.mark.parametrize(
    ("start", "stop"),
    [
        (None, None),
        (b"00000", b"05000"),
        (b"02500", b"02600"),
        (b"04000", None),
        (None, b"00100"),
        (b"02500", b"02501"),
    ],
)
def test_estimates_are_close(start: bytes | None, stop: bytes | None) -> None:
    """Entries are estimated within two blocks, bytes in proportion."""
    directory = new_directory()
    entries = [(b"%05d" % number, b"v" * 50) for number in range(5000)]
    size_bytes = write_table(directory, entries, block_bytes=500).size_bytes
    entry_count, byte_count = open_table(directory).estimate(start, stop)
    expected = len(within(entries, start, stop))

    assert abs(entry_count - expected) <= 20
    assert abs(byte_count - size_bytes * expected // 5000) <= size_bytes // 20


@pytest.mark.parametrize(("start", "stop"), [(b"b", b"a"), (b"a", b"a"), (None, b"00"), (b"", b"0")])
def test_estimates_of_nothing_are_zero(start: bytes | None, stop: bytes | None) -> None:
    """Ranges that are empty or lie below the first key hold nothing."""
    directory = new_directory()
    write_table(directory, [(b"%05d" % number, b"v") for number in range(50)])

    assert open_table(directory).estimate(start, stop) == (0, 0)


def test_a_table_of_range_tombstones_alone() -> None:
    """A table without entries deletes its ranges, and has no partition."""
    directory = new_directory()
    written = write_table(directory, [], [(b"b", b"d"), (b"x", b"z")])
    reader = open_table(directory)

    assert (written.smallest, written.largest, written.largest_is_excluded) == (b"b", b"z", True)
    assert [look_up(reader, key) for key in (b"a", b"b", b"c", b"d", b"x", b"z")] == [
        MISSING,
        None,
        None,
        MISSING,
        None,
        MISSING,
    ]
    assert flatten(reader.runs()) == []
    assert reader.estimate(None, None) == (0, 0)
    assert list(reader.check()) == []


def test_threads_share_a_reader() -> None:
    """Look-ups and scans of several threads through a cache that evicts all the time give right answers."""
    directory = new_directory()
    entries = [(b"%05d" % number, b"%d" % number * 9) for number in range(600)]
    write_table(directory, entries, block_bytes=300, compression="zstd")
    reader, model = open_table(directory, new_cache(12_000)), dict(entries)
    wrong: list[bytes] = []

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(150):
            key = b"%05d" % chance.randrange(700)
            if look_up(reader, key) != model.get(key, MISSING):
                wrong.append(key)
            if flatten(reader.runs(key, key + b"\0")) != ([(key, model[key])] if key in model else []):
                wrong.append(key)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not wrong


def test_the_footer_has_its_size() -> None:
    """The size of the footer is part of the format."""
    assert FOOTER_BYTES == 80
    assert IDENTITY.bit_length() <= 128
