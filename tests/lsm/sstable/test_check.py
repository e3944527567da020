"""The complete check: each broken invariant of a table whose checksums are right is named, with its place."""

from collections.abc import Callable

import pytest

from lsm.environment import Directory, File
from lsm.kernel import Kernel, kernel
from lsm.runs import Value
from lsm.sstable import writer as writer_module
from lsm.sstable.check import check_table
from lsm.sstable.frame import Footer, encode_footer
from lsm.sstable.index import encode_index
from lsm.sstable.properties import TableProperties, encode_properties
from lsm.sstable.writer import TableWriter
from tests.support.tables import IDENTITY, NAME, PROPERTIES, new_directory, new_writer, open_table

KEYS = [b"%02d" % number for number in range(20)]
VALUES: list[Value] = [b"value", None] * 10


@pytest.fixture
def directory() -> Directory:
    """Return an empty directory."""
    return new_directory()


@pytest.fixture
def writer(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> TableWriter:
    """Return a writer of a table with several partitions."""
    monkeypatch.setattr(writer_module, "PARTITION_BLOCKS", 2)
    return new_writer(directory.open(NAME, "create"), block_bytes=30)


def finish(writer: TableWriter, directory: Directory) -> list[str]:
    """Finish a table with range tombstones, and say what is wrong with it."""
    writer.add(KEYS, VALUES)
    writer.add_range_tombstones([(b"15", b"3")])
    writer.finish(PROPERTIES)
    damage = list(open_table(directory).check())
    assert all(error.path.endswith(NAME) and error.offset >= 0 for error in damage)
    return [error.reason for error in damage]


def test_a_right_table_has_no_damage(writer: TableWriter, directory: Directory) -> None:
    """The table that the other tests break is right when it is not broken."""
    assert finish(writer, directory) == []


def test_keys_in_wrong_order_are_found(
    writer: TableWriter, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block whose keys do not ascend, under a right checksum."""
    encode = kernel().encode_block

    def swapped(keys: list[bytes], values: list[Value]) -> bytes:
        is_first = keys[:1] == [b"08"] and len(keys) == 4
        return encode([keys[0], keys[2], keys[1], keys[3]], values) if is_first else encode(keys, values)

    monkeypatch.setattr(kernel(), "encode_block", swapped)

    assert "block: its keys do not ascend" in finish(writer, directory)


def test_a_key_below_its_bound_is_found(
    writer: TableWriter, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block that holds other keys than its index says is found, so that a look-up never misses silently."""
    encode = kernel().encode_block

    def moved(keys: list[bytes], values: list[Value]) -> bytes:
        is_data = values[0] in VALUES
        return encode([b"00", *keys[1:]] if is_data and keys[0] == b"08" else keys, values)

    monkeypatch.setattr(kernel(), "encode_block", moved)

    assert "block: its keys are not those that the index says" in finish(writer, directory)


def test_a_filter_without_its_keys_is_found(
    writer: TableWriter, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A filter that denies a key of its partition would hide it."""
    monkeypatch.setattr(kernel(), "build_filter", lambda *_: bytes(64) + b"\6")

    assert set(finish(writer, directory)) == {"filter: a key of the partition is not in it"}


def test_a_wrong_count_in_an_index_is_found(
    writer: TableWriter, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entry counts that are wrong block by block, though their sum is right."""
    encode = encode_index

    def miscounted(tested: Kernel, bounds: list[bytes], sizes: list[int], counts: list[int]) -> bytes:
        counts = [counts[0] - 1, counts[1] + 1, *counts[2:]] if len(counts) > 1 else counts
        return encode(tested, bounds, sizes, counts)

    monkeypatch.setattr(writer_module, "encode_index", miscounted)

    assert any("the index counts others" in reason for reason in finish(writer, directory))


WRONG_PROPERTIES: dict[str, object] = {
    "identity": "ff" * 16,
    "entry_count": 21,
    "tombstone_count": 9,
    "range_tombstone_count": 2,
    "smallest": b"01",
    "largest": b"19",
    "key_bytes": 41,
    "value_bytes": 49,
}


@pytest.mark.parametrize("name", WRONG_PROPERTIES)
def test_wrong_properties_are_found(
    name: str, writer: TableWriter, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each count and bound in the properties is compared with what is there, and named when it is wrong."""

    def changed(properties: TableProperties) -> bytes:
        fields = {field: getattr(properties, field) for field in properties.__struct_fields__}
        return encode_properties(TableProperties(**{**fields, name: WRONG_PROPERTIES[name]}))

    monkeypatch.setattr(writer_module, "encode_properties", changed)

    assert [reason.split()[:2] for reason in finish(writer, directory)] == [["properties:", name]]


def test_properties_that_are_no_json_are_found(
    writer: TableWriter, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Text of another kind is damage of the properties."""
    monkeypatch.setattr(writer_module, "encode_properties", lambda _: b"{}")

    assert [reason.partition(":")[0] for reason in finish(writer, directory)] == ["properties"]


def test_all_damage_is_listed(writer: TableWriter, directory: Directory) -> None:
    """The check goes on after damage: two broken blocks and a broken filter are three findings, each at its place."""
    finish(writer, directory)
    reader = open_table(directory)
    top = reader._parts.top_index()
    places = [top.partitions[0].data_handle.offset, top.partitions[1].data_handle.offset]
    places.append(top.partitions[2].filter_handle.offset)
    file = directory.open(NAME, "write")
    for place in places:
        flip(file, place)

    damage = list(check_table(file, IDENTITY))

    assert [error.offset for error in damage] == places


def flip(file: File, offset: int) -> None:
    """Change one byte of a file."""
    (value,) = file.read_at(offset, 1)
    file.write_at(offset, bytes((value ^ 0x10,)))


@pytest.mark.parametrize(
    "break_layout",
    [
        lambda footer: footer._replace(range_tombstones=footer.top_index),
        lambda footer: footer._replace(range_tombstones=footer.range_tombstones._replace(size=0)),
    ],
)
def test_gaps_between_parts_are_found(
    break_layout: Callable[[Footer], Footer],
    writer: TableWriter,
    directory: Directory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A footer that leaves out a part, or names one twice, leaves bytes that nobody checks."""
    encode = encode_footer
    monkeypatch.setattr(
        writer_module,
        "encode_footer",
        lambda footer, offset: encode(break_layout(footer), offset),
    )

    assert "table: the parts named by the footer leave a gap or overlap" in finish(writer, directory)
