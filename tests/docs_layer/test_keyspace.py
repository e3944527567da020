"""The map of keys: contiguous, disjoint ranges, and numbers in the order of their bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docs_layer import keyspace
from docs_layer.key_encoding import tuple_encoder

NUMBERS = st.integers(0, 2**64 - 1) | st.integers(0, 300) | st.integers(65_000, 66_000)
TABLES = NUMBERS.filter(bool)


def inside(key: bytes, bounds: tuple[bytes, bytes]) -> bool:
    """Say whether a key lies in a range."""
    return bounds[0] <= key < bounds[1]


@given(NUMBERS, NUMBERS)
def test_numbers_sort_like_their_bytes_and_none_begins_another(left: int, right: int) -> None:
    """Order is kept and the encoding is free of prefixes."""
    first, second = keyspace.number_bytes(left), keyspace.number_bytes(right)
    assert (first < second) == (left < right)
    assert (first == second) == (left == right)
    assert left == right or not first.startswith(second)


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0, "00"), (239, "ef"), (240, "f0f0"), (255, "f0ff"), (256, "f10100"), (2**64 - 1, "f7ffffffffffffffff")],
)
def test_numbers_have_these_bytes(number: int, expected: str) -> None:
    """The bytes on disk never change."""
    assert keyspace.number_bytes(number).hex() == expected


@pytest.mark.parametrize("number", [-1, 2**64])
def test_numbers_out_of_range_are_refused(number: int) -> None:
    """A negative number, or one of more than 64 bits, names itself in the error."""
    with pytest.raises(ValueError, match=str(number)):
        keyspace.number_bytes(number)


def test_the_example_of_the_grammar_is_true() -> None:
    """Row 5 of table 3."""
    assert keyspace.row_key_prefix(3) + tuple_encoder([("int", False)])([5]) == bytes.fromhex(
        "0300 20 8000000000000005"
    )
    assert keyspace.index_prefix(3, 1) == bytes.fromhex("0310")


@given(TABLES, TABLES, TABLES, TABLES, st.binary(max_size=3))
def test_each_index_is_a_range_of_its_own(table: int, index: int, other: int, second: int, body: bytes) -> None:
    """A key lies in the range of an index only if it belongs to that index of that table."""
    index, second = min(index, 2**32), min(second, 2**32)
    key = keyspace.index_prefix(other, second) + b"\x10" + body
    assert inside(key, keyspace.index_range(table, index)) == ((table, index) == (other, second))
    assert inside(key, keyspace.table_range(table)) == (table == other)
    assert not inside(key, keyspace.row_range(table))
    assert not inside(key, keyspace.catalog_range())
    assert keyspace.table_of_key(key) == other


@given(TABLES, TABLES, st.binary(max_size=3))
def test_each_kind_of_data_of_a_table_is_a_range_of_its_own(table: int, other: int, body: bytes) -> None:
    """Rows and values out of line lie in their table and do not mix."""
    row, large = keyspace.row_key_prefix(other) + b"\x10" + body, keyspace.large_values_prefix(other) + body
    assert inside(row, keyspace.row_range(table)) == (table == other)
    assert inside(row, keyspace.table_range(table)) == (table == other)
    assert inside(large, keyspace.table_range(table)) == (table == other)
    assert not inside(large, keyspace.row_range(table))


@given(TABLES, TABLES, NUMBERS)
def test_catalog_keys_lie_in_the_catalog_and_differ(table: int, other: int, number: int) -> None:
    """Definitions and layouts have ranges of their own; keys of different tables differ."""
    definition, layout = keyspace.catalog_table_key(table), keyspace.catalog_layout_key(table, number)
    keys = {keyspace.catalog_header_key(), definition, layout, keyspace.index_build_key(table, number)}
    assert len(keys) == 4
    assert all(inside(key, keyspace.catalog_range()) and keyspace.table_of_key(key) == 0 for key in keys)
    assert inside(definition, keyspace.catalog_tables_range())
    assert not inside(layout, keyspace.catalog_tables_range())
    assert inside(layout, keyspace.catalog_layouts_range(other)) == (table == other)
    assert (keyspace.row_id_sequence(table) == keyspace.row_id_sequence(other)) == (table == other)


@pytest.mark.parametrize(
    "give", [keyspace.row_key_prefix, keyspace.table_range, keyspace.catalog_table_key, keyspace.row_id_sequence]
)
def test_table_numbers_begin_with_one(give: object) -> None:
    """Table 0 would be the catalog."""
    assert callable(give)
    with pytest.raises(ValueError, match="from 1"):
        give(0)


def test_index_numbers_begin_with_one() -> None:
    """Index 0 would be a reserved area."""
    with pytest.raises(ValueError, match="from 1"):
        keyspace.index_prefix(1, 0)


@pytest.mark.parametrize("key", [b"", b"\xf1\x01", b"\xf8\0", b"\xff" * 12])
def test_bytes_that_begin_with_no_number_are_refused(key: bytes) -> None:
    """A key that is too short or begins with an unused byte raises."""
    with pytest.raises(ValueError, match="no number"):
        keyspace.table_of_key(key)
