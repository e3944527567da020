"""Sorts of any size: in order, stable, within their memory, and gone from the disk afterwards."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docs_layer.sorting import Sorter, SortLimits

PAIRS = st.lists(st.tuples(st.binary(max_size=2), st.binary(max_size=3)), max_size=400)


def _allowed() -> None:
    """Let a sort go on on disk."""


def _sorted(
    pairs: list[tuple[bytes, bytes]],
    memory_bytes: int,
    top: int | None = None,
    *,
    unique: bool = False,
    at_once: int = 7,
) -> tuple[list[tuple[bytes, bytes]], int]:
    sorter = Sorter(SortLimits(memory_bytes, _allowed), top, unique=unique)
    for begin in range(0, len(pairs), at_once):
        sorter.add(pairs[begin : begin + at_once])
    found = list(sorter.sorted_pairs())
    sorter.close()
    return found, sorter.spilled_runs


@given(PAIRS, st.sampled_from([1, 1_000, 5_000, 10**9]))
def test_a_sort_is_stable_wherever_it_is_done(pairs: list[tuple[bytes, bytes]], memory_bytes: int) -> None:
    """In memory and in runs the result is that of a stable sort; a small budget spills."""
    found, runs = _sorted(pairs, memory_bytes)
    assert found == sorted(pairs, key=lambda pair: pair[0])
    assert runs == (len(pairs) if memory_bytes == 1 else runs)
    assert (runs == 0) == (sum(200 + len(key) + len(row) for key, row in pairs) <= memory_bytes)


@given(PAIRS, st.integers(0, 20))
def test_the_first_ones_are_those_of_a_whole_sort(pairs: list[tuple[bytes, bytes]], top: int) -> None:
    """With a number of wanted pairs no run is written, and the first ones are right."""
    found, runs = _sorted(pairs * 8, 1, top)
    assert found == sorted(pairs * 8, key=lambda pair: pair[0])[:top]
    assert runs == 0


@given(PAIRS, st.sampled_from([1, 3_000, 10**9]))
def test_unique_keeps_the_first_of_each_key(pairs: list[tuple[bytes, bytes]], memory_bytes: int) -> None:
    """Repeated keys are dropped within runs and between them."""
    first: dict[bytes, bytes] = {}
    for key, row in pairs:
        first.setdefault(key, row)
    assert _sorted(pairs, memory_bytes, unique=True)[0] == sorted(first.items())


def test_few_distinct_keys_need_no_disk() -> None:
    """A sort of unique keys forgets repeated ones before it writes a run."""
    found, runs = _sorted([(bytes([place % 5]), b"") for place in range(10_000)], 5_000, unique=True, at_once=100)
    assert [key[0] for key, _ in found] == [0, 1, 2, 3, 4]
    assert runs == 0


def test_many_runs_are_merged_in_steps() -> None:
    """More runs than are merged at once give the same result, from one file that has no name."""
    pairs = [(place.to_bytes(4, "big"), b"row") for place in reversed(range(500))]
    found, runs = _sorted(pairs, 1)
    assert runs == 500
    assert found == sorted(pairs)


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_the_file_goes_with_the_sort(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The temporary file has no name, and its descriptor is closed."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    before = _open_files()
    sorter = Sorter(SortLimits(1, _allowed))
    sorter.add([(b"b", b"2"), (b"a", b"1")])
    assert _open_files() == before + 1
    assert list(tmp_path.iterdir()) == []
    assert next(sorter.sorted_pairs()) == (b"a", b"1")
    sorter.close()
    assert _open_files() == before


def test_whoever_refuses_to_spill_is_asked_first() -> None:
    """The refusal comes before anything is written."""

    def refuse() -> None:
        raise MemoryError

    sorter = Sorter(SortLimits(300, refuse))
    sorter.add([(b"a", b"")])
    with pytest.raises(MemoryError):
        sorter.add([(b"b", b"")])
    assert sorter.spilled_runs == 0


OPERATIONS: list[Callable[[Sorter], None]] = [lambda sorter: sorter.close(), lambda _: None]


@pytest.mark.parametrize("end", OPERATIONS)
def test_an_empty_sort_gives_nothing(end: Callable[[Sorter], None]) -> None:
    """Nothing in, nothing out; closing twice does no harm."""
    sorter = Sorter(SortLimits(1, _allowed))
    end(sorter)
    assert list(sorter.sorted_pairs()) == []
    sorter.close()
