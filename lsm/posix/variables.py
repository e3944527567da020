"""The environment variables of the process that the engine looks at."""

from __future__ import annotations

import os


def requested_kernel() -> str | None:
    """Return the name of the kernel that `LAYERDB_KERNEL` asks for, or None when it is not set."""
    return os.environ.get("LAYERDB_KERNEL") or None
