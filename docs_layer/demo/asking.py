"""Chapters about reading: what an index does, ranges, prefixes, order, and a snapshot that does not move."""

from typing import Any

from docs_layer import Database
from docs_layer.demo.narration import Narrator, Stopwatch
from docs_layer.demo.tables import City


def show_indexes(db: Database, narrator: Narrator) -> None:
    """Ask the same kind of question with and without an index."""
    narrator.chapter("What an index does")
    narrator.say("City.name has an index, City.time_zone has none. explain() tells how the rows are found.")
    _ask(narrator, 'db.query(City).where(City.name == "Springfield")', db.query(City).where(City.name == "Springfield"))
    _ask(
        narrator,
        'db.query(City).where(City.time_zone == "Pacific/Fiji")',
        db.query(City).where(City.time_zone == "Pacific/Fiji"),
    )


def show_ranges(db: Database, narrator: Narrator) -> None:
    """Ask for a prefix, for a range below an equal first column, and for an order that an index already has."""
    narrator.chapter("Ranges, prefixes, order")
    _ask(
        narrator,
        'db.query(City).where(City.name.starts_with("San J"))',
        db.query(City).where(City.name.starts_with("San J")),
    )
    narrator.say("The index (country_code, -population) serves a range and gives the order for nothing:")
    large = (City.country_code == "JP") & (City.population >= 1_000_000)
    found = db.query(City).where(large).order_by(-City.population).limit(5)
    _ask(
        narrator,
        'db.query(City).where((City.country_code == "JP") & (City.population >= 1_000_000))'
        ".order_by(-City.population).limit(5)",
        found,
    )
    narrator.show(f"{city.name:12} {city.population:>12,}" for city in found)


def _ask(narrator: Narrator, code: str, query: Any) -> None:
    narrator.code(code)
    watch = Stopwatch()
    count = len(query.all())
    narrator.show([f"{count} rows in {watch}"])
    narrator.show(str(query.explain()))


def show_snapshot(db: Database, narrator: Narrator) -> None:
    """Change a row behind the back of a snapshot."""
    narrator.chapter("A snapshot does not move")
    vienna = db.query(City).where((City.name == "Vienna") & (City.country_code == "AT")).one()
    narrator.code("snapshot = db.snapshot(); db.update(City, vienna.id, population=0)")
    with db.snapshot() as snapshot:
        db.update(City, vienna.id, population=0)
        narrator.show(
            [
                f"in the snapshot: {_population(snapshot, vienna.id):>9,} people",
                f"in the database: {_population(db, vienna.id):>9,} people",
            ]
        )
    db.update(City, vienna.id, population=vienna.population)


def _population(view: Any, key: int) -> int:
    city: City = view.one(City, key)
    return city.population
