"""The kernel interface: every kernel does the same, and what a model in a few lines of Python says.

Where the package was built without a C compiler, only the plain kernel is there to be tested.
"""

import random
import tracemalloc

import pytest
import xxhash
from hypothesis import example, given
from hypothesis import strategies as st

from lsm.errors import CorruptionError, InvalidArgumentError
from lsm.kernel import Block, Kernel, kernel, kernel_name, kernels, plain
from lsm.kernel.blocks import shared_prefix
from lsm.runs import MISSING, Run, Value

KERNELS = kernels()
on_each_kernel = pytest.mark.parametrize("tested", KERNELS.values(), ids=KERNELS.keys())

PATH = "/data/000005.sst"
PLACE = 4096

short_keys = st.binary(max_size=4)
alike_keys = st.text("ab", max_size=6).map(str.encode)
counted_keys = st.integers(0, 2**16).map(lambda number: b"row/" + number.to_bytes(4, "big"))
values_or_tombstones = st.one_of(st.none(), st.binary(max_size=12), st.binary(min_size=3, max_size=3))
long_values = st.sampled_from([254, 255, 256, 65534, 65535, 65536]).map(bytes)


@st.composite
def entries(draw: st.DrawFn) -> dict[bytes, Value]:
    """Draw sorted entries: keys of one kind (few letters, counters, any bytes), values of one or of any length."""
    keys = draw(st.sampled_from([short_keys, alike_keys, counted_keys]))
    values = draw(st.sampled_from([values_or_tombstones, st.none(), st.just(b"same"), st.one_of(long_values)]))
    drawn = draw(st.dictionaries(keys, values, min_size=1, max_size=40))
    return dict(sorted(drawn.items()))


def run_of(drawn: dict[bytes, Value]) -> Run:
    """Return the entries of a dict as a run."""
    return list(drawn), list(drawn.values())


def test_the_kernel_in_use_has_a_name() -> None:
    """The name is that of one of the tested kernels, and the kernel is that one."""
    assert kernel() is KERNELS[kernel_name()]


@on_each_kernel
@given(drawn=entries())
@example(drawn={b"": b""})
@example(drawn={b"": None})
@example(drawn={b"key": b"x" * 70_000, b"key2": None})
@example(drawn={bytes(70_000): b"", bytes(70_001): b"v"})
def test_a_block_decodes_to_what_was_encoded(tested: Kernel, drawn: dict[bytes, Value]) -> None:
    """Encode, parse and decode give the entries back, whatever the lengths and however many tombstones."""
    block = tested.parse_block(tested.encode_block(*run_of(drawn)), PATH, PLACE)

    assert tested.decode_block(block) == run_of(drawn)
    assert block.entry_count == len(drawn)


@on_each_kernel
@given(drawn=entries(), others=st.lists(st.one_of(short_keys, alike_keys, counted_keys), max_size=20))
@example(drawn={b"aab": b"1", b"ab": b"2", b"b": b"3"}, others=[b"a", b"aa", b"abb", b""])
def test_a_search_finds_exactly_the_keys_of_the_block(
    tested: Kernel, drawn: dict[bytes, Value], others: list[bytes]
) -> None:
    """Each key gives its value, any other key `MISSING`, also one whose bytes lie across two keys of the block."""
    block = tested.parse_block(tested.encode_block(*run_of(drawn)), PATH, PLACE)
    joined = b"".join(drawn)
    inside = [joined[start : start + size] for start in range(0, len(joined), 3) for size in (1, 2, 6)]

    for key in [*drawn, *others, *inside]:
        assert tested.search_block(block, key) == drawn.get(key, MISSING)


@on_each_kernel
@pytest.mark.parametrize("key_bytes", [4, None])
def test_a_search_finds_every_key_of_a_large_block(tested: Kernel, key_bytes: int | None) -> None:
    """Thousands of keys in a block, of one length or of several: present ones are found, their neighbours are not."""
    numbers = range(0, 30_000, 3)

    def key_of(number: int) -> bytes:
        return number.to_bytes(key_bytes, "big") if key_bytes else b"%06d" % number + b"x" * (number % 5)

    drawn: dict[bytes, Value] = {key_of(number): b"%d" % number for number in numbers}
    block = tested.parse_block(tested.encode_block(*run_of(drawn)), PATH, PLACE)

    assert tested.decode_block(block) == run_of(drawn)
    for number in range(0, 30_000, 7):
        expected = MISSING if number % 3 else b"%d" % number
        assert tested.search_block(block, key_of(number)) == expected


