"""What every compared engine offers to the workloads, and the two levels of durability at which all are compared."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

Durability = Literal["process", "power"]
"""process: a write survives the death of the process, and a power loss takes only the newest writes; power: each write
survives a power loss, by a sync of the disk."""

Pair = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """An open database. Each field is the engine's own method where it has one, so that it is called directly."""

    put: Callable[[bytes, bytes], object]
    get: Callable[[bytes], bytes | None]
    write: Callable[[Iterable[Pair]], object]
    """Store many pairs in one transaction."""
    scan: Callable[[], Iterable[Pair]]
    scan_from: Callable[[bytes, int], Iterable[Pair]]
    """The given number of pairs from a key on."""
    settle: Callable[[], object]
    """Bring what was written into the form that it has at rest: flushed and compacted."""
    close: Callable[[], object]
    version: str
    options: str
