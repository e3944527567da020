"""What a workload was promised: the states after each commit, and which of them may be lost.

It lies outside the simulated disk, so that no crash can touch it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from tests.support.model import State, Statement, after


class Promise(NamedTuple):
    """Numbers of commits, counted from the beginning of the workload. The recovered ones must be the first n.

    `durable` <= n after a power loss, `acknowledged` <= n after a kill, and n <= `issued` always.
    """

    durable: int
    acknowledged: int
    issued: int


class Ledger:
    """Commits in their order. `states[n]` is the content after the first n."""

    def __init__(self) -> None:
        self.states: list[State] = [{}]
        self.acknowledged = 0
        self.durable = 0

    @property
    def promise(self) -> Promise:
        """What holds if everything ends now."""
        return Promise(self.durable, self.acknowledged, len(self.states) - 1)

    @property
    def state(self) -> State:
        """The content that the writer sees once everything issued is acknowledged."""
        return self.states[-1]

    def issue(self, statements: Sequence[Statement]) -> None:
        """Record that a commit is on its way."""
        self.states.append(after(self.states[-1], statements))

    def acknowledge(self) -> None:
        """Record that the last commit was answered: it survives a kill."""
        self.acknowledged = len(self.states) - 1

    def withdraw(self) -> None:
        """Record that the last commit was answered by an error which says that it was not made."""
        del self.states[-1]

    def settle(self) -> None:
        """Record that all answered commits survive a power loss as well."""
        self.durable = self.acknowledged

    def found(self, content: State, least: int, most: int) -> int | None:
        """Return the number of commits that lead to `content`, from `least` to `most`; None if there is none."""
        for number in range(most, least - 1, -1):
            if self.states[number] == content:
                return number
        return None

    def differences(self, content: State, number: int) -> str:
        """Describe how `content` differs from the state after `number` commits, in a line."""
        wanted = self.states[number]
        missing = {key for key in wanted if key not in content}
        surplus = {key for key in content if key not in wanted}
        changed = {key for key in content if key in wanted and content[key] != wanted[key]}
        return f"missing {sorted(missing)[:5]}, surplus {sorted(surplus)[:5]}, other values {sorted(changed)[:5]}"
