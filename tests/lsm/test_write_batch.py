"""Batches: what is added comes back, and no body that a log might hold is believed unless it adds up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsm.errors import InvalidArgumentError
from lsm.kernel.log_entries import DELETION, encode_entry
from lsm.runs import Value
from lsm.write_batch import WriteBatch, decode_batch, encode_batch

Change = tuple[str, bytes, bytes]

CHANGES = st.lists(
    st.tuples(st.sampled_from(["put", "delete", "range"]), st.binary(max_size=6), st.binary(max_size=6)), max_size=12
)


def batch_of(changes: list[Change]) -> WriteBatch:
    """Make a batch by its public methods."""
    batch = WriteBatch()
    for kind, key, value in changes:
        if kind == "put":
            batch.put(key, value)
        elif kind == "delete":
            batch.delete(key)
        else:
            batch.delete_range(key, value)
    return batch


def content(batch: WriteBatch) -> tuple[list[bytes], list[Value], list[int], int]:
    """Return everything that a batch holds."""
    return batch.keys, batch.values, batch.ranges, batch.size_bytes


@given(CHANGES)
def test_a_batch_survives_its_bytes(changes: list[Change]) -> None:
    """Keys, values, deletions and ranges, in their order; empty ranges were never in it."""
    batch = batch_of(changes)
    decoded = decode_batch(encode_batch(batch), len(batch))

    assert content(decoded) == content(batch)
    assert len(batch) == sum(1 for kind, key, value in changes if kind != "range" or key < value)


@given(st.binary(max_size=9), st.none() | st.binary(max_size=9))
def test_one_entry_has_the_bytes_of_a_batch_with_it(key: bytes, value: bytes | None) -> None:
    """The short cut for single writes makes no format of its own."""
    batch = WriteBatch()
    batch.add(key, value)

    assert encode_entry(key, value) == encode_batch(batch)


@given(CHANGES, st.integers(0, 20), st.integers(-3, 3))
def test_a_wrong_count_or_length_is_refused(changes: list[Change], place: int, more: int) -> None:
    """A body of another length than its columns say raises; it never gives entries that were not put in."""
    batch = batch_of(changes)
    body = encode_batch(batch)
    cut = body[: min(place, len(body))]
    if len(cut) < len(body):
        with pytest.raises(InvalidArgumentError):
            decode_batch(cut, len(batch))
    with pytest.raises(InvalidArgumentError):
        decode_batch(body + b"x", len(batch))
    if more > 0:
        with pytest.raises(InvalidArgumentError):
            decode_batch(body[: 8 * len(batch)], len(batch) + more)


def test_a_count_is_compared_before_anything_is_allocated() -> None:
    """Four thousand million entries in nine bytes are refused at once."""
    with pytest.raises(InvalidArgumentError, match="4294967295 entries do not fit in a body of 9 bytes"):
        decode_batch(bytes(9), (1 << 32) - 1)


def test_an_update_adds_all_or_nothing() -> None:
    """A wrong value among the pairs leaves the batch as it was."""
    batch = WriteBatch()
    batch.update({b"a": b"1", b"b": b"22"})
    wrong: dict[bytes, bytes] = {b"c": b"3", b"d": "text"}  # type: ignore[dict-item]  # what is to be refused
    with pytest.raises(InvalidArgumentError, match="value must be bytes, not str"):
        batch.update(wrong)

    assert content(batch) == ([b"a", b"b"], [b"1", b"22"], [], 5)


def test_clear_forgets_everything() -> None:
    """Ranges and size as well."""
    batch = batch_of([("put", b"a", b"1"), ("range", b"a", b"z")])
    batch.clear()

    assert content(batch) == ([], [], [], 0)


def test_ranges_without_ends_reach_every_key_of_a_user_and_no_other() -> None:
    """None means from the first, and to the last."""
    batch = WriteBatch()
    batch.delete_range(None, None)

    assert content(batch)[:3] == ([b""], [b"\xff" * 8 + b"\x01"], [0])


def test_a_deletion_is_no_empty_value() -> None:
    """An empty value stays one."""
    batch = batch_of([("put", b"k", b""), ("delete", b"k", b"")])
    body = encode_batch(batch)

    assert body[12:16] == DELETION.to_bytes(4, "little")
    assert decode_batch(body, 2).values == [b"", None]
