"""Ranges: exactly the keys between two values, or that begin with a text, in both directions."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docs_layer.key_encoding import (
    KINDS,
    UnencodableError,
    null_bounds,
    range_bounds,
    starts_with_bounds,
    successor,
    tuple_encoder,
)
from tests.docs_layer.key_encoding.documented_order import TEXTS, VALUES, compare, component_values

AWKWARD_TEXTS = ["".join(letters) for n in range(4) for letters in itertools.product("\0\x01a\uffff", repeat=n)]


def lies_between(value: Any, low: Any, low_inclusive: bool, high: Any, high_inclusive: bool) -> bool:
    """Say whether the documented order puts a value between two bounds (None: no bound); null never is."""
    if value is None:
        return False
    above = low is None or compare(value, low) > 0 or (low_inclusive and compare(value, low) == 0)
    below = high is None or compare(value, high) < 0 or (high_inclusive and compare(value, high) == 0)
    return above and below


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("descending", [False, True])
@given(st.data(), st.sampled_from([[], [("int", False)], [("str", True)]]))
def test_a_range_holds_exactly_the_values_between_its_bounds(
    kind: str, descending: bool, data: st.DataObject, tail: list[tuple[str, bool]]
) -> None:
    """Whatever follows the component: nothing, an int, a descending string."""
    value = data.draw(component_values(kind))
    low, high = data.draw(st.none() | VALUES[kind]), data.draw(st.none() | VALUES[kind])
    if data.draw(st.booleans()):
        low = value
    if data.draw(st.booleans()):
        high = value
    low_inclusive, high_inclusive = data.draw(st.booleans()), data.draw(st.booleans())
    rest = [data.draw(component_values(one)) for one, _ in tail]
    key = tuple_encoder([(kind, descending), *tail], prefix=b"\x05\x10")([value, *rest])
    start, stop = range_bounds(b"\x05\x10", low, low_inclusive, high, high_inclusive, kind, descending)
    assert (start <= key < stop) == lies_between(value, low, low_inclusive, high, high_inclusive)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("tail", [[], [1]])
@pytest.mark.parametrize("inclusive", [False, True])
def test_ranges_of_strings_with_nul_bytes_are_exact(descending: bool, tail: list[int], inclusive: bool) -> None:
    """All pairs of strings of NUL and its neighbours, as lower and as upper bound."""
    encode = tuple_encoder([("str", descending), *([("int", False)] * len(tail))])
    keys = [(encode([text, *tail]), text) for text in AWKWARD_TEXTS]
    for bound in AWKWARD_TEXTS:
        start, stop = range_bounds(b"", bound, inclusive, None, False, "str", descending)
        assert {text for key, text in keys if start <= key < stop} == {
            text for text in AWKWARD_TEXTS if text > bound or (inclusive and text == bound)
        }
        start, stop = range_bounds(b"", None, False, bound, inclusive, "str", descending)
        assert {text for key, text in keys if start <= key < stop} == {
            text for text in AWKWARD_TEXTS if text < bound or (inclusive and text == bound)
        }


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("tail", [[], [None], [1]])
def test_starts_with_is_exact_for_strings_with_nul_bytes(descending: bool, tail: list[int | None]) -> None:
    """Every awkward beginning finds exactly the strings that begin with it."""
    encode = tuple_encoder([("str", descending), *([("int", False)] * len(tail))], prefix=b"p")
    keys = [(encode([text, *tail]), text) for text in [*AWKWARD_TEXTS, None]]
    for beginning in AWKWARD_TEXTS:
        start, stop = starts_with_bounds(b"p", beginning, descending)
        expected = {text for text in AWKWARD_TEXTS if text.startswith(beginning)}
        assert {text for key, text in keys if start <= key < stop} == expected


@pytest.mark.parametrize("kind", ["str", "any"])
@given(TEXTS, TEXTS, st.booleans())
def test_starts_with_agrees_with_python(kind: str, beginning: str, rest: str, descending: bool) -> None:
    """A text lies in the range if and only if it begins with the beginning, also in schemaless columns."""
    start, stop = starts_with_bounds(b"", beginning, descending)
    encode = tuple_encoder([(kind, descending)])
    assert start <= encode([beginning + rest]) < stop
    assert (start <= encode([rest]) < stop) == rest.startswith(beginning)


def test_starts_with_refuses_lone_surrogates() -> None:
    """Half a character has no bytes."""
    with pytest.raises(UnencodableError, match="lone surrogate at index 1"):
        starts_with_bounds(b"", "a\ud800")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("descending", [False, True])
@given(st.data())
def test_null_bounds_hold_nulls_only(kind: str, descending: bool, data: st.DataObject) -> None:
    """Null is found, with and without more components; no value is."""
    start, stop = null_bounds(b"p", descending)
    alone = tuple_encoder([(kind, descending)], prefix=b"p")
    followed = tuple_encoder([(kind, descending), ("int", True)], prefix=b"p")
    value = data.draw(VALUES[kind].filter(lambda drawn: drawn is not None))
    assert start <= alone([None]) < stop
    assert start <= followed([None, 2**63 - 1]) < stop
    assert not start <= alone([value]) < stop
    assert not start <= followed([value, 0]) < stop


@given(st.binary(max_size=4), st.binary(max_size=4))
def test_successor_is_the_least_above_everything_with_the_prefix(prefix: bytes, suffix: bytes) -> None:
    """Longer keys are below it, and nothing lies between them and it."""
    if not prefix.strip(b"\xff"):
        with pytest.raises(ValueError, match="nothing is greater"):
            successor(prefix)
        return
    bound = successor(prefix)
    assert prefix + suffix < bound
    assert (suffix < bound) == (suffix < prefix or suffix.startswith(prefix))
