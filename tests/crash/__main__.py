"""Runs the tests that crash, damage and fail a database, and prints what was tried: `python -m tests.crash`.

Arguments go to pytest, as `-n 2`. With the environment variable `LAYERDB_SOAK` set, far more is tried.
"""

import sys

import pytest

if __name__ == "__main__":
    sys.exit(pytest.main(["-q", "-m", "crash or model", *sys.argv[1:]]))
