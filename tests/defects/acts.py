"""What is interrupted, or meets something else: short programs, and what their database holds before and after."""

from __future__ import annotations

import lsm
from lsm.testing import SMALL_OPTIONS, SimulatedEnvironment, State

OLD: State = {b"a": b"old", b"b": b"old", b"c": b"old"}
NEW: State = {b"a": b"new", b"b": b"new", b"c": b"old"}
PATH = "/data"
MOST_PLACES = 5000
"""More than any operation has."""


def write_batch(database: lsm.Database) -> None:
    """Change two keys at once."""
    batch = lsm.WriteBatch()
    for key in (b"a", b"b"):
        batch.put(key, b"new")
    database.write(batch)


def write_batch_synced(database: lsm.Database) -> None:
    """Change two keys at once, on the disk."""
    batch = lsm.WriteBatch()
    for key in (b"a", b"b"):
        batch.put(key, b"new")
    database.write(batch, sync=True)


def transact(database: lsm.Database) -> None:
    """Change two keys in a transaction that has read them."""
    transaction = database.transaction()
    for key in (b"a", b"b"):
        transaction.get(key)
        transaction.put(key, b"new")
    transaction.commit()


def rotate(database: lsm.Database) -> None:
    """Change two keys by a batch that does not fit in the memtable any more."""
    batch = lsm.WriteBatch()
    for key in (b"a", b"b"):
        batch.put(key, b"new")
    batch.put(b"filler", b"f" * 5000)
    batch.delete(b"filler")
    database.write(batch)


def flush(database: lsm.Database) -> None:
    """Write the memtables into a table."""
    database.flush()


def compact(database: lsm.Database) -> None:
    """Bring everything into the last level."""
    database.compact()


def checkpoint(database: lsm.Database) -> None:
    """Make a checkpoint."""
    database.checkpoint("/copy")


def change_and_flush(database: lsm.Database) -> None:
    """Change both keys, and write the memtables into a table."""
    write_batch(database)
    database.flush()


def change_and_compact(database: lsm.Database) -> None:
    """Change both keys, and compact."""
    write_batch(database)
    database.compact()


def open_database(environment: SimulatedEnvironment) -> lsm.Database:
    """Return a database with a table, a filled memtable, and one key that nobody changes."""
    database = lsm.open(PATH, SMALL_OPTIONS, environment=environment)
    for key in OLD:
        database.put(key, b"older")
    database.flush()
    for key, value in OLD.items():
        database.put(key, value)
    database.sync()
    return database
