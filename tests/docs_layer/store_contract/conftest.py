"""The implementations under test."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from docs_layer.memory_store import MemoryStore
from docs_layer.store import Store

IMPLEMENTATIONS: dict[str, Callable[[], Store]] = {"memory": MemoryStore}


@pytest.fixture(params=sorted(IMPLEMENTATIONS))
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """Give an empty store of each implementation, and close it."""
    store = IMPLEMENTATIONS[request.param]()
    yield store
    store.close()
