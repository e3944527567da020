"""The order of the chapters: each lives in the module that is named after what it shows."""

from pathlib import Path

from rich.console import Console

from docs_layer import open_db
from docs_layer.demo import asking, crash, integrity, loading, upkeep
from docs_layer.demo.narration import Narrator, Stopwatch
from docs_layer.demo.tables import TABLES


def run(directory: Path, console: Console | None = None) -> None:
    """Show what the product does, in about ten seconds.

    Args:
        directory: Where the database is made; must be new or empty.
        console: Where the story is told; None means standard output.

    Raises:
        MissingDataError: the packages of the extra `demo` are not installed.
        RuntimeError: the database did not do what the story says.
    """
    narrator = Narrator(console or Console())
    watch = Stopwatch()
    narrator.say("LayerDB: an embedded database for Python. This is what it does, on the real world.")
    with open_db(directory, tables=TABLES) as db:
        loading.load_world(db, narrator)
        asking.show_indexes(db, narrator)
        asking.show_ranges(db, narrator)
        asking.show_snapshot(db, narrator)
        integrity.show_refusals(db, narrator)
        integrity.show_transaction(db, narrator)
    acknowledged = crash.kill_a_loader(directory, narrator)
    with crash.reopen(directory, acknowledged, narrator) as db:
        upkeep.show_compaction(db, directory, narrator)
    narrator.say(f"\nThat was all, in {watch}.")
