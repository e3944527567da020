"""What the fixture `crash_test` gives: `explore`, with the seed and the crash to replay from the command line."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from typing import Any

from lsm.testing.crashes import Crash, Recording
from lsm.testing.exploration import CrashTestError, Plan, explore
from lsm.testing.ledger import Entry, Ledger


@dataclasses.dataclass(frozen=True)
class CrashTest:
    """Crashes a program at each of its calls; see `explore`.

    Attributes:
        replay: The address of the one crash to try, or nothing.
        seed: The seed instead of the plan's, or None.
        command: How to run this test again.
        report: Is told each count by its name.
    """

    replay: str = ""
    seed: int | None = None
    command: str = ""
    report: Callable[[str, int], object] = lambda _name, _count: None

    def __call__(
        self,
        program: Callable[[Recording[Entry]], object],
        check: Callable[[Crash[Entry]], Any],
        plan: Plan | None = None,
        *,
        ledger: Ledger[Entry] | None = None,
    ) -> Counter[str]:
        """Run `program` once, crash it as `plan` says, `check` what is left; return how much was tried.

        Raises:
            CrashTestError: A check raised; one line for each crash, and the command that repeats the first.
        """
        chosen = Plan() if plan is None else plan
        seed = chosen.seed if self.seed is None else self.seed
        chosen = dataclasses.replace(chosen, seed=seed, replay=self.replay or chosen.replay)
        try:
            counts = explore(program, check, chosen, ledger=ledger)
        except CrashTestError as error:
            first = error.failures[0]
            error.add_note(f"repeat with: {self.command} --crash-seed {first.seed} --crash-replay '{first.address}'")
            raise
        for name, count in counts.items():
            self.report(name, count)
        return counts
