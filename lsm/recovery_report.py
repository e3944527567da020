"""What opening found and did, for people and programs."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryReport:
    """The result of one opening; `Database.recovery` has it.

    created: the database was made by this opening.
    interrupted: the handle before was killed in the middle of a sync or of its own opening, or a sync had failed, so
        that everything replayed was written to tables at once.
    logs: names of the logs that were replayed, oldest first. frames, entries: commits and changes replayed.
    dropped_bytes: bytes behind the last whole commit that were dropped; they were never promised to be durable.
    dropped_at: (file name, offset) where the valid log ends, or None if nothing was dropped. dropped_reason: why there.
    salvaged: the dropped bytes contain commits that had been durable; only with `Options(recovery="salvage")`.
    files_removed: names of files that nothing referred to.
    last_sequence: number of the last change that is in the database.
    """

    created: bool = False
    interrupted: bool = False
    logs: tuple[str, ...] = ()
    frames: int = 0
    entries: int = 0
    dropped_bytes: int = 0
    dropped_at: tuple[str, int] | None = None
    dropped_reason: str = ""
    salvaged: bool = False
    files_removed: tuple[str, ...] = ()
    last_sequence: int = 0

    def as_dict(self) -> dict[str, object]:
        """Return all fields by name."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        """Return the report as a few words."""
        if self.created:
            return "created"
        text = f"{self.frames} commits ({self.entries} changes) replayed from {len(self.logs)} logs"
        if self.dropped_at is not None:
            name, offset = self.dropped_at
            text += f"; {self.dropped_bytes} bytes dropped at {name}:{offset} ({self.dropped_reason})"
        if self.files_removed:
            text += f"; {len(self.files_removed)} unused files removed"
        return text
