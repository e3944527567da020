"""The tables of the demo: countries, cities, airports, and the check-ins of its crash."""

from docs_layer import Col, Key, Ref, Table, auto, col, index


class Country(Table):
    """A country, by its two-letter code."""

    code: Key[str]
    name: Col[str] = col(unique=True)
    continent: Col[str]
    capital: Col[str]
    population: Col[int]
    area_km2: Col[int]


class City(Table):
    """A city of more than 5,000 people, by its number in GeoNames."""

    id: Key[int]
    name: Col[str]
    country_code: Ref[Country, str]
    population: Col[int]
    latitude: Col[float]
    longitude: Col[float]
    time_zone: Col[str]
    __indexes__ = [index("name"), index("country_code", "-population")]


class Airport(Table):
    """An airport with an IATA code; the database gives it a number."""

    id: Key[int] = auto()
    iata: Col[str] = col(unique=True)
    icao: Col[str] = col(unique=True)
    name: Col[str]
    city: Col[str]
    country_code: Ref[Country, str]
    elevation_feet: Col[float | None] = col(default=None)


class CheckIn(Table):
    """A passenger at an airport; what is being loaded when the process is killed."""

    id: Key[int]
    airport: Ref[Airport]
    batch: Col[int]
    __indexes__ = [index("batch")]


BATCH_CHECK_INS = 500
"""Check-ins of one transaction, which is there after a crash as a whole or not at all."""

TABLES = (Country, City, Airport, CheckIn)
