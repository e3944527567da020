"""Which logs of a damaged directory count, and in which order. Pure functions over a survey.

From the newest one back: each header names the log before it, and where that ends. So what an interrupted rotation or
recovery left between two logs of the chain is passed over. A log whose header is damaged follows the one with the next
lower number. A log of another database names no log that is there as the one before it, and has an incarnation that
nothing else in the directory knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from lsm.repair.survey import LogFacts
from lsm.version import LogReference


class LogPart(NamedTuple):
    """A log that counts, up to `limit` (bytes; None: its whole length), as its successor says.

    problem: why nothing can be read of it; empty when it is there.
    """

    number: int
    limit: int | None
    problem: str


def log_order(logs: Mapping[int, LogFacts], oldest: int, first: LogReference | None, incarnation: int) -> list[LogPart]:
    """Return the logs that count, oldest first.

    oldest: logs with lower numbers do not count. first: the log that the manifest names, if it is known. incarnation:
    that of SHARED. A log that is named, but missing or another one, is in the list as well, with the problem.
    """
    known = [number for number in sorted(logs, reverse=True) if number >= oldest]
    found: list[LogPart] = []
    for number in known:
        if _is_ours(number, logs, first, incarnation):
            found += _chain(number, logs, known, oldest)
            break
        found.append(LogPart(number, None, "it is not a log of this database"))
    if first is not None and all(part.number != first.number for part in found):
        found.append(LogPart(first.number, None, _problem(first.number, first.identity, logs)))
    return found[::-1]


def _chain(newest: int, logs: Mapping[int, LogFacts], known: list[int], oldest: int) -> list[LogPart]:
    """Return the logs from `newest` back; one that is missing counts only where an older one is there."""
    found: list[LogPart] = []
    number, identity, limit = newest, None, None
    while number >= max(oldest, 1) and (number in logs or number > known[-1]):
        problem = _problem(number, identity, logs)
        found.append(LogPart(number, limit, problem))
        header = None if problem else logs[number].header
        if header is None or header.predecessor_number >= number:
            number, identity, limit = next((lower for lower in known if lower < number), 0), None, None
        else:
            number, identity, limit = header.predecessor_number, header.predecessor_identity, header.predecessor_end
    return found


def _problem(number: int, identity: int | None, logs: Mapping[int, LogFacts]) -> str:
    """Say why a log cannot be read, or is another one than that with this identity (None: any)."""
    if number not in logs:
        return "it is missing"
    if identity is not None and identity not in logs[number].identities:
        return "it is another log than the one that belongs here"
    return ""


def _is_ours(number: int, logs: Mapping[int, LogFacts], first: LogReference | None, incarnation: int) -> bool:
    """Tell whether a log may be the newest of this database."""
    header = logs[number].header
    if header is None:
        return bool(logs[number].identities)
    if first is not None and first.number == number:
        return first.identity == header.identity
    before = logs.get(header.predecessor_number)
    if before is not None and header.predecessor_identity in before.identities:
        return True
    others = {facts.header.incarnation for other, facts in logs.items() if facts.header is not None and other != number}
    return header.incarnation in others | {incarnation} or len(logs) == 1
