"""What a journaling file system rules out: names out of order, lengths without bytes, renames without content."""

from __future__ import annotations

import pytest

from lsm.testing import (
    EVERYTHING,
    NOTHING,
    Fate,
    Pending,
    Profile,
    SimulatedFileSystem,
    Survival,
    legal,
    subsets,
    survivals,
)

KEPT = Fate(None)
LOST = Fate(0)
NAME = Pending("names")


def _kept(choice: Survival, count: int) -> list[bool]:
    return [choice.fate(position).is_whole for position in range(count)]


@pytest.mark.parametrize("profile", ["ext4", "xfs"])
def test_names_survive_in_order(profile: Profile) -> None:
    """There is no later name without the earlier ones."""
    found = {tuple(_kept(choice, 3)) for choice in subsets([NAME] * 3, profile=profile)}

    assert found == {(False,) * 3, (True, False, False), (True, True, False), (True, True, True)}
    assert len({tuple(_kept(choice, 3)) for choice in subsets([NAME] * 3)}) == 8


@pytest.mark.parametrize("profile", ["ext4", "xfs"])
def test_a_sync_of_anything_sends_the_journal(profile: Profile) -> None:
    """Creating a file and syncing it keeps its name, and that of the file before it, as these file systems do."""
    filesystem = SimulatedFileSystem()
    directory = filesystem.open_directory("/")
    directory.open("a", "create")
    directory.open("b", "create").sync()
    directory.open("c", "create")

    survivor = filesystem.after_power_loss(legal(NOTHING, filesystem.unsynced(), profile))

    assert survivor.open_directory("/").names() == ["a", "b"]
    assert filesystem.after_power_loss(NOTHING).open_directory("/").names() == []


@pytest.mark.parametrize(("profile", "left"), [("ext4", b"new"), ("xfs", b"")])
def test_a_rename_brings_its_content_along(profile: Profile, left: bytes) -> None:
    """On ext4 a file that was renamed over another is never empty; on XFS it may be."""
    filesystem = SimulatedFileSystem()
    directory = filesystem.open_directory("/")
    directory.open("a", "create").write_at(0, b"old")
    directory.open("a", "write").sync()
    directory.sync()
    directory.open("a.tmp", "create").write_at(0, b"new")
    directory.rename("a.tmp", "a")
    names_only = next(c for c in survivals(filesystem.unsynced(), profile=profile) if c.name == "names only")

    survivor = filesystem.after_power_loss(names_only)

    assert survivor.open_directory("/").open("a", "read").read_at(0, 9) == left
    assert survivor.open_directory("/").names() == ["a"]


def test_a_length_needs_its_bytes_on_ext4() -> None:
    """With ordered data no gap is ever seen; on XFS and a strict disk there are gaps."""
    write = Pending("content", 5000, file=0)

    def gaps(profile: Profile) -> set[str]:
        return {choice.fate(0).gap for choice in survivals([write], samples=8, profile=profile)}

    assert gaps("ext4") == {"absent"}
    assert gaps("xfs") == gaps("strict") == {"absent", "zeros", "garbage", "stale"}


def test_what_a_strict_disk_may_leave_is_not_changed() -> None:
    """Every choice is legal there."""
    choice = Survival("only the last", LOST, {1: KEPT})

    assert legal(choice, [NAME, NAME], "strict") is choice
    assert _kept(legal(EVERYTHING, [NAME, NAME], "ext4"), 2) == [True, True]
