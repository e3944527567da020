"""Runs operations in many ways and compares: `python -m tests.metamorphic [--seeds 5] [--ways 8] | --script FILE`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lsm
from tests.metamorphic import operations as operations_module
from tests.metamorphic.operations import Operation, operations
from tests.metamorphic.reduction import reduced, script
from tests.metamorphic.running import Difference, compare
from tests.metamorphic.settings import Setting, settings
from tests.support import model


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what is asked for; return 0 if there is no difference."""
    parser = argparse.ArgumentParser(prog="python -m tests.metamorphic", description=__doc__)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=5, help="how many seeds")
    parser.add_argument("--ways", type=int, default=8, help="in how many ways each is run")
    parser.add_argument("--operations", type=int, default=300, help="how many operations a run has")
    parser.add_argument("--script", type=Path, help="run what a difference was printed as")
    chosen = parser.parse_args(arguments)
    if chosen.script is not None:
        return _run_script(chosen.script.read_text("utf-8"))
    for seed in range(chosen.first, chosen.first + chosen.seeds):
        steps = operations(seed, chosen.operations)
        for setting in settings(seed, chosen.ways):
            difference = compare(steps, setting)
            _say(f"seed {seed}: {setting.name}: {'equal' if difference is None else 'DIFFERENT'}")
            if difference is not None:
                _say(explained(steps, setting, difference))
                return 1
    return 0


def explained(steps: Sequence[Operation], setting: Setting, difference: Difference) -> str:
    """Return a difference in words, with the smallest run that shows one, as a script."""
    small = reduced(steps[: difference.place + 1], lambda part: compare(part, setting) is not None)
    last = compare(small, setting) or difference
    words = f"operation {last.operation}\nmust give {last.wanted!r}\nbut gives {last.found!r}"
    return f"{words}\n# as a script:\n{script(small, setting)}"


def _run_script(text: str) -> int:
    # The script is one that this program has printed: assignments of the two names below.
    names: dict[str, Any] = {**vars(operations_module), **vars(model), "Options": lsm.Options, "Setting": Setting}
    exec(text, names)  # noqa: S102  # a script is a program, by its meaning
    difference = compare(names["STEPS"], names["SETTING"])
    _say("equal" if difference is None else f"DIFFERENT: {difference}")
    return int(difference is not None)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
