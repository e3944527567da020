"""Each package has an `ARCHITECTURE.md` with a map of its modules, and the map is complete."""

import re

import pytest

from tests.house.sources import PACKAGES, ROOT

NAMED = re.compile(r"`([^`\n]+)`|^ *([\w/]+)(?:\.py|/)? ", re.MULTILINE)


def modules(package: str) -> set[str]:
    """Return the names of the modules and inner packages that stand directly in a package."""
    files = {file.stem for file in (ROOT / package).glob("*.py")} - {"__init__"}
    folders = {file.parent.name for file in (ROOT / package).glob("*/__init__.py")}
    return files | folders


def missing(names: set[str], text: str) -> set[str]:
    """Return the names that a text does not mention, neither in code marks nor at the beginning of a line."""
    words = {word for found in NAMED.findall(text) for part in found for word in re.findall(r"\w+", part)}
    return names - words


@pytest.mark.parametrize("package", PACKAGES)
def test_the_map_names_every_module(package: str) -> None:
    """A reader of the map finds each module in it."""
    text = (ROOT / package / "ARCHITECTURE.md").read_text(encoding="utf-8")

    assert missing(modules(package), text) == set()


def test_a_module_that_is_not_on_the_map_is_found() -> None:
    """Names in code marks and at the beginning of a line count; a word in a sentence does not."""
    text = "The `state` and `lsm/kernel/plain.py`.\n\n    memtable    the log, replayed\n\nEvery flush is in order.\n"

    assert missing({"state", "kernel", "memtable", "flush"}, text) == {"flush"}
