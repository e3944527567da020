"""Single components: exact bytes, equal values that share them, and values that are refused."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from uuid import UUID

import pytest

from docs_layer.key_encoding import (
    INVERTIBLE_KINDS,
    KINDS,
    TypeCode,
    UnencodableError,
    component_decoder,
    component_encoder,
    component_skipper,
    tuple_encoder,
)


class Colour(StrEnum):
    """Text with a class of its own."""

    RED = "red"


class Size(IntEnum):
    """A number with a class of its own."""

    LARGE = 3


class Opaque(Enum):
    """A value without order."""

    THING = object()


GOLDEN: list[tuple[str, object, str]] = [
    ("int", None, "10"),
    ("int", 5, "20 8000000000000005"),
    ("int", -1, "20 7fffffffffffffff"),
    ("float", 1.0, "24 bff0000000000000"),
    ("float", -1.0, "24 400fffffffffffff"),
    ("float", math.nan, "24 fff8000000000000"),
    ("decimal", Decimal("12.5"), "28 80 80000002 0d 33 00"),
    ("decimal", Decimal("-12.5"), "28 40 7ffffffd f2 cc ff"),
    ("decimal", Decimal(0), "28 60"),
    ("str", "a\0b", "30 61 00ff 62 00"),
    ("bytes", b"\0", "38 00ff 00"),
    ("bool", False, "18"),
    ("bool", True, "19"),
    ("datetime", datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), "40 80000000000f4240"),
    ("datetime_naive", datetime(1970, 1, 1), "44 8000000000000000"),  # noqa: DTZ001 - naive on purpose
    ("date", date(1, 1, 1), "48 00000001"),
    ("time", time(0, 0, 1), "4c 00000000000f4240"),
    ("timedelta", timedelta(days=-1, seconds=2, microseconds=3), "50 7fffffff 00000002 00000003"),
    ("uuid", UUID(int=1), "58 00000000000000000000000000000001"),
    ("any", 1, "2c bff0000000000000 00"),
    ("any", 2**53 + 1, "2c c340000000000000 80000010 5b 08 14 5d 37 4b 0a 5e 00"),
    ("any", ["a", None], "60 30 61 00 10 00"),
    ("any", {"b": 1, "a": None}, "68 30 61 00 10 30 62 00 2c bff0000000000000 00 00"),
]


@pytest.mark.parametrize(("kind", "value", "expected"), GOLDEN)
def test_components_have_these_bytes(kind: str, value: object, expected: str) -> None:
    """The bytes on disk never change; descending ones are their complement."""
    ascending = bytes.fromhex(expected)
    assert component_encoder(kind)(value) == ascending
    assert component_encoder(kind, descending=True)(value) == bytes(255 - byte for byte in ascending)


def test_the_example_of_the_grammar_is_true() -> None:
    """The worked example in the package's text."""
    key = tuple_encoder([("int", False), ("str", True)])((5, "a\0"))
    assert key == bytes.fromhex("20 8000000000000005 cf 9e ff00 ff 01")


def test_type_codes_leave_room_for_bounds_in_both_directions() -> None:
    """Codes lie in 10..EF, so that their complements do."""
    assert all(0x10 <= code <= 0xEF for code in TypeCode)


EQUAL: list[tuple[str, list[object]]] = [
    ("float", [0.0, -0.0]),
    ("float", [math.nan, -math.nan]),
    ("decimal", [Decimal(1), Decimal("1.00"), Decimal("0.1E1")]),
    ("decimal", [Decimal("NaN"), Decimal("-NaN"), Decimal("sNaN")]),
    ("any", [1, 1.0, Decimal("1.0"), Size.LARGE - 2]),
    ("any", [0, 0.0, -0.0, Decimal("-0")]),
    ("any", [math.nan, Decimal("NaN"), Decimal("sNaN")]),
    ("any", [math.inf, Decimal("Infinity")]),
    ("any", [10**400, Decimal("1e400")]),
    ("any", ["red", Colour.RED]),
    ("any", [3, Size.LARGE]),
    ("any", [[1, "a"], (1.0, "a")]),
    ("datetime", [datetime(2020, 1, 1, 12, tzinfo=UTC), datetime(2020, 1, 1, 13, tzinfo=timezone(timedelta(hours=1)))]),
]


