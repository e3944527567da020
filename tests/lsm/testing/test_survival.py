"""The choices of what survives a power loss are complete where it matters, and few."""

import pytest

from lsm.testing import Fate, Pending, subsets, survivals

NAMES = Pending("names", 0)


def _kept(fate: Fate) -> bool:
    return fate.kept_bytes is None


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_every_pair_of_changes_is_tried_in_each_order(count: int) -> None:
    """For any two changes there is a disk with only the later one, and one with only the earlier one."""
    pending = [NAMES, Pending("content", 700), NAMES, Pending("content", 1), NAMES][:count]
    choices = list(survivals(pending, samples=0, seed=0))

    for earlier in range(count):
        for later in range(earlier + 1, count):
            pairs = {(_kept(choice.fate(earlier)), _kept(choice.fate(later))) for choice in choices}
            assert pairs == {(False, False), (False, True), (True, False), (True, True)}


def test_the_number_of_choices_grows_linearly() -> None:
    """Many pending changes stay affordable."""
    few = len(list(survivals([NAMES] * 10, samples=4, seed=1)))
    many = len(list(survivals([NAMES] * 100, samples=4, seed=1)))

    assert many - few == 3 * 90


def test_kinds_survive_apart() -> None:
    """There is a disk with all contents and no new name, and one with all names and no new content."""
    pending = [NAMES, Pending("content", 8)]
    by_name = {choice.name: choice for choice in survivals(pending, samples=0, seed=0)}

    assert [_kept(by_name["contents only"].fate(position)) for position in (0, 1)] == [False, True]
    assert [_kept(by_name["names only"].fate(position)) for position in (0, 1)] == [True, False]


def test_the_last_write_is_cut_at_sectors_with_every_gap() -> None:
    """A write of several sectors is torn at its first and last byte, in the middle, and at sector borders."""
    choices = [choice for choice in survivals([Pending("content", 9000)], samples=0, seed=0) if "cut" in choice.name]

    assert {choice.fate(0).kept_bytes for choice in choices} == {0, 1, 512, 4096, 4500, 8192, 8704, 8999}
    assert {choice.fate(0).gap for choice in choices} == {"absent", "zeros", "garbage", "stale"}


def test_samples_depend_on_the_seed_only() -> None:
    """The same seed gives the same disks, another seed others."""

    def drawn(seed: int) -> list[list[bool]]:
        choices = [c for c in survivals([NAMES] * 30, samples=3, seed=seed) if c.name.startswith("sample")]
        return [[_kept(choice.fate(position)) for position in range(30)] for choice in choices]

    assert drawn(1) == drawn(1) != drawn(2)


def test_all_subsets() -> None:
    """Few changes are tried in every combination."""
    choices = {tuple(_kept(choice.fate(position)) for position in range(3)) for choice in subsets([NAMES] * 3)}

    assert len(choices) == 8
