"""First chapter: real rows go in, with their indexes and foreign keys checked on the way."""

from collections.abc import Sequence

from docs_layer import Database, Table
from docs_layer.demo import source
from docs_layer.demo.narration import Narrator, Stopwatch
from docs_layer.demo.tables import Airport

BATCH_ROWS = 2_000


def load_world(db: Database, narrator: Narrator) -> None:
    """Load countries, cities and airports; each batch of rows is one transaction."""
    narrator.chapter("Loading the world")
    narrator.say(
        "Countries, cities and airports are classes; every city and airport refers to its country, which is checked."
    )
    narrator.code("db.insert_many(cities)")
    for title, rows in (
        ("countries", source.countries()),
        ("cities", source.cities()),
        ("airports", source.airports()),
    ):
        _load(db, narrator, title, rows)
    narrator.say("A row is an ordinary object with typed columns:")
    narrator.code('db.query(Airport).where(Airport.iata == "VIE").one()')
    narrator.show([db.query(Airport).where(Airport.iata == "VIE").one()])


def _load(db: Database, narrator: Narrator, title: str, rows: Sequence[Table]) -> None:
    watch = Stopwatch()
    with narrator.progress(title, len(rows)) as bars:
        for start in range(0, len(rows), BATCH_ROWS):
            batch = rows[start : start + BATCH_ROWS]
            db.insert_many(batch)
            bars.advance(bars.task_ids[0], len(batch))
    rate = len(rows) / watch.seconds
    narrator.show([f"{len(rows):>6,} {title:9} in {watch} ({rate:,.0f} rows a second)"])
