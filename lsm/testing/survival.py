"""Which of the unsynced changes survive a power loss, and which choices are worth trying.

Every subset of the unsynced changes is a legal disk, and every cut through a single write. There are too many to try
them all, so `survivals` gives a canonical set that grows linearly with their number: nothing, everything, contents
only, names only, each prefix, each change alone, everything but one, cuts through the last write, and a few random
subsets. Any two changes occur in it in each order: one kept and the other lost.

Pure functions over frozen values.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

Gap = Literal["absent", "zeros", "garbage"]


class Fate(NamedTuple):
    """What becomes of one change. `kept_bytes`: of a write, its first bytes; None is all; 0 is nothing.

    `gap`: what a file shows in the place of lost bytes beyond its durable end: nothing (it is shorter), zeros, or
    garbage. Lost bytes before that end show what was there before. Changes of names and lengths are kept whole or lost.
    """

    kept_bytes: int | None = 0
    gap: Gap = "absent"

    @classmethod
    def kept(cls) -> Fate:
        """Return the fate of a change that survives whole."""
        return cls(None)

    @property
    def is_whole(self) -> bool:
        """Tell whether the whole change survives."""
        return self.kept_bytes is None

    @property
    def touches(self) -> bool:
        """Tell whether anything of the change is left on the disk."""
        return self.kept_bytes != 0 or self.gap != "absent"


KEPT = Fate.kept()
LOST = Fate()


class Survival(NamedTuple):
    """A fate for each unsynced change, by its position in time; `name` tells it in a report."""

    name: str
    default: Fate = LOST
    exceptions: Mapping[int, Fate] = {}

    def fate(self, position: int) -> Fate:
        """Return the fate of the change at `position`, counted from the oldest that is not synced."""
        return self.exceptions.get(position, self.default)


NOTHING = Survival("nothing")
"""All that was not synced is lost."""
EVERYTHING = Survival("everything", KEPT)
"""All that was done is there, synced or not."""


class Pending(NamedTuple):
    """What a choice needs to know of an unsynced change."""

    kind: Literal["content", "names"]
    bytes: int


def survivals(pending: Sequence[Pending], *, samples: int, seed: int) -> Iterator[Survival]:
    """Yield the canonical choices for these unsynced changes, and `samples` random ones drawn from `seed`.

    Different choices may leave the same disk; `SimulatedFileSystem.fingerprint` tells.
    """
    count = len(pending)
    yield NOTHING
    if count == 0:
        return
    yield EVERYTHING
    yield _where("contents only", pending, lambda change: change.kind == "content")
    yield _where("names only", pending, lambda change: change.kind == "names")
    yield Survival("lengths only", Fate(0, "zeros"))
    for position in range(1, count):
        yield Survival(f"first {position}", LOST, dict.fromkeys(range(position), KEPT))
    for position in range(count):
        yield Survival(f"only {position}", LOST, {position: KEPT})
        yield Survival(f"all but {position}", KEPT, {position: LOST})
    yield from _cuts(pending)
    generator = random.Random(seed)
    for number in range(samples):
        kept = {position: KEPT for position in range(count) if generator.random() < 0.5}
        yield Survival(f"sample {seed}/{number}", LOST, kept)


def subsets(pending: Sequence[Pending]) -> Iterator[Survival]:
    """Yield every subset of these changes: two to the power of their number."""
    for chosen in range(1 << len(pending)):
        kept = {position: KEPT for position in range(len(pending)) if chosen >> position & 1}
        yield Survival(f"subset {chosen:b}", LOST, kept)


def _where(name: str, pending: Sequence[Pending], test: Callable[[Pending], bool]) -> Survival:
    return Survival(name, LOST, {position: KEPT for position, change in enumerate(pending) if test(change)})


def _cuts(pending: Sequence[Pending]) -> Iterator[Survival]:
    """Tear the last write: at its first and last byte, in its middle, and at sectors; with each kind of gap."""
    contents = [position for position, change in enumerate(pending) if change.kind == "content" and change.bytes > 0]
    if not contents:
        return
    last = contents[-1]
    size = pending[last].bytes
    sectors = [cut for cut in (512, 4096, size // 512 * 512, size // 4096 * 4096) if 0 < cut < size]
    for cut in sorted({0, min(1, size - 1), size // 2, size - 1, *sectors}):
        for gap in ("absent", "zeros", "garbage"):
            yield Survival(f"{last} cut at {cut}, gap {gap}", KEPT, {last: Fate(cut, gap)})
