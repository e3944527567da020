"""Opening when the process has as many descriptors as it may: the soft limit is raised, as far as the hard one lets it.

The soft limit of a process, often 1,024, is there for programs that still use `select`; whoever has so many tables open
needs more. It is raised only when an opening has failed, and doubled, so a program that has enough keeps its limit.
"""

from __future__ import annotations

import errno
import os
import resource


def open_descriptor(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
    """Do `os.open`; when there are too many open files, raise the limit and try again. Raises `OSError`."""
    while True:
        try:
            return os.open(path, flags, mode, dir_fd=dir_fd)
        except OSError as error:
            if error.errno != errno.EMFILE or not _raise_soft_limit():
                raise


def _raise_soft_limit() -> bool:
    """Double the soft limit of open files; tell whether there was room for it below the hard limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * soft if hard == resource.RLIM_INFINITY else min(2 * soft, hard)
    if soft == resource.RLIM_INFINITY or wanted <= soft:
        return False
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        return False
    return True
