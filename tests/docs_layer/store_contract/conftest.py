"""The implementations under test."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

import lsm
from docs_layer.embedded_store import EmbeddedStore
from docs_layer.memory_store import MemoryStore
from docs_layer.store import Store
from lsm.testing import SimulatedEnvironment


class ForgottenDirectory(EmbeddedStore):
    """An embedded store on a file system in memory; closing it closes the engine."""

    def __init__(self) -> None:
        super().__init__(lsm.open("/database", environment=SimulatedEnvironment()))

    def close(self) -> None:
        """Close both."""
        super().close()
        self.engine.close()


IMPLEMENTATIONS: dict[str, Callable[[], Store]] = {"embedded": ForgottenDirectory, "memory": MemoryStore}


@pytest.fixture(params=sorted(IMPLEMENTATIONS))
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """Give an empty store of each implementation, and close it."""
    store = IMPLEMENTATIONS[request.param]()
    yield store
    store.close()
