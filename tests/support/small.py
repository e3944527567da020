"""Options so small that a few dozen entries reach every level, and a handle that changes nothing by itself."""

from lsm.testing import SMALL_OPTIONS as SMALL

__all__ = ["SMALL"]
