"""What the two functions of a crash test get: the program a `Recording`, the check a `Crash`."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Generic

from lsm.testing.environment import SimulatedEnvironment
from lsm.testing.file_system import SimulatedFileSystem
from lsm.testing.ledger import Entry, Ledger


class WrongRecoveryError(AssertionError):
    """What was found after a crash is not what had been promised."""


class Recording(Generic[Entry]):
    """The world of a program that is recorded: a simulated machine, and a ledger outside of it.

    Attributes:
        filesystem: The simulated process and its disk; `fail` and `limit` make its calls fail.
        environment: For `lsm.open(..., environment=...)` or `docs_layer.open_db(..., environment=...)`.
        ledger: What the program has promised so far.
    """

    def __init__(self, filesystem: SimulatedFileSystem, ledger: Ledger[Entry], *, seed: int = 0) -> None:
        self.filesystem = filesystem
        self.environment = SimulatedEnvironment(filesystem, seed=seed)
        self.ledger = ledger

    def promise(self, entry: Entry, *, durable: bool = True) -> AbstractContextManager[None]:
        """Return a block for one commit: `entry` is on its way inside, and promised after it.

        durable: after the block it survives a power loss, and with it all that was promised before; otherwise it only
        survives a kill until `settle`.
        """
        return self.ledger.promise_of(entry, durable=durable)

    def settle(self) -> None:
        """Record that all that was promised survives a power loss, as after `sync()` or `close()` of a database."""
        self.ledger.settle()


class Crash(Generic[Entry]):
    """What one or more crashes have left, in the hands of a new process, and what had been promised before.

    Attributes:
        filesystem: The new process and its disk.
        environment: For opening what is left.
        killed: Whether every crash so far was a kill; a power loss may take more.
        address: Which crash it is; `Plan(replay=address)` repeats just this one.
    """

    def __init__(
        self,
        filesystem: SimulatedFileSystem,
        entries: Sequence[Entry],
        promised_count: int,
        *,
        killed: bool,
        address: str,
        seed: int = 0,
    ) -> None:
        self.filesystem = filesystem
        self.environment = SimulatedEnvironment(filesystem, seed=seed)
        self.killed = killed
        self.address = address
        self.issued = entries
        """All that was begun, in order; a list that the check must not change."""
        self.promised_count = promised_count

    @property
    def promised(self) -> Sequence[Entry]:
        """What must be there: the first of `issued`."""
        return self.issued[: self.promised_count]

    def check_prefix(self, found: Sequence[Entry]) -> None:
        """Raise `WrongRecoveryError` unless the found entries are the first ones issued, and all that were promised."""
        wanted = list(self.issued[: len(found)])
        if list(found) != wanted or len(found) < self.promised_count:
            raise WrongRecoveryError(
                f"found {len(found)} entries, promised were {self.promised_count}, begun {len(self.issued)}; "
                f"{next(_differing(found, self.issued), 'the last ones are missing')}"
            )

    def check_state(self, found: Entry) -> int:
        """Where entries are whole states: raise `WrongRecoveryError` unless the last promised or a later one is found.

        Returns:
            How many entries lead to the state that was found.
        """
        for number in range(len(self.issued), max(self.promised_count, 1) - 1, -1):
            if self.issued[number - 1] == found:
                return number
        older = [number for number in range(1, self.promised_count) if self.issued[number - 1] == found]
        lost = f"; it is state {older[-1]}: promised commits are lost" if older else ""
        raise WrongRecoveryError(
            f"the content is no state from {self.promised_count} to {len(self.issued)}{lost}; "
            f"compared with the last: {difference(found, self.issued[-1])}"
        )


def difference(found: object, wanted: object) -> str:
    """Describe how a state differs from the wanted one, in a line."""
    if not isinstance(found, Mapping) or not isinstance(wanted, Mapping):
        return f"found {_short(found)}, wanted {_short(wanted)}"
    missing = [key for key in wanted if key not in found]
    surplus = [key for key in found if key not in wanted]
    changed = [key for key in found if key in wanted and found[key] != wanted[key]]
    return f"missing {sorted(missing)[:5]}, surplus {sorted(surplus)[:5]}, other values {sorted(changed)[:5]}"


def _differing(found: Sequence[Entry], issued: Sequence[Entry]) -> Iterator[str]:
    """Yield each place at which the found entries are not the issued ones."""
    for position, entry in enumerate(found):
        if position >= len(issued):
            yield f"found {_short(entry)}, which was never begun"
        elif entry != issued[position]:
            yield f"at {position} found {_short(entry)}, wanted {_short(issued[position])}"


def _short(value: object) -> str:
    shortened = reprlib.Repr()
    shortened.maxother = shortened.maxstring = 100
    return shortened.repr(value)
