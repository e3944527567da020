"""How commands speak: results on standard output, progress on standard error, texts never read as markup."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table as Grid

_WIDE = 10_000
"""Columns of a file or a pipe, where nothing needs to be folded to the width of a screen."""


def console(*, errors: bool = False) -> Console:
    """Make a console that prints what it is given, and folds lines only on a screen."""
    stream = sys.stderr if errors else sys.stdout
    return Console(file=stream, markup=False, highlight=False, emoji=False, width=None if stream.isatty() else _WIDE)


def print_json(value: object) -> None:
    """Print one value as one line of JSON."""
    print(json.dumps(value, ensure_ascii=False, default=str))  # noqa: T201 - standard output is the result


def print_line(text: str) -> None:
    """Print one line as it is."""
    print(text)  # noqa: T201 - standard output is the result


def print_grid(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows below headings; numbers stand to the right, None is shown as `null`."""
    table = Grid(box=SIMPLE_HEAD, pad_edge=False)
    lines = [list(row) for row in rows]
    for position, heading in enumerate(headings):
        numeric = all(isinstance(line[position], int | float) for line in lines if line[position] is not None)
        table.add_column(heading, justify="right" if lines and numeric else "left", overflow="fold")
    for line in lines:
        table.add_row(*("null" if cell is None else str(cell) for cell in line))
    console().print(table)


@contextmanager
def progress() -> Iterator[Progress]:
    """Show the progress bars that all long commands show; on a pipe or in a file they stay silent."""
    screen = console(errors=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    bars = Progress(*columns, console=screen, transient=True)
    if not screen.is_terminal:
        yield bars
        return
    with bars:
        yield bars


def size(count_bytes: int) -> str:
    """Write a number of bytes for a person: `999 B`, `1.5 KiB`, `2.0 MiB`."""
    if count_bytes < 1024:
        return f"{count_bytes} B"
    amount = float(count_bytes)
    for unit in ("KiB", "MiB", "GiB"):
        amount /= 1024
        if amount < 1024:
            return f"{amount:.1f} {unit}"
    return f"{amount / 1024:.1f} TiB"


def counted(count: int, noun: str) -> str:
    """Write a number with its noun: `1 row`, `2 rows`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
