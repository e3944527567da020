"""The process that is killed: stores check-ins without end, and tells after each transaction how far it has come.

Run as `python -m docs_layer.demo.victim DIRECTORY`. A number is printed only after its transaction was acknowledged as
synced, so whoever reads it may expect the rows after any crash.
"""

import sys
from itertools import count
from pathlib import Path

from docs_layer import open_db
from docs_layer.demo.tables import BATCH_CHECK_INS, TABLES, Airport, CheckIn


def main(directory: Path) -> None:
    """Load until somebody ends this process."""
    with open_db(directory, tables=TABLES) as db:
        airports = [airport.id for airport in db.query(Airport).limit(100)]
        for batch in count():
            first = batch * BATCH_CHECK_INS
            rows = [
                CheckIn(id=key, airport=airports[key % 100], batch=batch)
                for key in range(first, first + BATCH_CHECK_INS)
            ]
            with db.transaction(sync=True) as transaction:
                transaction.insert_many(rows)
            print(batch, flush=True)  # noqa: T201 - the acknowledgement that the parent process reads


if __name__ == "__main__":
    main(Path(sys.argv[1]))