@on_each_kernel
@given(
    drawn=entries(),
    start=st.one_of(st.none(), short_keys, alike_keys, counted_keys),
    stop=st.one_of(st.none(), short_keys, alike_keys, counted_keys),
)
def test_a_part_holds_the_entries_within_the_bounds(
    tested: Kernel, drawn: dict[bytes, Value], start: bytes | None, stop: bytes | None
) -> None:
    """The first bound is included, the second is not; bounds in the wrong order give nothing."""
    block = tested.parse_block(tested.encode_block(*run_of(drawn)), PATH, PLACE)
    expected = {
        key: value for key, value in drawn.items() if (start is None or start <= key) and (stop is None or key < stop)
    }

    assert tested.decode_part(block, start, stop) == run_of(expected)


@on_each_kernel
@given(drawn=entries(), data=st.data())
def test_a_changed_block_is_refused_or_decodes(tested: Kernel, drawn: dict[bytes, Value], data: st.DataObject) -> None:
    """Any change of any bytes gives `CorruptionError` with the place, or a block that every function can read."""
    content = bytearray(tested.encode_block(*run_of(drawn)))
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, min(len(content) - 1, 60)))
        content[position] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(0, len(content))) if data.draw(st.booleans()) else len(content) :]

    block, refusal = parse_or_refuse(tested, bytes(content))
    if block is None:
        assert refusal == (PATH, PLACE)
        return
    keys, values = tested.decode_block(block)
    assert len(keys) == len(values) == block.entry_count
    part_keys, part_values = tested.decode_part(block, b"a", b"row/\0\0\0\1")
    assert len(part_keys) == len(part_values) <= block.entry_count
    for key in (b"", b"a", b"row/\0\0\0\0", *keys[:3]):
        assert tested.search_block(block, key) in {*values, MISSING}


@on_each_kernel
@given(drawn=entries(), data=st.data())
def test_a_changed_block_reads_the_same_with_all_kernels(
    tested: Kernel, drawn: dict[bytes, Value], data: st.DataObject
) -> None:
    """What one kernel refuses all refuse, and what they accept they read alike, whatever the bytes are."""
    content = bytearray(plain.encode_block(*run_of(drawn)))
    for _ in range(data.draw(st.integers(0, 3))):
        position = data.draw(st.integers(0, min(len(content) - 1, 60)))
        content[position] = data.draw(st.sampled_from([0, 1, 2, 3, 4, 127, 255]))
    block, refusal = parse_or_refuse(tested, bytes(content))
    meaning = kernels()["plain"]
    expected, expected_refusal = parse_or_refuse(meaning, bytes(content))

    assert refusal == expected_refusal
    if block is not None and expected is not None:
        assert tested.decode_block(block) == meaning.decode_block(expected)


def parse_or_refuse(tested: Kernel, content: bytes) -> tuple[Block | None, tuple[str, int] | None]:
    """Return the block, or the place that the refusal names."""
    try:
        return tested.parse_block(content, PATH, PLACE), None
    except CorruptionError as refusal:
        return None, (refusal.path, refusal.offset)


@on_each_kernel
@pytest.mark.parametrize(
    "header",
    [
        "00000000 ffffffff 00000000 00000000 00000000",
        "00000000 ffffffff 00000000 00000000 ffffffff",
        "00010000 ffffffff 00000000 00000000 00000000",
        "00000400 ffffff7f 00000000 01000000 00000000",
        "00000000 00010000 ffffffff 01000000 00000000",
        "00000000 01000000 00000000 ffffffff 00000000",
    ],
)
def test_a_lying_header_allocates_nothing(tested: Kernel, header: str) -> None:
    """A block that claims billions of entries or bytes is refused before memory is taken for them."""
    content = bytes.fromhex(header) + bytes(100)
    tracemalloc.start()
    try:
        with pytest.raises(CorruptionError):
            tested.parse_block(content, PATH, PLACE)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak_bytes < 32 * 1024


