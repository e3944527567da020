"""`python -m tests.fuzz --minutes 10 [--target NAME ...] [--seed N]`: fuzz every target for its share of the time.

With atheris the search is guided by coverage; without it seeds and corpus are mutated at random. A finding ends the run
with status 1; the input lies in `--findings` (default `findings/`), is shown, and can be run again with `--input FILE`.
After it is mended it belongs in the corpus.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.limits import measured
from tests.fuzz.mutating import Finding, run_inputs
from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS
from tests.support.totals import Lane, append

AVAILABLE = importlib.util.find_spec("atheris") is not None


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--target", action="append", choices=sorted(TARGETS))
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--findings", type=Path, default=Path("findings"))
    parser.add_argument("--input", type=Path, help="run one input of the one --target and say what comes of it")
    parser.add_argument("--unguided", action="store_true", help="mutate at random although atheris is there")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Fuzz; return 0 if nothing was found."""
    chosen = _arguments(words)
    targets = [TARGETS[name] for name in chosen.target or TARGETS]
    seed = time.time_ns() % (1 << 31) if chosen.seed is None else chosen.seed
    if chosen.input is not None:
        _say(f"{targets[0].name}: {measured(targets[0].parse, chosen.input.read_bytes(), targets[0].limits)}")
        return 0
    seconds = chosen.minutes * 60 / len(targets)
    _say(f"seed {seed}, {seconds:.0f} s a target, {_how(chosen.unguided)}")
    failed = [target for target in targets if not _fuzz(target, seed, seconds, chosen)]
    return 1 if failed else 0


def _how(unguided: bool) -> str:
    if unguided:
        return "mutating at random"
    return "guided by coverage" if AVAILABLE else "mutating at random (atheris cannot be imported here)"


def _fuzz(target: Target, seed: int, seconds: float, chosen: argparse.Namespace) -> bool:
    """Fuzz one target; tell whether it held."""
    begin = time.monotonic()
    if AVAILABLE and not chosen.unguided:
        held, count = _guided(target, seed, seconds, chosen.findings)
    else:
        held, count = _at_random(target, seed, seconds, chosen.findings)
    _say(f"{target.name}: {count:,} inputs, {'nothing found' if held else 'FINDING'}")
    kept = os.environ.get("LAYERDB_TOTALS")
    if kept:
        lane = Lane(f"fuzzing: {target.name}", {"inputs": count}, int(not held), time.monotonic() - begin)
        append(Path(kept), [lane])
    return held


def _at_random(target: Target, seed: int, seconds: float, findings: Path) -> tuple[bool, int]:
    try:
        return True, run_inputs(target, seed, None, seconds)[0]
    except Finding as finding:
        findings.mkdir(exist_ok=True)
        path = findings / f"{target.name}-{seed}"
        path.write_bytes(finding.data)
        _say(f"{finding}\nkept in {path}")
        return False, 1


def _guided(target: Target, seed: int, seconds: float, findings: Path) -> tuple[bool, int]:
    """Fuzz one target in a process of its own, which the engine ends as it likes."""
    findings.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "tests.fuzz.guided", target.name, str(seed), str(int(seconds)), str(findings)]
    done = subprocess.run(command, check=False, stderr=subprocess.PIPE, text=True)
    counts = [line.split() for line in done.stderr.splitlines() if line.startswith("stat::number_of_executed_units:")]
    if done.returncode:
        _say(done.stderr[-4000:])
    return done.returncode == 0, int(counts[-1][1]) if counts else 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
