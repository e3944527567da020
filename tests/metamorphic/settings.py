"""The ways to run operations: options, kernels and file systems, none of which may change an answer."""

from __future__ import annotations

import dataclasses
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import pytest

import lsm
from lsm.kernel import kernel, kernel_name, kernels
from lsm.testing import SimulatedEnvironment, SimulatedFileSystem
from tests.support.small import SMALL

Place = Literal["simulated", "disk", "memory"]
"""A simulated disk, the real one, or a file system in memory (tmpfs)."""
MEMORY = Path("/dev/shm")  # noqa: S108  # the tmpfs of Linux, used through the tempfile module

CHOICES: dict[str, list[Any]] = {
    "block_bytes": [64, 128, 1000, 16_384],
    "memtable_bytes": [1024, 4096, 20_000, 1 << 20],
    "compression": ["none", "lz4", "zstd"],
    "bottommost_compression": ["none", "lz4", "zstd"],
    "filter_bits_per_key": [0, 2, 10, 20],
    "block_cache_bytes": [0, 2000, 8192, 1 << 20],
    "table_bytes": [1024, 3000, 1 << 20],
    "level_base_bytes": [1024, 6000, 1 << 20],
    "level_ratio": [2, 4, 10],
    "sync": [False, True],
    "maintenance": [False, False, True],
    "sealed_memtable_limit": [1, 2, 4],
}
"""What is drawn for an option set. Options that the engine does not have (any more) are left out."""


class Site(Protocol):
    """Where databases lie during one run."""

    def path(self, name: str) -> str:
        """Return the path of a database."""
        ...

    def open(self, options: lsm.Options, name: str = "data") -> lsm.Database:
        """Open a database as a new process would."""
        ...

    def killed(self) -> None:
        """Let the process that had it open be dead."""
        ...


class Setting(NamedTuple):
    """One way to run: options, kernel, file system."""

    name: str
    options: lsm.Options
    kernel: str
    place: Place

    @contextmanager
    def site(self) -> Iterator[Site]:
        """Give the place and the kernel inside the block."""
        with using_kernel(self.kernel):
            if self.place == "simulated":
                yield SimulatedSite()
            else:
                with tempfile.TemporaryDirectory(dir=MEMORY if self.place == "memory" else None) as directory:
                    yield RealSite(directory)


class SimulatedSite:
    """A simulated disk."""

    def __init__(self) -> None:
        self._filesystem = SimulatedFileSystem()

    def path(self, name: str) -> str:
        """Return the path of a database."""
        return f"/{name}"

    def open(self, options: lsm.Options, name: str = "data") -> lsm.Database:
        """Open a database as a new process would."""
        return lsm.open(self.path(name), options, environment=SimulatedEnvironment(self._filesystem))

    def killed(self) -> None:
        """Let the process that had it open be dead."""
        self._filesystem = self._filesystem.after_kill()


class RealSite:
    """A directory of the operating system."""

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def path(self, name: str) -> str:
        """Return the path of a database."""
        return f"{self._directory}/{name}"

    def open(self, options: lsm.Options, name: str = "data") -> lsm.Database:
        """Open a database as a new process would."""
        return lsm.open(self.path(name), options)

    def killed(self) -> None:
        """Do nothing: what an abandoned handle wrote is in the files."""


@contextmanager
def using_kernel(name: str) -> Iterator[None]:
    """Have the engine use one of its kernels inside the block."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAYERDB_KERNEL", name)
        _choose_again()
        try:
            yield
        finally:
            patch.undo()
            _choose_again()


def _choose_again() -> None:
    kernel_name.cache_clear()
    kernel.cache_clear()


def settings(seed: int, count: int) -> list[Setting]:
    """Draw ways to run; the first two are the plainest options on a simulated disk, with each kernel in turn."""
    generator = random.Random(seed)
    names = list(kernels())
    places: list[Place] = ["simulated", "simulated", "disk", "memory"] if MEMORY.is_dir() else ["simulated", "disk"]
    found = [Setting(f"small options, {name}", SMALL, name, "simulated") for name in names]
    for number in range(count - len(found)):
        place = generator.choice(places)
        name = names[number % len(names)]
        drawn = drawn_options(generator)
        found.append(Setting(f"{drawn}, {name}, {place}", dataclasses.replace(SMALL, **drawn), name, place))
    return found


def drawn_options(generator: random.Random) -> dict[str, Any]:
    """Draw some options, each of which the engine has."""
    known = {field.name for field in dataclasses.fields(lsm.Options)}
    chosen = [name for name in CHOICES if name in known and generator.random() < 0.6]
    return {name: generator.choice(CHOICES[name]) for name in chosen}
