"""Chapters about promises: unique values, foreign keys, and a transaction that leaves nothing behind when it fails."""

from collections.abc import Callable

from docs_layer import Database, ForeignKeyViolation, UniqueViolation, ValidationError
from docs_layer.demo.narration import Narrator
from docs_layer.demo.tables import Airport, City, Country


def show_refusals(db: Database, narrator: Narrator) -> None:
    """Break each kind of promise once, and show what the program is told."""
    narrator.chapter("What the database refuses")
    vienna = db.query(Airport).where(Airport.iata == "VIE").one()
    narrator.say("Two airports cannot have one code:")
    _refused(
        narrator, f'db.update(Airport, {vienna.id}, iata="JFK")', lambda: db.update(Airport, vienna.id, iata="JFK")
    )
    narrator.say("An airport cannot lie in a country that is not there, and a country with cities cannot go:")
    _refused(
        narrator,
        f'db.update(Airport, {vienna.id}, country_code="XX")',
        lambda: db.update(Airport, vienna.id, country_code="XX"),
    )
    _refused(narrator, 'db.delete(Country, "AT")', lambda: db.delete(Country, "AT"))
    narrator.say("A value has the type of its column:")
    _refused(
        narrator,
        f'db.update(Airport, {vienna.id}, elevation_feet="high")',
        lambda: db.update(Airport, vienna.id, elevation_feet="high"),
    )


def _refused(narrator: Narrator, code: str, call: Callable[[], object]) -> None:
    narrator.code(code)
    try:
        call()
    except (UniqueViolation, ForeignKeyViolation, ValidationError) as error:
        narrator.error(error)
    else:
        raise RuntimeError(f"{code} should have been refused")


def show_transaction(db: Database, narrator: Narrator) -> None:
    """Do two things of which the second fails, and show that the first did not happen either."""
    narrator.chapter("All or nothing")
    narrator.code("with db.transaction() as tx: tx.insert(Country(...)); tx.insert(City(country_code='??', ...))")
    atlantis = Country(code="ZZ", name="Atlantis", continent="EU", capital="", population=0, area_km2=0)
    lost = City(
        id=1, name="Lost", country_code="??", population=1, latitude=0.0, longitude=0.0, time_zone="Atlantic/Azores"
    )
    try:
        with db.transaction() as transaction:
            transaction.insert(atlantis)
            transaction.insert(lost)
    except ForeignKeyViolation as error:
        narrator.error(error)
    narrator.code('db.get(Country, "ZZ")')
    narrator.show([db.get(Country, "ZZ")])