@on_each_kernel
def test_the_example_of_the_grammar_is_true(tested: Kernel) -> None:
    """The bytes in the documentation of blocks are those that the kernel writes."""
    expected = bytes.fromhex("01 00 01 00 02000000 01000000 01000000 00000000 61 01 ff 31 32 78")

    assert tested.encode_block([b"a1", b"a2"], [b"x", None]) == expected


@on_each_kernel
def test_a_prefix_is_stored_once(tested: Kernel) -> None:
    """A hundred keys with the same long beginning take no more room than without it, but for the one copy."""
    keys = [b"%03d" % number for number in range(100)]
    prefix = b"p" * 1000

    longer = len(tested.encode_block([prefix + key for key in keys], [b""] * 100))

    assert longer == len(tested.encode_block(keys, [b""] * 100)) + 1000


@given(first=st.binary(max_size=8), second=st.binary(max_size=8), prefix=st.binary(max_size=8))
def test_the_shared_prefix_is_the_longest(first: bytes, second: bytes, prefix: bytes) -> None:
    """It begins both, and one more byte would not."""
    one, two = prefix + first, prefix + second
    found = shared_prefix(one, two)

    assert one.startswith(found)
    assert two.startswith(found)
    assert found in {one, two} or one[len(found)] != two[len(found)]


@on_each_kernel
@given(hashes=st.lists(st.integers(0, 2**64 - 1), max_size=200), bits_per_key=st.integers(1, 64))
def test_a_filter_knows_every_key(tested: Kernel, hashes: list[int], bits_per_key: int) -> None:
    """No key that was given is ever denied, at any size."""
    built = tested.parse_filter(tested.build_filter(hashes, bits_per_key), PATH, PLACE)

    assert all(tested.probe_filter(built, key_hash) for key_hash in hashes)


@on_each_kernel
@pytest.mark.parametrize(
    ("bits_per_key", "limit", "probes"),
    [(5, 0.10, 60_000), (10, 0.01, 600_000), (15, 0.002, 60_000), (20, 0.0006, 60_000)],
)
def test_a_filter_is_seldom_wrong(tested: Kernel, bits_per_key: int, limit: float, probes: int) -> None:
    """False positives stay below the documented share: at ten bits a key one in a hundred.

    There 0.96 % are expected, so the sample has to be large: 600,000 probes have a standard error of 0.013 %.
    """
    keys = [b"present-%d" % number for number in range(60_000)]
    built = tested.parse_filter(tested.build_filter(tested.key_hashes(keys), bits_per_key), PATH, PLACE)
    others = tested.key_hashes([b"absent-%d" % number for number in range(probes)])

    wrong = sum(tested.probe_filter(built, key_hash) for key_hash in others)

    assert wrong / probes <= limit


@on_each_kernel
@pytest.mark.parametrize("content", [b"", b"\1", bytes(63) + b"\1", bytes(65) + b"\1", bytes(64) + b"\0", bytes(65)])
def test_an_impossible_filter_is_refused(tested: Kernel, content: bytes) -> None:
    """A size that is no number of blocks, or a probe count outside 1 to 14, is corruption at this place."""
    with pytest.raises(CorruptionError) as caught:
        tested.parse_filter(content, PATH, PLACE)

    assert (caught.value.path, caught.value.offset) == (PATH, PLACE)


@on_each_kernel
def test_hashes_are_those_of_the_format(tested: Kernel) -> None:
    """Filters on disk rely on XXH3 with its published values."""
    assert tested.key_hashes([b"", b"a"]) == [0x2D06800538D394C2, 0xE6C632B61E964E1F]


@on_each_kernel
@given(keys=st.lists(st.binary(max_size=300), max_size=20), size=st.integers(0, 5000))
def test_hashes_of_any_length_are_those_of_the_library(tested: Kernel, keys: list[bytes], size: int) -> None:
    """Short, medium and long keys take different ways to the hash that `xxhash` computes."""
    keys = [*keys, bytes(number * 7 & 255 for number in range(size))]

    assert tested.key_hashes(keys) == list(map(xxhash.xxh3_64_intdigest, keys))


