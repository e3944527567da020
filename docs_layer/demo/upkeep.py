"""Last chapter: rows go, compaction gives their space back, and every byte is checked."""

from pathlib import Path

from docs_layer import Database
from docs_layer.demo.narration import Narrator, Stopwatch
from docs_layer.demo.tables import CheckIn


def _size_mib(directory: Path) -> str:
    total = sum(entry.stat().st_size for entry in directory.iterdir())
    return f"{total / 2**20:.1f} MiB"


def show_compaction(db: Database, directory: Path, narrator: Narrator) -> None:
    """Delete the check-ins, compact, and verify."""
    narrator.chapter("Compaction")
    narrator.code("for check_in in db.query(CheckIn): db.delete(CheckIn, check_in.id)")
    with db.transaction() as transaction:
        for check_in in transaction.query(CheckIn).all():
            transaction.delete(CheckIn, check_in.id)
    before = _size_mib(directory)
    watch = Stopwatch()
    narrator.code("db.compact()")
    db.compact()
    narrator.show([f"{before} before, {_size_mib(directory)} after, in {watch}"])
    narrator.code("db.verify()")
    narrator.show([db.verify()])