@pytest.mark.parametrize(("kind", "values"), EQUAL)
@pytest.mark.parametrize("descending", [False, True])
def test_equal_values_share_their_bytes(kind: str, values: list[object], descending: bool) -> None:
    """Values that are equal in the documented order have one key."""
    encode = component_encoder(kind, descending)
    assert len({encode(value) for value in values}) == 1


def nested(depth: int) -> list[object]:
    """Give a list in a list in a list."""
    value: list[object] = []
    for _ in range(depth):
        value = [value]
    return value


REFUSED: list[tuple[str, object]] = [
    ("int", 2**63),
    ("int", -(2**63) - 1),
    ("int", 1.5),
    ("int", "1"),
    ("float", "1.0"),
    ("decimal", 1.5),
    ("decimal", Decimal("1e1073741824")),
    ("str", b"a"),
    ("str", 5),
    ("str", "\ud800"),
    ("bytes", "a"),
    ("bytes", 5),
    ("bool", 1),
    ("bool", "yes"),
    ("datetime", datetime(2020, 1, 1)),  # noqa: DTZ001 - naive on purpose
    ("datetime", date(2020, 1, 1)),
    ("datetime", datetime.max.replace(tzinfo=timezone(timedelta(hours=-1)))),
    ("datetime", datetime.min.replace(tzinfo=timezone(timedelta(hours=1)))),
    ("datetime_naive", datetime(2020, 1, 1, tzinfo=UTC)),
    ("date", datetime(2020, 1, 1, tzinfo=UTC)),
    ("date", "2020-01-01"),
    ("time", time(1, tzinfo=UTC)),
    ("time", 5),
    ("timedelta", 5),
    ("uuid", "00000000-0000-0000-0000-000000000001"),
    ("any", {"a": {1}}),
    ("any", Opaque.THING),
    ("any", 1 << 8192),
    ("any", Decimal("1e1073741824")),
    ("any", ["\ud800"]),
    ("any", nested(64)),
]


@pytest.mark.parametrize(("kind", "value"), REFUSED)
@pytest.mark.parametrize("descending", [False, True])
def test_values_without_a_place_in_the_order_are_refused(kind: str, value: object, descending: bool) -> None:
    """A wrong type, a value out of range or half a character raises and names kind and value."""
    with pytest.raises(UnencodableError) as caught:
        component_encoder(kind, descending)(value)
    assert caught.value.reason
    if kind != "any":
        assert caught.value.kind == kind
        assert caught.value.value is value


def test_a_message_stays_short_for_a_long_value() -> None:
    """The text shows the beginning of a value, the attribute holds all of it."""
    with pytest.raises(UnencodableError) as caught:
        component_encoder("int")("x" * 10_000)
    assert len(str(caught.value)) < 300


def test_lists_may_be_nested_as_deep_as_allowed() -> None:
    """One level below the limit is fine, and its end is found."""
    key = component_encoder("any")(nested(63))
    assert component_skipper("any")(key, 0) == len(key) == 128


@pytest.mark.parametrize("give", [component_encoder, component_decoder, component_skipper])
def test_unknown_kinds_are_refused(give: object) -> None:
    """A kind that does not exist is a ValueError that names it."""
    assert callable(give)
    with pytest.raises(ValueError, match="complex"):
        give("complex")


@pytest.mark.parametrize("kind", KINDS)
def test_only_whole_encodings_can_be_decoded(kind: str) -> None:
    """Decimals and schemaless values share keys among equal forms, so they have no decoder."""
    if kind in INVERTIBLE_KINDS or kind == "float":
        assert component_decoder(kind)(component_encoder(kind)(None), 0) == (None, 1)
    else:
        with pytest.raises(ValueError, match="cannot be decoded"):
            component_decoder(kind)


@pytest.mark.parametrize("value", [0.0, -1.5, math.inf, -math.inf, 5e-324, -5e-324, 1.7976931348623157e308])
@pytest.mark.parametrize("descending", [False, True])
def test_floats_come_back(value: float, descending: bool) -> None:
    """A float can be decoded up to the sign of zero."""
    key = component_encoder("float", descending)(value)
    assert component_decoder("float", descending)(key, 0) == (value, 9)
