"""Settings that all tests share: the profiles of the random tests, and the totals printed at the end.

Two profiles exist. `ci` is the default: derandomized, so that a run is repeatable and a failure is a failure of the
change at hand. `soak`, chosen by the environment variable `LAYERDB_SOAK`, draws fresh examples and many of them.
"""

import os

from hypothesis import HealthCheck, settings

from tests.support.totals import pytest_terminal_summary

__all__ = ["pytest_terminal_summary"]

settings.register_profile(
    "ci",
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "soak",
    deadline=None,
    max_examples=2_000,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("soak" if os.environ.get("LAYERDB_SOAK") else "ci")
