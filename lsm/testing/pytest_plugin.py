"""The pytest plugin: fixtures for crash tests, and the options that repeat one crash.

pytest finds it by its entry point, wherever the package is installed. The kit itself is only loaded by a test that asks
for a fixture.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lsm.testing import CrashTest, SimulatedEnvironment, SimulatedFileSystem


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--crash-replay` and `--crash-seed`."""
    group = parser.getgroup("crash tests")
    group.addoption("--crash-replay", default="", metavar="ADDRESS", help="try only the crash with this address")
    group.addoption("--crash-seed", default=None, type=int, metavar="SEED", help="the seed of all crash tests")


@pytest.fixture
def simulated_filesystem() -> SimulatedFileSystem:
    """Give a simulated process on a new empty disk."""
    from lsm.testing import SimulatedFileSystem  # noqa: PLC0415 - most runs of pytest need nothing of the kit

    return SimulatedFileSystem()


@pytest.fixture
def simulated_environment(simulated_filesystem: SimulatedFileSystem) -> SimulatedEnvironment:
    """Give the environment of that process, for `lsm.open` and `docs_layer.open_db`."""
    from lsm.testing import SimulatedEnvironment  # noqa: PLC0415 - most runs of pytest need nothing of the kit

    return SimulatedEnvironment(simulated_filesystem)


@pytest.fixture
def crash_test(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> CrashTest:
    """Give `lsm.testing.explore`, which takes a program, a check and a plan; see `lsm.testing`."""
    from lsm.testing import CrashTest  # noqa: PLC0415 - most runs of pytest need nothing of the kit

    return CrashTest(
        request.config.getoption("--crash-replay"),
        request.config.getoption("--crash-seed"),
        f"pytest '{request.node.nodeid}'",
        record_property,
    )