@on_each_kernel
@given(
    drawn=st.lists(st.dictionaries(alike_keys, values_or_tombstones, max_size=12), max_size=5),
    reverse=st.booleans(),
)
def test_a_merge_keeps_the_newest(tested: Kernel, drawn: list[dict[bytes, Value]], reverse: bool) -> None:
    """Of equal keys the first run wins, tombstones included; the result is ordered as the runs are."""
    runs: list[Run] = []
    for one in drawn:
        ordered = sorted(one, reverse=reverse)
        runs.append((ordered, [one[key] for key in ordered]))
    model: dict[bytes, Value] = {}
    for one in reversed(drawn):
        model.update(one)
    expected = sorted(model, reverse=reverse)

    assert tested.merge_runs(runs, reverse) == (expected, [model[key] for key in expected])


@on_each_kernel
def test_a_long_merge_keeps_the_newest(tested: Kernel) -> None:
    """Ten thousand entries of three runs, with keys that differ behind their eighth byte only."""
    runs: list[Run] = []
    model: dict[bytes, Value] = {}
    for age in (2, 1, 0):
        one: dict[bytes, Value] = {b"beginning/%06d" % number: b"%d" % age for number in range(age, 15_000, age + 2)}
        runs.insert(0, run_of(one))
        model.update(one)

    assert tested.merge_runs(runs, False) == run_of(dict(sorted(model.items())))


changes = st.lists(st.tuples(short_keys, st.one_of(st.none(), st.binary(max_size=20)), st.booleans()), max_size=20)


@on_each_kernel
@given(drawn=changes)
def test_entries_of_a_log_come_back(tested: Kernel, drawn: list[tuple[bytes, Value, bool]]) -> None:
    """Puts, deletions and deletions of ranges give the bytes that the plain kernel gives, and are read back."""
    keys = [key for key, _, _ in drawn]
    values = [value for _, value, _ in drawn]
    ranges = [place for place, (_, value, is_range) in enumerate(drawn) if is_range and value is not None]
    body = tested.encode_entries(keys, values, ranges)

    assert body == plain.encode_entries(keys, values, ranges)
    assert tested.decode_entries(body, len(keys)) == (keys, values, ranges)


@on_each_kernel
@given(body=st.binary(max_size=60), count=st.integers(0, 8), large=st.sampled_from([0, 2**31, 2**32 - 1]))
def test_hostile_entries_of_a_log_are_refused_alike(tested: Kernel, body: bytes, count: int, large: int) -> None:
    """Any bytes with any count give what the plain kernel gives: the same entries, or `InvalidArgumentError`."""
    for number in (count, count + large):
        assert entries_or_refuse(tested, body, number) == entries_or_refuse(plain, body, number)


def entries_or_refuse(tested: Kernel, body: bytes, count: int) -> object:
    """Return the entries, or the text of the refusal."""
    try:
        return tested.decode_entries(body, count)
    except InvalidArgumentError as refusal:
        return str(refusal)


u64 = st.integers(0, 2**64 - 1)


@on_each_kernel
@given(identity=u64, offset=u64, sequence=u64, durable=st.tuples(u64, u64), body=st.binary(max_size=300))
def test_frames_are_the_same_for_all_kernels(
    tested: Kernel, identity: int, offset: int, sequence: int, durable: tuple[int, int], body: bytes
) -> None:
    """Headers, checksums and bodies, of a frame with any body and of one with a single entry."""
    expected = plain.encode_frame(identity, offset, sequence, 2**32 - 1, durable, body)
    assert tested.encode_frame(identity, offset, sequence, 2**32 - 1, durable, body) == expected
    for value in (None, body):
        entry = plain.encode_entry_frame(identity, offset, sequence, durable, body[:9], value)
        assert tested.encode_entry_frame(identity, offset, sequence, durable, body[:9], value) == entry


@on_each_kernel
def test_blocks_and_filters_are_the_same_for_all_kernels(tested: Kernel) -> None:
    """What one kernel writes is byte for byte what the plain one writes."""
    chance = random.Random(7)
    keys = sorted({chance.randbytes(chance.randrange(1, 30)) for _ in range(500)})
    values = [chance.choice([None, chance.randbytes(chance.randrange(300))]) for _ in keys]

    assert tested.encode_block(keys, values) == plain.encode_block(keys, values)
    for bits_per_key in (1, 10, 24):
        hashes = plain.key_hashes(keys)
        assert tested.build_filter(hashes, bits_per_key) == plain.build_filter(hashes, bits_per_key)
