"""Simulated machines for tests of handles: a disk, the processes on it, and every handle closed in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import lsm
from lsm.testing import NOTHING, Call, SimulatedEnvironment, SimulatedFileSystem, Survival
from tests.support.small import SMALL

PATH = "/data"


class World:
    """One simulated process on a disk. Keeps every handle that it opens, so that all can be closed in the end."""

    def __init__(self, filesystem: SimulatedFileSystem | None = None) -> None:
        self.filesystem = SimulatedFileSystem() if filesystem is None else filesystem
        self.environment = SimulatedEnvironment(self.filesystem)
        self._handles: list[lsm.Database] = []
        self._others: list[World] = []

    def open(self, options: lsm.Options = SMALL, *, path: str = PATH, read_only: bool = False) -> lsm.Database:
        """Open a database on this disk."""
        database = lsm.open(path, options, read_only=read_only, environment=self.environment)
        self._handles.append(database)
        return database

    def killed(self) -> World:
        """Return a new process on a copy of the disk, as if this one was killed now."""
        return self._other(self.filesystem.after_kill())

    def without_power(self, survival: Survival = NOTHING) -> World:
        """Return a new process on what a power loss leaves."""
        return self._other(self.filesystem.after_power_loss(survival))

    def names(self, path: str = PATH) -> list[str]:
        """Return the names in a directory."""
        return self.filesystem.open_directory(path).names()

    def logs(self) -> list[str]:
        """Return the names of the logs, oldest first."""
        return [name for name in self.names() if name.endswith(".wal")]

    def tables(self) -> list[str]:
        """Return the names of the tables, by number."""
        return [name for name in self.names() if name.endswith(".sst")]

    def read(self, name: str) -> bytes:
        """Return the content of a file of the database."""
        file = self.filesystem.open_directory(PATH).open(name, "read")
        return file.read_at(0, file.size())

    def replace(self, name: str, content: bytes) -> None:
        """Give a file of the database another content, or make it; durable, as a disk that went bad."""
        directory = self.filesystem.open_directory(PATH)
        with suppress(lsm.MissingFileError):
            directory.unlink(name)
        file = directory.open(name, "create")
        if content:
            file.write_at(0, content)
        file.sync()
        directory.sync()

    def remove(self, name: str) -> None:
        """Take a file of the database away."""
        self.filesystem.open_directory(PATH).unlink(name)

    @contextmanager
    def counting(self) -> Iterator[Counter[str]]:
        """Count calls by operation, and by operation and kind of file such as `sync wal`, inside the block."""
        counts: Counter[str] = Counter()

        def count(call: Call) -> None:
            counts[call.operation] += 1
            counts[f"{call.operation} {call.path.rpartition('.')[2]}"] += 1

        self.filesystem.observe(count)
        try:
            yield counts
        finally:
            self.filesystem.observe(None)

    def close(self) -> None:
        """Close every handle; errors were the business of the test."""
        for world in (self, *self._others):
            world.filesystem.observe(None)
            world.filesystem.heal()
            for handle in world._handles:
                with suppress(lsm.Error):
                    handle.close()
        for world in self._others:
            world.close()

    def _other(self, filesystem: SimulatedFileSystem) -> World:
        world = World(filesystem)
        self._others.append(world)
        return world


def content(source: lsm.Database | lsm.Snapshot | lsm.Transaction) -> dict[bytes, bytes]:
    """Return all entries."""
    return dict(source.scan())
