"""A power loss in the middle of writes: sectors, lengths, gaps, and kills that leave part of a write."""

from __future__ import annotations

import pytest

from lsm.environment import Directory, File
from lsm.testing import Call, Fate, SimulatedFileSystem, Survival, survivals

OLD = b"o" * 1024
NEW = bytes(range(256)) * 16  # eight sectors


@pytest.fixture
def filesystem() -> SimulatedFileSystem:
    """An empty file system."""
    return SimulatedFileSystem()


@pytest.fixture
def directory(filesystem: SimulatedFileSystem) -> Directory:
    """Its root."""
    return filesystem.open_directory("/")


@pytest.fixture
def file(directory: Directory) -> File:
    """A durable file of two sectors, then overwritten and extended by one write that is not synced."""
    made = directory.open("a.log", "create")
    made.write_at(0, OLD)
    made.sync()
    directory.sync()
    made.write_at(0, NEW)
    return made


def _left(filesystem: SimulatedFileSystem, fate: Fate) -> bytes:
    survivor = filesystem.after_power_loss(Survival("torn", fate))
    file = survivor.open_directory("/").open("a.log", "read")
    return file.read_at(0, 1 << 20)


def test_any_sectors_of_one_write_survive(filesystem: SimulatedFileSystem, file: File) -> None:
    """Lost sectors show the old bytes in place and zeros behind the old end; the length follows the last one kept."""
    left = _left(filesystem, Fate(0, "absent", frozenset({1, 4}), 512))

    assert left == OLD[:512] + NEW[512:1024] + bytes(1024) + NEW[2048:2560]


def test_blocks_of_one_write_survive(filesystem: SimulatedFileSystem, file: File) -> None:
    """The grain can be 4 KiB, aligned in the file and not in the write."""
    file.sync()
    file.write_at(4000, b"x" * 5000)

    assert _left(filesystem, Fate(0, "absent", frozenset({0}), 4096)) == NEW[:4000] + b"x" * 96
    only_second = _left(filesystem, Fate(0, "absent", frozenset({1}), 4096))
    assert only_second == NEW[:4096] + b"x" * 4096


@pytest.mark.parametrize("gap", ["zeros", "garbage", "stale"])
def test_the_length_survives_without_the_bytes(
    gap: str, filesystem: SimulatedFileSystem, directory: Directory, file: File
) -> None:
    """The gap behind the old end shows zeros, garbage, or what a removed file of the same kind held there."""
    former = directory.open("b.log", "create")
    former.write_at(0, b"f" * 3000)
    directory.unlink("b.log")

    left = _left(filesystem, Fate(0, gap))  # type: ignore[arg-type]

    assert len(left) == len(NEW)
    assert left[:1024] == OLD
    if gap == "zeros":
        assert left[1024:] == bytes(len(NEW) - 1024)
    elif gap == "stale":
        assert left[1024:] == b"f" * (3000 - 1024) + bytes(len(NEW) - 3000)
    else:
        assert left[1024:] not in {NEW[1024:], bytes(len(NEW) - 1024)}
        assert left == _left(filesystem, Fate(0, "garbage")), "it is the same each time"


def test_bytes_survive_without_the_length(filesystem: SimulatedFileSystem, file: File) -> None:
    """What lies before the old end is new, and the file is no longer than before."""
    cuts = {choice.fate(0) for choice in survivals(filesystem.unsynced()) if "cut" in choice.name}

    assert Fate(len(OLD), "absent") in cuts
    assert _left(filesystem, Fate(len(OLD), "absent")) == NEW[: len(OLD)]


def test_the_canonical_set_reorders_sectors_within_a_write(filesystem: SimulatedFileSystem, file: File) -> None:
    """At each grain some choice keeps the last sector without the first, and some loses one in the middle."""
    fates = [choice.fate(0) for choice in survivals(filesystem.unsynced())]
    sectors = {fate.sectors for fate in fates if fate.sector_bytes == 512 and fate.sectors}

    assert frozenset({7}) in sectors
    assert frozenset(range(8)) - {0} in sectors
    assert frozenset(range(8)) - {4} in sectors


def test_a_kill_in_the_middle_of_a_write(filesystem: SimulatedFileSystem, file: File) -> None:
    """An observer of a write can take a copy in which part of it is in the cache."""
    seen: list[tuple[int, bytes]] = []

    def look(call: Call) -> None:
        killed = filesystem.after_kill(written_bytes=3)
        seen.append((call.bytes, killed.open_directory("/").open("a.log", "read").read_at(0, 5)))
        lost = killed.after_power_loss()
        assert lost.open_directory("/").open("a.log", "read").read_at(0, 5) == OLD[:5]

    filesystem.observe(look)
    file.write_at(0, b"12345")
    filesystem.observe(None)

    assert seen == [(5, b"123" + NEW[3:5])]


def test_an_unlinked_file_is_written_and_synced_until_it_is_closed(
    filesystem: SimulatedFileSystem, directory: Directory, file: File
) -> None:
    """Its bytes go nowhere that a name could find them."""
    directory.unlink("a.log")
    directory.sync()
    file.write_at(0, b"nobody sees this")
    file.sync()

    assert file.read_at(0, 6) == b"nobody"
    assert filesystem.after_power_loss().open_directory("/").names() == []
