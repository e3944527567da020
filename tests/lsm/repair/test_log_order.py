"""Which logs count: links from the newest one back, leftovers passed over, other databases told apart."""

from __future__ import annotations

import pytest

from lsm.repair.log_order import LogPart, log_order
from lsm.repair.survey import LogFacts
from lsm.version import LogReference
from lsm.write_ahead_log.header import LogHeader

OURS, THEIRS = 7, 8


def log(number: int, before: int = 0, *, identity: int | None = None, incarnation: int = OURS) -> LogFacts:
    """Return a log after the one with number `before`, which ends at 100 times its number."""
    own = number * 11 if identity is None else identity
    header = LogHeader(own, incarnation, number, before, before * 11, before * 100)
    return LogFacts(header, (own,))


DAMAGED = LogFacts(None, (22,))
FIRST = LogReference(1, 11)
MISSING = "it is missing"
ANOTHER = "it is another log than the one that belongs here"
FOREIGN = "it is not a log of this database"


@pytest.mark.parametrize(
    ("logs", "wanted"),
    [
        ({1: log(1)}, [(1, None, "")]),
        ({1: log(1), 2: log(2, 1), 3: log(3, 2)}, [(1, 100, ""), (2, 200, ""), (3, None, "")]),
        # An interrupted rotation: two logs after 1, the higher number counts.
        ({1: log(1), 2: log(2, 1), 3: log(3, 1)}, [(1, 100, ""), (3, None, "")]),
        ({1: log(1), 2: DAMAGED, 3: log(3, 2)}, [(1, None, ""), (2, 200, ""), (3, None, "")]),
        ({1: log(1), 2: DAMAGED}, [(1, None, ""), (2, None, "")]),
        ({1: log(1), 3: log(3, 2)}, [(1, None, ""), (2, 200, MISSING), (3, None, "")]),
        ({2: log(2, 1)}, [(1, None, MISSING), (2, None, "")]),
        ({}, [(1, None, MISSING)]),
        ({1: log(1, identity=99)}, [(1, None, FOREIGN)]),
        ({1: log(1), 2: log(2, 1, identity=99), 3: log(3, 2)}, [(1, None, ""), (2, 200, ANOTHER), (3, None, "")]),
        ({1: log(1), 2: log(2, 6, incarnation=THEIRS)}, [(1, None, ""), (2, None, FOREIGN)]),
        ({1: log(1), 2: log(2, incarnation=THEIRS)}, [(1, None, ""), (2, None, FOREIGN)]),
        # A header that names a log after its own as the one before it: there is no way in circles.
        ({1: log(1), 2: log(2, 3), 3: log(3, 2)}, [(1, None, ""), (2, 200, ""), (3, None, "")]),
        ({1: log(1), 2: LogFacts(None, ())}, [(1, None, ""), (2, None, FOREIGN)]),
    ],
)
def test_order(logs: dict[int, LogFacts], wanted: list[tuple[int, int | None, str]]) -> None:
    """Oldest first, each with its end and its problem."""
    assert log_order(logs, 1, FIRST, OURS) == [LogPart(*part) for part in wanted]


def test_logs_that_are_in_the_tables_do_not_count() -> None:
    """Neither by number, nor as a predecessor."""
    logs = {1: log(1), 2: log(2, 1), 3: log(3, 2)}

    assert log_order(logs, 3, LogReference(3, 33), OURS) == [LogPart(3, None, "")]
    assert log_order(logs, 2, None, OURS) == [LogPart(2, 200, ""), LogPart(3, None, "")]


def test_without_a_manifest() -> None:
    """The first log that is there begins; that the one before it is gone is no news."""
    logs = {5: log(5, 4), 6: log(6, 5)}

    assert log_order(logs, 0, None, OURS) == [LogPart(5, 500, ""), LogPart(6, None, "")]
    assert log_order({5: log(5, 4, incarnation=THEIRS)}, 0, None, 0) == [LogPart(5, None, "")]
