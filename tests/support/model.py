"""The truth in the plainest form: a dictionary, the statements that change it, and how a scan reads it."""

from lsm.testing import Count, Delete, DeleteRange, Put, State, Statement, after

__all__ = ["Count", "Delete", "DeleteRange", "Put", "State", "Statement", "after", "scanned"]


def scanned(
    state: State,
    start: bytes | None = None,
    stop: bytes | None = None,
    *,
    prefix: bytes | None = None,
    reverse: bool = False,
    limit: int | None = None,
) -> list[tuple[bytes, bytes]]:
    """Return what a scan with these arguments has to give."""
    found = [
        (key, state[key])
        for key in sorted(state, reverse=reverse)
        if (start is None or start <= key) and (stop is None or key < stop) and (not prefix or key.startswith(prefix))
    ]
    return found if limit is None else found[:limit]
