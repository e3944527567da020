"""Commands on a whole database: `compact`, `stats`, `verify`, `repair` and `dump`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

import lsm
from docs_layer import VerificationReport
from docs_layer.command_line.arguments import Directory, Json, Start, Stop
from docs_layer.command_line.escaping import escape
from docs_layer.command_line.output import counted, print_grid, print_json, print_line, progress, size
from docs_layer.command_line.raw import EXISTING, bound
from docs_layer.command_line.tables import existing


def files_bytes(directory: Path) -> int:
    """Add up the sizes of the files of a directory, in bytes; a file that goes away meanwhile counts as nothing."""
    total = 0
    for entry in directory.iterdir():
        try:
            total += entry.stat().st_size
        except FileNotFoundError:
            continue
    return total


def compact(directory: Directory, *, start: Start = None, stop: Stop = None, as_json: Json = False) -> None:
    """Rewrite the tables of a range, or of all keys, so that deleted and overwritten values give their space back."""
    before = files_bytes(directory) if directory.is_dir() else 0
    with lsm.open(directory, EXISTING) as db, progress() as bars:
        bar = bars.add_task("compacting", total=None)
        db.compact(
            bound(start), bound(stop), progress=lambda done, total: bars.update(bar, completed=done, total=total)
        )
    after = files_bytes(directory)
    if as_json:
        print_json({"before_bytes": before, "after_bytes": after})
    else:
        print_line(f"{size(before)} before, {size(after)} after")


def stats(directory: Directory, *, as_json: Json = False) -> None:
    """Print what a database holds: its levels, its logs, its memory, and what opening it found."""
    with lsm.open(directory, EXISTING, read_only=True) as db:
        facts = db.stats()
        recovery = db.recovery
    if as_json:
        print_json(facts.as_dict() | {"recovery": recovery.as_dict()})
        return
    print_grid(
        ["level", "tables", "size", "entries", "tombstones"],
        [
            (number, level.tables, size(level.size_bytes), level.entries, level.tombstones)
            for number, level in enumerate(facts.levels)
            if level.tables
        ],
    )
    print_grid(
        ["fact", "value"],
        [(name, shown(name, value)) for name, value in facts.as_dict().items() if name not in {"levels", "path"}],
    )
    print_line(f"opening: {recovery}")


def shown(name: str, value: object) -> object:
    """Write a number of bytes for a person, a pair or a mapping in short, and every other value as it is."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {item}" for key, item in value.items()) or "none"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return size(value) if name.endswith("_bytes") and isinstance(value, int) else value


def verify(
    directory: Directory,
    *,
    tables: Annotated[
        bool, typer.Option("--tables", help="Then open it, and check rows against index entries and references.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Read every byte and check every invariant; list the damage, and end with status 1 if there is any."""
    files = lsm.verify(directory)
    rows = _verify_tables(directory) if tables and files.ok else None
    if as_json:
        content = None if rows is None else _as_dict(rows)
        print_json(files.as_dict() | {"content": content})
    else:
        for error in files.damage:
            print_line(str(error))
        verdict = counted(len(files.damage), "damaged place") if files.damage else "no damage"
        read = f"{counted(files.tables, 'table file')}, {counted(files.logs, 'log')}, {size(files.size_bytes)}"
        print_line(f"{read} read: {verdict}")
        if rows is not None:
            print_line(str(rows))
    if not files.ok or (rows is not None and not rows.is_sound):
        raise typer.Exit(1)


def _verify_tables(directory: Path) -> VerificationReport:
    with existing(directory) as db:
        return db.verify()


def _as_dict(rows: VerificationReport) -> dict[str, object]:
    return {
        "tables": rows.tables,
        "rows": rows.rows,
        "entries": rows.entries,
        "damage": [str(error) for error in rows.damage],
    }


def repair(
    directory: Directory,
    *,
    to: Annotated[
        Path,
        typer.Option(
            "--to", metavar="NEWDIR", help="The new database; must not exist, or be empty.", show_default=False
        ),
    ],
    drop_older: Annotated[
        bool,
        typer.Option("--drop-older", help="Leave out older values of keys whose newest value may be lost in a table."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Save what can be read of a damaged database into a new one; list what was lost, and end with status 1 then.

    The old directory is only read. What is lost is listed by range of keys: outside of all ranges every value is right.
    """
    report = lsm.repair(directory, to, older_values="drop" if drop_older else "keep")
    if as_json:
        print_json(report.as_dict() | {"losses": [_loss_as_dict(loss) for loss in report.losses]})
    else:
        for line in str(report).splitlines():
            print_line(line)
        if not report.ok:
            print_line(f"rows and index entries may disagree now: layerdb verify {to} --tables")
    if not report.ok:
        raise typer.Exit(1)


def _loss_as_dict(loss: lsm.Loss) -> dict[str, object]:
    """Return a loss with its keys as the other commands read and write them."""
    keys = {"start": escape(loss.start), "stop": None if loss.stop is None else escape(loss.stop)}
    return {"name": loss.name, "offset": loss.offset, **keys, "reason": loss.reason}


def dump(
    path: Annotated[
        Path, typer.Argument(metavar="DIR|FILE", help="A database, or one of its files.", show_default=False)
    ],
) -> None:
    """Print the content of a manifest, a log or a table, or of all files of a database, in readable form."""
    for line in lsm.dump(path):
        print_line(line)
