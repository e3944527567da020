"""For tests of programs: everything in a database as plain values, after rows, entries and references were compared.

Meant for the check of a crash test (`lsm.testing` of the engine): `checked_rows` is what one recovery shows and every
other one must show, too.
"""

from __future__ import annotations

from docs_layer.database import Database
from docs_layer.tables import Table


def checked_rows(db: Database) -> dict[str, list[Table]]:
    """Return the rows of all stored tables in order of their keys, by name of the table.

    Raises:
        CorruptionError: A row has no index entry, an entry no row, or a reference leads nowhere; the first of them.

    Not for a database opened with `strict=True`, which refuses to read whole tables.
    Cost: every row and entry is read twice; all rows are in memory at the end.
    """
    report = db.verify()
    if not report.is_sound:
        raise report.damage[0]
    return {name: list(db.query(db.table_class(name))) for name in db.table_names()}
