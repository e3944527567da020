"""Plants defects and shows what finds them: `python -m tests.defects [NAME | --all | --matrix | --classes]`."""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Iterable, Sequence

from tests.defects.catalogue import DEFECTS, search
from tests.defects.defect import Defect
from tests.defects.fault_class import Finding, Share
from tests.defects.fault_classes import FAULT_CLASSES


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what is asked for; return 0 if every defect was found, and nothing where there was none."""
    parser = argparse.ArgumentParser(prog="python -m tests.defects", description=__doc__)
    parser.add_argument("name", nargs="*", help="names of defects, or parts of them")
    parser.add_argument("--all", action="store_true", help="plant each defect and print what finds it")
    parser.add_argument("--matrix", action="store_true", help="try each defect with every class of fault")
    parser.add_argument("--classes", action="store_true", help="try every class of fault on the engine as it is")
    parser.add_argument("--parts", type=int, default=23, help="of so many cases one is tried (matrix and classes)")
    chosen = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    wanted = [defect for name, defect in DEFECTS.items() if any(part in name for part in chosen.name)]
    if chosen.classes:
        return _try_classes(chosen.parts)
    if chosen.matrix:
        return _print_matrix(wanted or list(DEFECTS.values()), chosen.parts)
    if wanted:
        return _show(wanted)
    if chosen.name:
        _say(f"there is no defect with {chosen.name} in its name")
        return 2
    return _print_all() if chosen.all else _list()


def _list() -> int:
    for defect in DEFECTS.values():
        _say(f"{defect.name:58} {defect.found_by:24} {defect.does}")
    _say(f"{len(DEFECTS)} defects")
    return 0


def _show(defects: Iterable[Defect]) -> int:
    missed = 0
    for defect in defects:
        result = search(defect)
        _say(f"defect: {defect.name}\nplanted: {defect.does}\nclass of fault: {defect.found_by}")
        _say(f"found in {result.seconds:.1f} s: {result.finding}" if result.finding else "NOT FOUND")
        missed += result.finding is None
    return int(missed > 0)


def _print_all() -> int:
    missed = 0
    _say("| planted defect | found by | seconds | the failure |\n|---|---|---|---|")
    for defect in DEFECTS.values():
        result = search(defect)
        finding = "NOT FOUND" if result.finding is None else " ".join(result.finding.split())[:160]
        _say(f"| {defect.name} | {defect.found_by} | {result.seconds:.1f} | {finding} |")
        missed += result.finding is None
    _say(f"{len(DEFECTS) - missed} of {len(DEFECTS)} found")
    return int(missed > 0)


def _print_matrix(defects: Sequence[Defect], parts: int) -> int:
    """Print which classes find which defects, looking at one of `parts` cases; and which class alone finds one."""
    alone: dict[str, list[str]] = {name: [] for name in FAULT_CLASSES}
    for defect in defects:
        finders = [name for name, tried in FAULT_CLASSES.items() if search(defect, tried, passes=(parts,)).finding]
        _say(f"{defect.name}: {', '.join(finders) or 'none of these cases'}")
        if len(finders) == 1:
            alone[finders[0]].append(defect.name)
    for name, found in alone.items():
        _say(f"found by {name} alone: {', '.join(found) or '-'}")
    return 0


def _try_classes(parts: int) -> int:
    wrong = 0
    for tried in FAULT_CLASSES.values():
        share, begin = Share(0, parts), time.perf_counter()
        try:
            tried.run(share)
            outcome = "nothing wrong"
        except Finding as finding:
            outcome, wrong = f"WRONG: {finding}", wrong + 1
        _say(f"{tried.name:26} {share.cases:6,} cases {time.perf_counter() - begin:6.1f} s  {outcome}")
    return int(wrong > 0)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
