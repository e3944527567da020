"""Which of the unsynced changes survive a power loss, and which choices are worth trying.

On a disk that promises nothing beyond its syncs, every subset of the unsynced changes is legal, and every set of
sectors within a single write. There are too many to try them all, so `survivals` gives a canonical set that grows
linearly with their number: nothing, everything, contents only, names only, lengths only, each prefix, each change
alone, everything but one, tears of the last write, and a few random subsets with random tears. Any two changes occur in
it in each order: one kept and the other lost.

`profile` narrows it to what a kind of file system allows:

    strict   POSIX and nothing more: any subset
    ext4     one journal: names survive in order, up to the last sync of anything at least; a length only with its
             bytes (`data=ordered`); a rename over a name only with the content of the renamed file
    xfs      one journal, without the last rule: a renamed file may be empty, and lengths may come without bytes

Pure functions over frozen values.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

Gap = Literal["absent", "zeros", "garbage", "stale"]
Profile = Literal["strict", "ext4", "xfs"]

SECTOR_BYTES = 512
BLOCK_BYTES = 4096


class Fate(NamedTuple):
    """What becomes of one change: names and lengths are kept whole or lost, of a write survives what follows.

    kept_bytes: its first bytes; None is all; 0 is nothing;
    sectors: and these sectors of it, by number from the one in which its first byte lies;
    sector_bytes: which are so long and aligned in the file.
    gap: what a file shows in the place of lost bytes beyond its durable end: nothing (it ends before them), zeros,
        garbage, or stale: what another file of the same kind held there that was freed before. Lost bytes before that
        end show what was there before.
    """

    kept_bytes: int | None = 0
    gap: Gap = "absent"
    sectors: frozenset[int] = frozenset()
    sector_bytes: int = SECTOR_BYTES

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
        return self.kept_bytes != 0 or self.gap != "absent" or bool(self.sectors)


KEPT = Fate.kept()
LOST = Fate()


class Survival(NamedTuple):
    """A fate for each unsynced change, by its position in time; `name` tells it in a report, and finds it again."""

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
    """What a choice needs to know of an unsynced change.

    kind: whether it is of content, of a length, or of names.
    bytes: of content, how many.
    offset: where they begin.
    file: a number for the file; of names, for the one that got the name; -1 if that is none.
    old_bytes: how many of the bytes lie before the durable end of the file.
    replaces: of names, whether a file was renamed over another.
    journaled: of names, whether something else was synced since.
    """

    kind: Literal["content", "length", "names"]
    bytes: int = 0
    offset: int = 0
    file: int = -1
    old_bytes: int = 0
    replaces: bool = False
    journaled: bool = False


def survivals(
    pending: Sequence[Pending], *, samples: int = 0, seed: int = 0, profile: Profile = "strict"
) -> Iterator[Survival]:
    """Yield the canonical choices for these unsynced changes, and `samples` random ones drawn from `seed`.

    Different choices may leave the same disk; `SimulatedFileSystem.fingerprint` tells.
    """
    for choice in _canonical(pending):
        yield legal(choice, pending, profile)
    yield from random_survivals(pending, samples, seed=seed, profile=profile)


def random_survivals(
    pending: Sequence[Pending], count: int, *, seed: int = 0, profile: Profile = "strict"
) -> Iterator[Survival]:
    """Yield `count` random choices drawn from `seed`: each change kept with even chance, some writes torn."""
    for number in range(count if pending else 0):
        yield legal(_sample(pending, random.Random(f"{seed}/{number}"), f"sample {number}"), pending, profile)


def subsets(pending: Sequence[Pending], *, profile: Profile = "strict") -> Iterator[Survival]:
    """Yield every subset of these changes: two to the power of their number."""
    for chosen in range(1 << len(pending)):
        kept = {position: KEPT for position in range(len(pending)) if chosen >> position & 1}
        yield legal(Survival(f"subset {chosen:b}", LOST, kept), pending, profile)


def legal(choice: Survival, pending: Sequence[Pending], profile: Profile) -> Survival:
    """Return the choice nearest to this one that a file system of this kind could leave; see the profiles above.

    With one journal, names are kept up to the last one that the choice keeps, or that a later sync has sent along.
    """
    if profile == "strict":
        return choice
    fates = [choice.fate(position) for position in range(len(pending))]
    last = max((at for at, change in enumerate(pending) if _must_follow(change, fates[at])), default=-1)
    for at, change in enumerate(pending):
        if change.kind == "names":
            fates[at] = KEPT if at <= last else LOST
        elif profile == "ext4" and not fates[at].is_whole:
            flushed = _is_flushed_by_rename(pending[at + 1 : last + 1], change.file)
            fates[at] = KEPT if flushed else fates[at]._replace(gap="absent")
    return Survival(choice.name, LOST, dict(enumerate(fates)))


def _canonical(pending: Sequence[Pending]) -> Iterator[Survival]:
    count = len(pending)
    yield NOTHING
    if count == 0:
        return
    yield EVERYTHING
    yield _where("contents only", pending, lambda change: change.kind == "content")
    yield _where("names only", pending, lambda change: change.kind == "names")
    yield _lengths_only(pending)
    for position in range(1, count):
        yield Survival(f"first {position}", LOST, dict.fromkeys(range(position), KEPT))
    for position in range(count):
        yield Survival(f"only {position}", LOST, {position: KEPT})
        yield Survival(f"all but {position}", KEPT, {position: LOST})
    yield from _tears(pending)


def _must_follow(change: Pending, fate: Fate) -> bool:
    return change.kind == "names" and (change.journaled or fate.is_whole)


def _is_flushed_by_rename(later: Sequence[Pending], file: int) -> bool:
    return any(change.replaces and change.file == file for change in later)


def _where(name: str, pending: Sequence[Pending], test: Callable[[Pending], bool]) -> Survival:
    return Survival(name, LOST, {position: KEPT for position, change in enumerate(pending) if test(change)})


def _lengths_only(pending: Sequence[Pending]) -> Survival:
    """Every file has its new length, and none of its new bytes."""
    fates = {"content": Fate(0, "zeros"), "length": KEPT, "names": LOST}
    return Survival("lengths only", LOST, {at: fates[change.kind] for at, change in enumerate(pending)})


def _sample(pending: Sequence[Pending], generator: random.Random, name: str) -> Survival:
    """Keep each change with even chance, and tear a quarter of the writes at random; only one shows old blocks."""
    fates: dict[int, Fate] = {}
    gaps: tuple[Gap, ...] = ("absent", "zeros", "garbage", "stale")
    for position, change in enumerate(pending):
        if change.kind == "content" and change.bytes > 1 and generator.random() < 0.25:
            fates[position] = _random_tear(change, generator.choice(gaps), generator)
            if fates[position].gap == "stale":
                gaps = gaps[:3]
        elif generator.random() < 0.5:
            fates[position] = KEPT
    return Survival(name, LOST, fates)


def _random_tear(change: Pending, gap: Gap, generator: random.Random) -> Fate:
    sector_bytes = generator.choice((SECTOR_BYTES, BLOCK_BYTES))
    count = _sector_count(change, sector_bytes)
    if count == 1:
        return Fate(generator.randrange(change.bytes), gap)
    return Fate(0, gap, frozenset(n for n in range(count) if generator.random() < 0.5), sector_bytes)


def _tears(pending: Sequence[Pending]) -> Iterator[Survival]:
    """Tear the last write: cut it, and lose single sectors and blocks of it; with each kind of gap."""
    contents = [position for position, change in enumerate(pending) if change.kind == "content" and change.bytes > 0]
    if not contents:
        return
    last = contents[-1]
    for cut in _cuts(pending[last]):
        for gap in ("absent", "zeros", "garbage", "stale"):
            yield Survival(f"{last} cut at {cut}, gap {gap}", KEPT, {last: Fate(cut, gap)})
    for sector_bytes in (SECTOR_BYTES, BLOCK_BYTES):
        for what, sectors in _sector_choices(_sector_count(pending[last], sector_bytes)):
            fate = Fate(0, "zeros", sectors, sector_bytes)
            yield Survival(f"{last} with {what} of {sector_bytes} bytes", KEPT, {last: fate})


def _cuts(write: Pending) -> list[int]:
    """Return where to cut a write: at its ends, its middle, the old end of the file, the first and last borders."""
    size = write.bytes
    cuts = {0, min(1, size - 1), size // 2, size - 1, write.old_bytes % size}
    for border in (SECTOR_BYTES, BLOCK_BYTES):
        first = -write.offset % border or border
        cuts.update(cut for cut in (first, first + (size - first) // border * border) if 0 < cut < size)
    return sorted(cuts)


def _sector_count(write: Pending, sector_bytes: int) -> int:
    return (write.offset + write.bytes - 1) // sector_bytes - write.offset // sector_bytes + 1


def _sector_choices(count: int) -> Iterator[tuple[str, frozenset[int]]]:
    """Yield sets of sectors of one write that arrive out of order: the last without the others, all but one, halves."""
    if count < 2:
        return
    every = frozenset(range(count))
    yield "the last sector", frozenset({count - 1})
    for lost in sorted({0, count // 2} if count > 2 else {0}):
        yield f"all sectors but {lost}", every - {lost}
    if count > 3:
        yield "odd sectors", frozenset(range(1, count, 2))
        yield "even sectors", frozenset(range(0, count, 2))
