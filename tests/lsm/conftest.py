"""What the tests of the engine share: a simulated machine whose handles are closed in the end."""

from collections.abc import Iterator

import pytest

from tests.support.worlds import World


@pytest.fixture
def world() -> Iterator[World]:
    """Give a process on an empty simulated disk; close what it and its successors have opened."""
    made = World()
    yield made
    made.close()
