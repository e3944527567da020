"""Rows as bytes: golden bytes, old layouts, and damage that never passes as a row."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from docs_layer import CorruptionError, ValidationError
from docs_layer.row_codec import RowCodec, decode_value, encode_value


class Row(msgspec.Struct, array_like=True, frozen=True):
    """A row of the newest layout."""

    id: int
    title: str
    year: int | None
    extra: list[int]


LAYOUTS: Mapping[int, tuple[int, ...]] = {1: (1, 2), 2: (2, 1, 3), 3: (1, 2, 3, 4)}
DEFAULTS = {3: b"\xc0", 4: b"\x91\x07"}
GOLDEN = bytes.fromhex("03 94 05 a4 45 6d 6d 61 c0 91 07".replace(" ", ""))


@pytest.fixture
def codec() -> RowCodec:
    """Give the codec of the newest layout."""
    return RowCodec("Book", Row, Row, LAYOUTS, DEFAULTS, {})


def test_golden_bytes(codec: RowCodec) -> None:
    """A row has exactly these bytes, today and in every later version."""
    row = Row(5, "Emma", None, [7])
    assert codec.encode(row) == GOLDEN
    assert codec.checked(row) == (GOLDEN, row)
    assert codec.decode(GOLDEN) == row


@pytest.mark.parametrize(
    ("stored", "row"),
    [
        ("01 92 05 a1 61", Row(5, "a", None, [7])),
        ("02 93 a1 61 05 cd 07 17", Row(5, "a", 1815, [7])),
        ("03 94 05 a1 61 01 90", Row(5, "a", 1, [])),
    ],
)
def test_every_layout_is_read(codec: RowCodec, stored: str, row: Row) -> None:
    """Older rows are brought to the newest layout, with the catalog's defaults."""
    assert codec.decode(bytes.fromhex(stored)) == row


@pytest.mark.parametrize(
    "stored", ["", "00", "04 90", "ff", "03", "03 93 05 a1 61 01", "01 93 05 a1 61 01", "01 c1", "03 94 05 05 c0 90"]
)
def test_foreign_bytes_are_corruption(codec: RowCodec, stored: str) -> None:
    """Bytes that are no row of any layout raise, and name the table."""
    with pytest.raises(CorruptionError, match="table Book"):
        codec.decode(bytes.fromhex(stored))


@given(st.integers(0, len(GOLDEN) - 1), st.integers(1, 255))
def test_flipped_bytes_never_raise_anything_else(place: int, mask: int) -> None:
    """A flipped byte gives a row of the right types or CorruptionError; checksums are the store's matter."""
    codec = RowCodec("Book", Row, Row, LAYOUTS, DEFAULTS, {})
    damaged = bytearray(GOLDEN)
    damaged[place] ^= mask
    try:
        row = codec.decode(bytes(damaged))
    except CorruptionError:
        return
    assert isinstance(row, Row)


def test_errors_name_the_column_also_inside_a_value(codec: RowCodec) -> None:
    """Positions in the array are mapped to names; the place inside a value is kept."""
    wrong: Any = [1, "x"]
    with pytest.raises(ValidationError) as caught:
        codec.checked(Row(1, "a", None, wrong))
    assert (caught.value.field, caught.value.value) == ("extra", wrong)
    assert "at [1]" in str(caught.value)
    unset: Any = msgspec.UNSET
    with pytest.raises(ValidationError, match="required"):
        codec.checked(Row(1, unset, None, []))


def test_checks_see_values_but_not_null() -> None:
    """A check runs on the value as it will be read."""
    seen: list[object] = []

    def saw(value: object) -> bool:
        seen.append(value)
        return True

    codec = RowCodec("Book", Row, Row, {1: (1, 2, 3, 4)}, {}, {"year": saw})
    codec.checked(Row(1, "a", None, []))
    codec.checked(Row(1, "a", 5, []))
    assert seen == [5]


def test_wide_tables_have_a_long_array_header() -> None:
    """More than fifteen columns are upgraded like few."""
    names = [f"c{place}" for place in range(20)]
    wide = msgspec.defstruct("Wide", [(name, int) for name in names], array_like=True)
    codec = RowCodec("Wide", wide, wide, {1: (1,), 2: tuple(range(1, 21))}, dict.fromkeys(range(2, 21), b"\t"), {})
    row = codec.decode(b"\x01\x91\x05")
    assert [getattr(row, name) for name in names] == [5, *[9] * 19]
    assert codec.decode(codec.encode(row)) == row


def test_single_values() -> None:
    """Defaults are stored as single values; what cannot be stored names its column."""
    assert decode_value(encode_value("T", "c", [1]), list[int]) == [1]
    with pytest.raises(ValidationError) as caught:
        encode_value("T", "c", object())
    assert (caught.value.table, caught.value.field) == ("T", "c")
