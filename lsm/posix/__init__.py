"""The real outside world, for Linux: the only package of the engine that talks to the operating system.

`files` owns descriptors, `shared_memory` mappings, `fork` the process-wide fork hook, `environment` clock, randomness,
threads and locks. Nothing here knows what a database is. All objects may be used by any number of threads.
"""

from __future__ import annotations

from lsm.posix.environment import PosixEnvironment
from lsm.posix.files import PosixFileSystem

__all__ = ["PosixEnvironment", "PosixFileSystem"]
