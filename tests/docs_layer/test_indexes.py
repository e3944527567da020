"""Index entries: golden bytes, and the way back to the row."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docs_layer.indexes import IndexMaintainer, fixed_size_bytes
from docs_layer.key_encoding import tuple_encoder
from docs_layer.key_paths import KeyPath, PathTerm
from docs_layer.values import ColumnShape


class Row(NamedTuple):
    """Columns of an indexed row."""

    name: str | None
    year: int | None


def _maintainer(kinds: list[str], *, unique: bool = False, descending: bool = False) -> IndexMaintainer:
    """Give an index on (name, year) whose primary key has components of these kinds."""
    terms = (
        PathTerm(ColumnShape("name", "str", nullable=True), descending),
        PathTerm(ColumnShape("year", "int", nullable=True), not descending),
    )
    tail = tuple(PathTerm(ColumnShape(f"key{place}", kind, nullable=False), False) for place, kind in enumerate(kinds))
    return IndexMaintainer(KeyPath("by_name", b"\x01\x10", terms, tail, 1, unique), is_ready=True)


def test_golden_bytes() -> None:
    """An entry has exactly these bytes, today and in every later version."""
    primary = tuple_encoder([("int", False)])((5,))
    row = Row("a", 1)
    plain = "0110 30 61 00 df 7f ff ff ff ff ff ff fe 20 80 00 00 00 00 00 00 05"
    assert _maintainer(["int"]).entry(row, primary) == (bytes.fromhex(plain), b"")
    unique = "0110 30 61 00 df 7f ff ff ff ff ff ff fe"
    assert _maintainer(["int"], unique=True).entry(row, primary) == (bytes.fromhex(unique), primary)
    with_null = "0110 30 61 00 ef 20 80 00 00 00 00 00 00 05"
    assert _maintainer(["int"], unique=True).entry(Row("a", None), primary) == (bytes.fromhex(with_null), b"")


@given(
    st.text(alphabet="\0a\uffff") | st.none(),
    st.integers(-(2**63), 2**63 - 1) | st.none(),
    st.sampled_from([["int"], ["str"], ["uuid"], ["str", "int"]]),
    st.booleans(),
    st.booleans(),
    st.data(),
)
def test_the_primary_key_comes_back(
    name: str | None, year: int | None, kinds: list[str], unique: bool, descending: bool, data: st.DataObject
) -> None:
    """Whatever the values and the shape of the key, an entry leads to its row."""
    strategies = {"int": st.integers(-(2**63), 2**63 - 1), "str": st.text(alphabet="\0b"), "uuid": st.uuids()}
    key = tuple(data.draw(strategies[kind]) for kind in kinds)
    primary = tuple_encoder([(kind, False) for kind in kinds])(key)
    maintainer = _maintainer(kinds, unique=unique, descending=descending)
    assert maintainer.primary_of(*maintainer.entry(Row(name, year), primary)) == primary


@pytest.mark.parametrize(
    ("kinds", "size"), [(["int"], 9), (["int", "uuid"], 26), (["str"], None), (["int", "str"], None)]
)
def test_sizes_of_keys(kinds: list[str], size: int | None) -> None:
    """Keys of fixed kinds have a known size."""
    assert fixed_size_bytes(kinds) == size
