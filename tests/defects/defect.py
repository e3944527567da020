"""What a planted defect is, and the tools to plant one: a patch of the engine, or of what its calls do."""

from __future__ import annotations

import errno
import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from lsm.testing.handles import SimulatedFile

Patch = pytest.MonkeyPatch
Plant = Callable[[Patch], None]
NO_SPACE, TOO_MANY = errno.ENOSPC, errno.EMFILE


class Defect(NamedTuple):
    """A defect that an engine could have, and the class of fault that finds it.

    plant: makes the engine have it, until the patch is undone; its docstring says what is wrong then.
    """

    name: str
    plant: Plant
    found_by: str
    slow: bool = False
    """Whether finding it takes more than some seconds: then it is looked for in the soak only."""

    @property
    def does(self) -> str:
        """What is wrong, in a line."""
        return " ".join((self.plant.__doc__ or "").partition("\n\n")[0].split())


class Careless:
    """Another object, whose `sync` does nothing at the calls that `skipped` counts (from 0)."""

    def __init__(self, target: Any, skipped: frozenset[int]) -> None:
        self._target = target
        self._skipped = skipped
        self._syncs = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)

    def sync(self) -> None:
        """Sync, or not."""
        number = self._syncs
        self._syncs += 1
        if number not in self._skipped:
            self._target.sync()


def without_file_sync(says: str, pattern: str) -> Plant:
    """Return what keeps files with `pattern` in their names from being synced; they say that they were."""

    def plant(patch: Patch) -> None:
        sync = SimulatedFile.sync

        def skip(file: SimulatedFile) -> None:
            if pattern not in file.path.rpartition("/")[2]:
                sync(file)

        patch.setattr(SimulatedFile, "sync", skip)

    plant.__doc__ = says
    return plant


def while_in(patch: Patch, place: str, target: Any, name: str, value: Any) -> None:
    """Give an attribute another value while a function (`module:name` or `module:Class.name`) runs."""
    owner, function = found(place)
    original = getattr(owner, function)

    def wrong(*arguments: Any, **named: Any) -> Any:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(target, name, value)
            return original(*arguments, **named)

    patch.setattr(owner, function, wrong)


def instead(patch: Patch, place: str, make: Callable[[Any], Any]) -> None:
    """Replace a function (`module:name` or `module:Class.name`) by what `make` makes of it."""
    owner, function = found(place)
    patch.setattr(owner, function, make(getattr(owner, function)))


def found(place: str) -> tuple[Any, str]:
    """Return the owner of what a place names, and its name there."""
    module, _, path = place.partition(":")
    owner: Any = importlib.import_module(module)
    *steps, name = path.split(".")
    for step in steps:
        owner = getattr(owner, step)
    return owner, name


def nothing(*_: Any, **__: Any) -> None:
    """Do nothing, in the place of a function that does something."""
