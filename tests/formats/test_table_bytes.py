"""The bytes of tables: pinned by golden files, and every flipped byte and every cut of a small table noticed.

A golden file gives the bytes in hexadecimal digits, and below the line `--` what they say.
"""

import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from lsm.checksum import checksum, place_salt
from lsm.environment import Directory
from lsm.errors import CorruptionError, Error, FormatError
from lsm.options import Compression
from lsm.runs import Value
from lsm.sstable import writer as writer_module
from lsm.sstable.frame import FOOTER_BYTES, FORMAT_VERSION, MAGIC
from lsm.sstable.reader import TableReader
from tests.support.tables import IDENTITY, NAME, PROPERTIES, flatten, look_up, new_directory, open_table, write_table

Record = Callable[[str, object], None]

GOLDEN = Path(__file__).parent / "golden"
COMPRESSIONS: list[Compression] = ["none", "lz4", "zstd"]

ENTRIES: list[tuple[bytes, Value]] = [
    (b"alpha", b"1" * 40),
    (b"beta", None),
    (b"delta\x00", b""),
    (b"delta\xff", b"\x00\xff" * 20),
    (b"epsilon", b"e" * 50),
    (b"zeta/1", b"same"),
    (b"zeta/2", b"same"),
    (b"zeta/3", b"same"),
    (b"zeta/4", None),
]
RANGES = [(b"beta", b"gamma"), (b"yota", None)]
KEYS = [key for key, _ in ENTRIES]
ABSENT = [b"", b"a", b"beta2", b"delta", b"gamma", b"omega", b"zeta/", b"zeta/11", b"\xff"]


