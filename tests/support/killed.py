"""A handle whose process was killed: it is dropped as it is, without closing and without a word."""

from __future__ import annotations

import lsm


def abandon(database: lsm.Database) -> None:
    """Make the handle forget that it was open, so that it neither warns nor does anything more."""
    database._core.close_as(lsm.ClosedError, "its process was killed")
    database._release()
