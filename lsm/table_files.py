"""New table files: number, identity and an open file, which is locked while it is being written.

The lock tells whoever removes unnamed files that this one still has a writer; it goes with the descriptor.
"""

from __future__ import annotations

from typing import NamedTuple

from lsm.core import Core
from lsm.environment import File
from lsm.filenames import table_name


class NewTable(NamedTuple):
    """A table file that was just made."""

    number: int
    identity: int
    file: File


def create_table_file(core: Core) -> NewTable:
    """Make an empty table file with a number that was never used. Raises `StorageError`."""
    number = core.allocate_file_number()
    identity = int.from_bytes(core.environment.random_bytes(16), "little")
    file = core.directory.open(table_name(number), "create")
    file.try_lock(exclusive=True)
    return NewTable(number, identity, file)