@pytest.fixture
def small_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make partitions of two data blocks, so that a small table has several."""
    monkeypatch.setattr(writer_module, "PARTITION_BLOCKS", 2)


def build(compression: Compression) -> bytes:
    """Write the table of this module and return its bytes."""
    directory = new_directory()
    size = write_table(directory, ENTRIES, RANGES, compression=compression).size_bytes
    return directory.open(NAME, "read").read_at(0, size + 1)


def place(content: bytes) -> Directory:
    """Return a directory with a table of these bytes."""
    directory = new_directory()
    if content:
        directory.open(NAME, "create").write_at(0, content)
    else:
        directory.open(NAME, "create")
    return directory


def describe(reader: TableReader) -> list[str]:
    """Say in words all that a table holds."""
    lines = [f"identity {reader.properties().identity}"]
    for key, value in flatten(reader.runs()):
        lines.append(f"delete {key!r}" if value is None else f"put {key!r} {value!r}")
    lines += [f"delete range {start!r} {stop!r}" for start, stop in reader.range_tombstones()]
    return lines


def golden_text(compression: Compression) -> tuple[bytes, list[str]]:
    """Read a golden file: the bytes, and what they say."""
    digits, _, words = (GOLDEN / f"table-1-{compression}.txt").read_text("ascii").partition("--\n")
    return bytes.fromhex(digits), words.splitlines()


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_golden_tables_are_read(compression: Compression) -> None:
    """Tables of format version 1 say for ever what they said when they were written."""
    content, words = golden_text(compression)
    reader = open_table(place(content))

    assert describe(reader) == words
    assert list(reader.check()) == []
    assert reader.properties().edit == PROPERTIES.edit


def test_the_golden_table_is_written(small_partitions: None) -> None:
    """The writer makes the pinned bytes; those of the compressed tables depend on the versions of the libraries."""
    assert build("none") == golden_text("none")[0]


class Answers:
    """The right answers of the table, to be compared with those of a damaged one."""

    def __init__(self, content: bytes) -> None:
        self.right = dict(self.ask(content))

    @staticmethod
    def ask(content: bytes, identity: int | None = IDENTITY) -> Iterator[tuple[str, object]]:
        """Ask everything that a reader can be asked, each time of a fresh one; errors of the engine are answers."""
        directory = place(content)
        questions: dict[str, Callable[[TableReader], object]] = {
            **{f"get {key!r}": partial(look_up, key=key) for key in KEYS + ABSENT},
            "runs": lambda reader: flatten(reader.runs()),
            "reverse": lambda reader: flatten(reader.runs(reverse=True)),
            "part": lambda reader: flatten(reader.runs(b"b", b"zeta/2", fill_cache=False)),
            "ranges": lambda reader: reader.range_tombstones(),
            "properties": lambda reader: reader.properties(),
            "estimate": lambda reader: reader.estimate(b"b", b"z"),
        }
        for name, question in questions.items():
            try:
                yield name, question(open_table(directory, identity=identity))
            except Error as error:
                yield name, error

    def check(self, damaged: bytes) -> int:
        """Check all answers of a damaged table; return how many were refused."""
        refused = 0
        for name, answer in self.ask(damaged):
            if isinstance(answer, CorruptionError):
                assert answer.path.endswith(NAME)
                assert 0 <= answer.offset <= len(damaged)
                refused += 1
            else:
                assert answer == self.right[name], name
        return refused


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_every_flipped_byte_is_noticed(
    compression: Compression, small_partitions: None, record_property: Record
) -> None:
    """One changed byte anywhere: each answer is right or refused with its place, and the full check finds it."""
    content = build(compression)
    answers = Answers(content)
    refused = 0
    for position in range(len(content)):
        for flip in (0xFF, 1 << position % 8):
            damaged = bytearray(content)
            damaged[position] ^= flip
            refused += answers.check(bytes(damaged))
            assert list(open_table(place(bytes(damaged))).check()), position
    record_property(f"table {compression} flips", 2 * len(content))
    record_property(f"table {compression} answers refused", refused)

    assert refused >= 2 * len(content)


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_every_cut_is_noticed(compression: Compression, small_partitions: None, record_property: Record) -> None:
    """A table cut at any length, or with anything behind it, has no footer where it ends: everything is refused."""
    content = build(compression)
    answers = Answers(content)
    cuts = [content[:size] for size in range(len(content))]
    longer = [content + b"\0", content + content, content + content[-FOOTER_BYTES:]]
    for damaged in cuts + longer:
        assert answers.check(damaged) == len(answers.right)
        assert list(open_table(place(damaged)).check())
    record_property(f"table {compression} cuts", len(cuts))


def test_damage_takes_no_memory(small_partitions: None) -> None:
    """Reading a damaged table never takes more memory than the table and what a reader needs for itself."""
    content = build("lz4")
    answers = Answers(content)
    worst_bytes = 0
    tracemalloc.start()
    try:
        for position in range(0, len(content), 11):
            damaged = bytearray(content)
            damaged[position] ^= 0xFF
            tracemalloc.reset_peak()
            before_bytes = tracemalloc.get_traced_memory()[0]
            answers.check(bytes(damaged))
            worst_bytes = max(worst_bytes, tracemalloc.get_traced_memory()[1] - before_bytes)
    finally:
        tracemalloc.stop()

    assert worst_bytes < len(content) + 256 * 1024


def test_another_table_is_refused() -> None:
    """A right table with another identity than the manifest knows is not the table that was meant."""
    content, _ = golden_text("none")

    with pytest.raises(CorruptionError, match="identity"):
        open_table(place(content), identity=IDENTITY + 1).properties()
    assert describe(open_table(place(content), identity=None))


def test_blocks_of_another_table_are_noticed(small_partitions: None) -> None:
    """A block that is valid in another table, at the same offset, is refused: its checksum is salted."""
    directory = new_directory()
    write_table(directory, ENTRIES, RANGES, identity=IDENTITY + 1)
    content = build("none")
    other = directory.open(NAME, "read").read_at(0, len(content))
    reader = open_table(place(content))
    end = reader._parts.index(reader._parts.top_index(), 0).offsets[1]
    mixed = other[:end] + content[end:]

    with pytest.raises(CorruptionError, match="checksum"):
        flatten(open_table(place(mixed)).runs())


def test_a_newer_version_is_named() -> None:
    """A table of a version that is not known yet is no damage; the error names both versions."""
    content = bytearray(golden_text("none")[0])
    position = len(content) - len(MAGIC) - 8
    assert int.from_bytes(content[position : position + 4], "little") == FORMAT_VERSION
    content[position : position + 4] = (FORMAT_VERSION + 1).to_bytes(4, "little")
    seal_footer(content)

    with pytest.raises(FormatError) as caught:
        open_table(place(bytes(content))).properties()

    assert (caught.value.found, caught.value.supported) == (FORMAT_VERSION + 1, FORMAT_VERSION)


def seal_footer(content: bytearray) -> None:
    """Give the footer of a changed table the right checksum."""
    start, end = len(content) - FOOTER_BYTES, len(content) - len(MAGIC) - 4
    value = checksum(bytes(content[start:end]), place_salt(IDENTITY, start))
    content[end : end + 4] = value.to_bytes(4, "little")
