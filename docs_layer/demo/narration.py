"""The voice of the demo: chapters, sentences, a line of code before what it gives, and times."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class Narrator:
    """Prints the demo from top to bottom on one console; not shared between threads."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._chapters = 0

    def chapter(self, title: str) -> None:
        """Begin the next chapter."""
        self._chapters += 1
        self._console.print(f"\n[bold cyan]{self._chapters}. {escape(title)}[/]")

    def say(self, text: str) -> None:
        """Print one sentence or a few."""
        self._print(text)

    def code(self, text: str) -> None:
        """Print the call that comes next, as a program would write it."""
        self._console.print(f"  [green]>>> {escape(text)}[/]", highlight=False, soft_wrap=True)

    def show(self, lines: str | Iterable[object]) -> None:
        """Print what came out, indented."""
        for line in lines.splitlines() if isinstance(lines, str) else lines:
            self._print(f"      {line}")

    def error(self, error: Exception) -> None:
        """Print an expected error as a program would see it."""
        self._console.print(
            f"      [red]{type(error).__name__}: {escape(str(error))}[/]", highlight=False, soft_wrap=True
        )

    @contextmanager
    def progress(self, title: str, total: int) -> Iterator[Progress]:
        """Show a progress bar with one task; on a pipe or in a file it stays silent."""
        columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        bars = Progress(*columns, console=self._console)
        bars.add_task(title, total=total)
        if not self._console.is_terminal:
            yield bars
            return
        with bars:
            yield bars

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


class Stopwatch:
    """Measures from its making."""

    def __init__(self) -> None:
        self._start = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self._start

    def __str__(self) -> str:
        seconds = self.seconds
        return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.2f} ms"
