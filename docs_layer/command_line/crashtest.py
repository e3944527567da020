"""The command `crashtest`: processes that write are killed and stopped, and nothing that was promised may be gone."""

import secrets
import shlex
import shutil
from pathlib import Path
from typing import Annotated

import typer

from docs_layer.command_line.arguments import Json
from docs_layer.command_line.failures import CommandError
from docs_layer.command_line.output import print_grid, print_json, print_line, progress
from lsm.testing.crashtest import MOST_PROCESSES, Report, Settings, Trial, replay

_SEEDS = 10**9


def crashtest(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where to work; must be new or empty.", show_default=False)
    ],
    *,
    minutes: Annotated[float, typer.Option("--minutes", min=0.0, help="How long.")] = 1.0,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Repeat the plan of a run; random if not given.", show_default=False)
    ] = None,
    processes: Annotated[
        int, typer.Option("--processes", min=1, max=MOST_PROCESSES, help="Processes that write at a time.")
    ] = 1,
    again: Annotated[
        bool, typer.Option("--replay", help="Look again at what a failed run has left in DIR; changes nothing there.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Kill and stop processes that write, at random, and check after each that nothing acknowledged is lost.

    Ends with status 1 if anything is. DIR then keeps the evidence; otherwise everything in it is removed.
    """
    if again:
        _replay(directory, as_json=as_json)
        return
    made = _prepared(directory)
    chosen = Settings(
        seed=secrets.randbelow(_SEEDS) if seed is None else seed, seconds=60 * minutes, processes=processes
    )
    report = _run(directory, chosen)
    if as_json:
        print_json(report.as_dict())
    else:
        _print(report, directory, minutes)
    if report.failure:
        raise typer.Exit(1)
    _clear(directory, whole=made)


def _prepared(directory: Path) -> bool:
    """Make the directory, or make sure that it is empty; tell whether it was made."""
    if directory.is_dir():
        if any(directory.iterdir()):
            raise CommandError(f"{directory} is not empty; a crash test needs a directory of its own")
        return False
    directory.mkdir()
    return True


def _clear(directory: Path, *, whole: bool) -> None:
    for entry in directory.iterdir():
        shutil.rmtree(entry)
    if whole:
        directory.rmdir()


def _run(directory: Path, chosen: Settings) -> Report:
    with progress() as bars:
        bar = bars.add_task("starting", total=chosen.seconds)
        return Trial(directory.resolve(), chosen).run(
            lambda report: bars.update(bar, completed=report.seconds, description=_in_short(report))
        )


def _in_short(report: Report) -> str:
    return (
        f"round {report.rounds:,}: {report.kills:,} kills, {report.stops:,} stops, "
        f"{report.acknowledged_commits:,} commits, lost: {report.lost}"
    )


def _print(report: Report, directory: Path, minutes: float) -> None:
    counts = report.as_dict()
    failure, seed = counts.pop("failure"), counts.pop("seed")
    rows = [
        (name.replace("_", " "), f"{round(value):,}")
        for name, value in counts.items()
        if isinstance(value, int | float)
    ]
    print_grid(["crash test", f"seed {seed}"], rows)
    if failure:
        where = shlex.quote(str(directory))
        print_line(str(failure))
        print_line(f"what is left is in {where}")
        print_line(f"look again:     layerdb crashtest {where} --replay")
        print_line(f"same plan anew: layerdb crashtest NEWDIR --seed {report.seed} --minutes {minutes:g}")


def _replay(directory: Path, *, as_json: bool) -> None:
    try:
        failure, now = replay(directory)
    except FileNotFoundError:
        raise CommandError(f"{directory}: no crash test has failed here") from None
    if as_json:
        print_json({"seed": failure.seed, "round": failure.round, "then": failure.text, "now": now})
    else:
        print_line(f"seed {failure.seed}, round {failure.round}, then: {failure.text}")
        print_line(f"now: {now or 'nothing is wrong'}")
    if now:
        raise typer.Exit(1)
