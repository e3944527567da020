"""A database on the real file system, for the tests of what may happen to its directory."""

from pathlib import Path

import pytest

import lsm

ENTRIES = {b"%03d" % number: b"v" * 100 for number in range(150)}
PLAIN = lsm.Options(maintenance=False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a closed database with entries in a table and in a log."""
    place = tmp_path / "data"
    with lsm.open(place, PLAIN) as database:
        for number, (key, value) in enumerate(ENTRIES.items()):
            database.put(key, value)
            if number == 100:
                database.flush()
    return place
