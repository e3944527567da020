"""Schemaless values: every type comes back as it went in, golden bytes, and what is refused."""

import dataclasses
import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from docs_layer.document_codec import decode_document, encode_document

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary()
    | st.decimals(allow_nan=False)
    | st.uuids()
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.datetimes()
    | st.datetimes(timezones=st.just(UTC))
)
DOCUMENTS = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text("ab."), inner), max_leaves=12),
)


def _with_types(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _with_types(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_with_types(one) for one in value]
    return type(value), str(value)


@given(DOCUMENTS)
def test_values_come_back_with_their_types(document: dict[str, Any]) -> None:
    """What is read equals what was given, type by type, and shares nothing with it."""
    stored, read = encode_document(document)
    assert _with_types(read) == _with_types(document)
    assert _with_types(decode_document(stored)) == _with_types(document)
    assert read is not document


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ({"a": [1, None, "x", b"x", True, 1.5]}, "81a16196 01 c0 a178 c40178 c3 cb3ff8000000000000"),
        (datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), "d6ff 00000001"),
        (UUID(int=5), "d801 00000000000000000000000000000005"),
        (Decimal("1.10"), "d602 312e3130"),
        (date(2024, 2, 29), "c70a03 323032342d30322d3239"),
        (time(1, 2, 3), "d704 30313a30323a3033"),
        (timedelta(days=-1, seconds=5), "c70605 2d312035 2030"),
        (datetime(2024, 1, 1), "c71306 323032342d30312d30315430303a30303a3030"),  # noqa: DTZ001 - without a zone
    ],
)
def test_golden_bytes(value: Any, stored: str) -> None:
    """A value has exactly these bytes, today and in every later version."""
    assert encode_document(value)[0].hex() == stored.replace(" ", "")
    assert decode_document(bytes.fromhex(stored)) == value


class Color(Enum):
    """An enum of text."""

    RED = "red"


class Level(StrEnum):
    """An enum that is text."""

    LOW = "low"


@dataclasses.dataclass
class Point:
    """A dataclass."""

    x: int
    y: Decimal


class Pair(msgspec.Struct):
    """A struct."""

    left: Any
    right: Any


def test_what_is_like_a_plain_value_becomes_one() -> None:
    """Tuples are lists, enums their values, dataclasses and structs dicts, moments instants in UTC."""
    vienna = timezone(timedelta(hours=2))
    given = {
        "tuple": (1, (2,)),
        "enum": Color.RED,
        "text": Level.LOW,
        "point": Point(1, Decimal(2)),
        "pair": Pair(date(2024, 1, 1), [Color.RED]),
        "moment": datetime(2024, 1, 1, 12, tzinfo=vienna),
        "nan": math.nan,
    }
    read = encode_document(given)[1]
    assert math.isnan(read.pop("nan"))
    assert read == {
        "tuple": [1, [2]],
        "enum": "red",
        "text": "low",
        "point": {"x": 1, "y": Decimal(2)},
        "pair": {"left": date(2024, 1, 1), "right": ["red"]},
        "moment": datetime(2024, 1, 1, 10, tzinfo=UTC),
    }


def _deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"a": [object()]}, r"type object cannot be stored at \.a\[0\]"),
        ({"a": {"b": {1, 2}}}, r"type set cannot be stored at \.a\.b"),
        ({"a": {1: Decimal(1)}}, r"names in a document are text, not 1 at \.a"),
        ({"a": 2**64}, "ints"),
        ({"a": "\ud800"}, "surrogates"),
        ({"a": lambda: 1}, "function cannot be stored"),
        (_deep(100_000), "nested too deeply"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_stored_is_named(value: Any, problem: str) -> None:
    """With the place where it stands."""
    with pytest.raises((TypeError, ValueError, OverflowError), match=problem):
        encode_document(value)


@pytest.mark.parametrize(
    "stored", ["", "c1", "d801", "d405 78", "d402 78", "d403 78", "d406 78", "d401 00", "d407 00", "d410 00", "0101"]
)
def test_wrong_bytes_are_an_error(stored: str) -> None:
    """Never anything but `MsgspecError` and `ValueError`, which callers turn into corruption."""
    with pytest.raises((msgspec.MsgspecError, ValueError)):
        decode_document(bytes.fromhex(stored))
