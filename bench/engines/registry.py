"""The compared engines by name; a library is imported only where it is opened, so no process pays for another's."""

import importlib
from pathlib import Path

from bench.engines.interface import Durability, Engine

ENGINES: tuple[str, ...] = ("layerdb", "leveldb", "sqlite")
"""In the order of the report; the first one is compared with the others."""


def open_engine(name: str, directory: Path, durability: Durability) -> Engine:
    """Open or make the database of an engine in a directory."""
    module = importlib.import_module(f"bench.engines.{name}")
    engine: Engine = getattr(module, f"open_{name}")(directory, durability)
    return engine
