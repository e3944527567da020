"""Tuples as keys: their order, their way back, and the specialised encoders against the general one."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docs_layer.key_encoding import (
    INVERTIBLE_KINDS,
    KINDS,
    MalformedKeyError,
    UnencodableError,
    component_encoder,
    entries_with,
    tuple_decoder,
    tuple_encoder,
    tuple_skipper,
)
from tests.docs_layer.key_encoding.documented_order import COMPONENT, VALUES, compare_tuples, component_values

KIND_LISTS = st.lists(COMPONENT, min_size=1, max_size=3)


def sign(number: int) -> int:
    """Give -1, 0 or 1."""
    return (number > 0) - (number < 0)


def draw_tuple(data: st.DataObject, kinds: list[tuple[str, bool]]) -> tuple[Any, ...]:
    """Draw one value for each component."""
    return tuple(data.draw(component_values(kind)) for kind, _ in kinds)


@given(KIND_LISTS, st.data())
def test_encoded_order_is_the_documented_order(kinds: list[tuple[str, bool]], data: st.DataObject) -> None:
    """Keys compare like their tuples, component by component, each in its direction."""
    encode = tuple_encoder(kinds)
    left, right = draw_tuple(data, kinds), draw_tuple(data, kinds)
    if data.draw(st.booleans()):
        right = left[:1] + right[1:]
    keys = encode(left), encode(right)
    expected = compare_tuples(left, right, [descending for _, descending in kinds])
    assert sign((keys[0] > keys[1]) - (keys[0] < keys[1])) == sign(expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("descending", [False, True])
@given(st.data())
def test_pairs_of_values_of_one_kind_are_in_order(kind: str, descending: bool, data: st.DataObject) -> None:
    """Each kind alone, in both directions, many pairs."""
    encode = tuple_encoder([(kind, descending)])
    left, right = data.draw(component_values(kind)), data.draw(component_values(kind))
    keys = encode([left]), encode([right])
    expected = compare_tuples([left], [right], [descending])
    assert sign((keys[0] > keys[1]) - (keys[0] < keys[1])) == sign(expected)


@given(st.lists(COMPONENT.filter(lambda one: one[0] in INVERTIBLE_KINDS), min_size=1, max_size=4), st.data())
def test_a_decoded_key_gives_the_values_back(kinds: list[tuple[str, bool]], data: st.DataObject) -> None:
    """Equal values of the same types come back, from any offset."""
    values = draw_tuple(data, kinds)
    decoded = tuple_decoder(kinds)(tuple_encoder(kinds, prefix=b"\x07\x00")(values), 2)
    assert decoded == values
    assert [type(value) for value in decoded] == [type(value) for value in values]


@given(KIND_LISTS, KIND_LISTS, st.data())
def test_a_skipper_finds_the_end_of_every_kind(
    kinds: list[tuple[str, bool]], rest: list[tuple[str, bool]], data: st.DataObject
) -> None:
    """What follows the skipped components is exactly the encoding of the rest."""
    head, tail = draw_tuple(data, kinds), draw_tuple(data, rest)
    key = tuple_encoder(kinds + rest)(head + tail)
    assert key[tuple_skipper(kinds)(key, 0) :] == tuple_encoder(rest)(tail)


@given(KIND_LISTS, KIND_LISTS, st.data())
def test_entries_with_finds_exactly_the_keys_that_begin_with_the_components(
    kinds: list[tuple[str, bool]], rest: list[tuple[str, bool]], data: st.DataObject
) -> None:
    """A longer key lies in the range if and only if its first components are equal in the documented order."""
    wanted, head, tail = draw_tuple(data, kinds), draw_tuple(data, kinds), draw_tuple(data, rest)
    if data.draw(st.booleans()):
        head = wanted
    start, stop = entries_with(tuple_encoder(kinds, complete=False)(wanted))
    key = tuple_encoder(kinds + rest)(head + tail)
    assert (start <= key < stop) == (compare_tuples(wanted, head, [False] * len(kinds)) == 0)


@pytest.mark.parametrize("shape", [["int"], ["int", "int"], ["str"], ["str", "int"], ["int", "str", "int"], []])
@given(st.data())
def test_specialised_encoders_agree_with_their_components(shape: list[str], data: st.DataObject) -> None:
    """Every shape gives the prefix and the joined components, nulls included."""
    kinds = [(kind, False) for kind in shape]
    values = draw_tuple(data, kinds)
    joined = b"".join(component_encoder(kind)(value) for kind, value in zip(shape, values, strict=True))
    assert tuple_encoder(kinds, prefix=b"pre")(values) == b"pre" + joined


@pytest.mark.parametrize("shape", [["int"], ["int", "int"], ["str"], ["str", "int"], ["int", "str", "int"], []])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4])
def test_another_number_of_values_is_refused(shape: list[str], count: int) -> None:
    """A tuple that is too short or too long raises, and is never cut."""
    if count == len(shape):
        return
    with pytest.raises(ValueError, match=r"unpack|zip"):
        tuple_encoder([(kind, False) for kind in shape])([None] * count)


@pytest.mark.parametrize("values", [("x", 1), (1, 2**63), (1.5, 1), (-(2**63) - 1, 0)])
def test_wrong_ints_are_refused_by_the_specialised_encoder(values: tuple[object, object]) -> None:
    """The fast path for ints refuses what the component refuses."""
    with pytest.raises(UnencodableError, match="kind int"):
        tuple_encoder([("int", False), ("int", False)])(values)


@pytest.mark.parametrize("kind", sorted(INVERTIBLE_KINDS | {"float"}))
@pytest.mark.parametrize("descending", [False, True])
@given(st.data())
def test_damaged_keys_raise_and_never_hang(kind: str, descending: bool, data: st.DataObject) -> None:
    """Any bytes either decode to a value of the kind or raise `MalformedKeyError`."""
    key = bytearray(tuple_encoder([(kind, descending)])([data.draw(VALUES[kind])]))
    for _ in range(data.draw(st.integers(1, 2))):
        key[data.draw(st.integers(0, len(key) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(key[: data.draw(st.integers(0, len(key)))])
    decode = tuple_decoder([(kind, descending)])
    with contextlib.suppress(MalformedKeyError):
        values = decode(damaged, 0)
        assert compare_tuples(values, values, [False]) == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("descending", [False, True])
@given(st.data())
def test_keys_that_are_cut_off_are_malformed(kind: str, descending: bool, data: st.DataObject) -> None:
    """Without its last byte no component can be skipped; the error holds the key and the place."""
    prefix = b"\7\0"
    key = component_encoder(kind, descending)(data.draw(component_values(kind)))
    with pytest.raises(MalformedKeyError) as caught:
        tuple_skipper([(kind, descending)])(prefix + key[:-1], 2)
    assert caught.value.key == prefix + key[:-1]
    assert 2 <= caught.value.position <= len(prefix + key)
