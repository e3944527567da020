"""What a repair saved and what it lost, for people and programs."""

from __future__ import annotations

import dataclasses

from lsm.keys import described

LISTED_LOSSES = 1000
"""A report lists at most so many losses, and counts the others."""


@dataclasses.dataclass(frozen=True, slots=True)
class Loss:
    """Something that could not be saved.

    name: the file. offset: where in it, in bytes. start, stop: the keys that may be concerned, from the first up to the
    second, which is excluded; a stop of None is the end of all keys. reason: what is lost, and why.

    Outside of the ranges of all losses every key has its right value. Inside, a key may have an older value or none; it
    never has a value that was not once its own. The keys are internal ones, see `lsm.keys`: those of users as they are,
    unless they begin with eight FF bytes; `str()` shows them as users know them.
    """

    name: str
    offset: int
    start: bytes
    stop: bytes | None
    reason: str

    def __str__(self) -> str:
        """Return the loss as one line."""
        if not self.start and self.stop is None:
            keys = "any key"
        else:
            keys = f"keys from {described(self.start)} to {'the end' if self.stop is None else described(self.stop)}"
        return f"{self.name} at offset {self.offset}: {self.reason}; {keys}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RepairReport:
    """The result of `lsm.repair`.

    path, target: the damaged directory and the new one.
    tables, logs: how many were read. entries: keys with a value that came out of the tables. commits: frames of the
    logs that were applied on top.
    losses: what could not be saved, at most 1,000 of it. more_losses: how many more there are.
    dropped_bytes: the torn end of the logs, which recovery would have dropped as well; it was never durable.
    notes: what had to be guessed or was put together from traces, in words; nothing is lost by it.
    """

    path: str
    target: str
    tables: int = 0
    logs: int = 0
    entries: int = 0
    commits: int = 0
    losses: tuple[Loss, ...] = ()
    more_losses: int = 0
    dropped_bytes: int = 0
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing was lost."""
        return not self.losses

    def as_dict(self) -> dict[str, object]:
        """Return all fields by name, and `ok`; keys stay bytes."""
        return {**dataclasses.asdict(self), "ok": self.ok}

    def __str__(self) -> str:
        """Return the report as lines: each loss, each note, and a summary."""
        lines = [f"lost: {loss}" for loss in self.losses]
        if self.more_losses:
            lines.append(f"lost: {self.more_losses:,} more places")
        lines += [f"note: {note}" for note in self.notes]
        if self.dropped_bytes:
            lines.append(f"note: {self.dropped_bytes:,} bytes at the end of the logs, never durable, are left out")
        count = len(self.losses) + self.more_losses
        read = f"{self.tables:,} tables and {self.logs:,} logs read"
        saved = f"{self.entries:,} entries and {self.commits:,} commits saved"
        lines.append(f"{read}, {saved}: {f'{count:,} losses' if count else 'nothing lost'}")
        return "\n".join(lines)


class Findings:
    """Collects losses and notes during a repair; bounded, however much is damaged."""

    def __init__(self) -> None:
        self.losses: list[Loss] = []
        self.more_losses = 0
        self.notes: list[str] = []
        self.dropped_bytes = 0

    def lost(self, name: str, offset: int, start: bytes, stop: bytes | None, reason: str) -> None:
        """Note a loss; one that follows the last one of the same file without a gap is put together with it."""
        last = self.losses[-1] if self.losses else None
        if last is not None and (last.name, last.stop, last.reason) == (name, start, reason) and start:
            self.losses[-1] = dataclasses.replace(last, stop=stop)
        elif len(self.losses) < LISTED_LOSSES:
            self.losses.append(Loss(name, offset, start, stop, reason))
        else:
            self.more_losses += 1

    def note(self, text: str) -> None:
        """Note what whoever reads the report should know."""
        if text not in self.notes:
            self.notes.append(text)
