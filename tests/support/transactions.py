"""Helpers for the tests of transactions."""

from __future__ import annotations

from collections.abc import Callable

import lsm
from tests.support.worlds import World

Act = Callable[[lsm.Transaction], object]


def ten_keys(world: World) -> lsm.Database:
    """Return a database with ten keys, half of them in a table."""
    made = world.open()
    for number in range(10):
        made.put(b"k%d" % number, b"%d" % number)
        if number == 4:
            made.flush()
    return made


def conflicts(database: lsm.Database, read: Act, change: Callable[[], object]) -> bool:
    """Tell whether a transaction that reads and writes elsewhere is refused after a change by somebody else."""
    database.delete(b"mine")
    transaction = database.transaction()
    read(transaction)
    transaction.put(b"mine", b"1")
    change()
    try:
        transaction.commit()
    except lsm.ConflictError:
        assert database.get(b"mine") is None
        return True
    return False
