"""What a crash test has tried, and what became of it."""

from __future__ import annotations

import msgspec


class Report(msgspec.Struct):
    """Counts of one run. `lost` is 1 when something promised was not there, or anything else was not as it must be."""

    seed: int
    rounds: int = 0
    kills: int = 0
    stops: int = 0
    closes: int = 0
    acknowledged_commits: int = 0
    synced_commits: int = 0
    checkpoints: int = 0
    looks: int = 0
    """Comparisons of reads in the running processes."""
    refused: int = 0
    """Steps that ended with an allowed error, such as that of a full disk."""
    lost: int = 0
    seconds: float = 0.0
    failure: str = ""
    """What was wrong, in a few lines; empty when nothing was."""

    def as_dict(self) -> dict[str, object]:
        """Return all fields by name."""
        return msgspec.structs.asdict(self)
