"""Faults: an exception between any two steps of an operation."""

from __future__ import annotations

import sys
from collections.abc import Callable

import lsm
from lsm.testing import SimulatedEnvironment, SimulatedFileSystem, WrongRecoveryError, abandon, checked_content
from tests.defects.acts import (
    MOST_PLACES,
    NEW,
    OLD,
    compact,
    flush,
    open_database,
    rotate,
    transact,
    write_batch,
    write_batch_synced,
)
from tests.defects.fault_class import Share
from tests.defects.remains import reopened
from tests.support.interruptions import Interrupter, Interruption

Act = Callable[[lsm.Database], object]


def interruptions(share: Share) -> int:
    """Ctrl-C between any two steps: the change is there or not, as a whole, now and after a crash."""
    for act in (write_batch, write_batch_synced, transact, rotate, flush, compact):
        for number in range(1, MOST_PLACES):
            if share.takes():
                with share.case(f"{act.__name__} is interrupted at place {number}"):
                    if not _interrupted(act, number):
                        break
    return share.cases


def _interrupted(act: Act, number: int) -> bool:
    """Interrupt at a place; tell whether there was such a place."""
    filesystem = SimulatedFileSystem()
    database = open_database(SimulatedEnvironment(filesystem))
    interrupter = Interrupter(number)
    try:
        sys.setprofile(interrupter)
        act(database)
    except Interruption:
        pass
    finally:
        sys.setprofile(None)
    try:
        _check_after_interruption(database, filesystem, act)
    finally:
        abandon(database)
    return interrupter.count >= number


def _check_after_interruption(database: lsm.Database, filesystem: SimulatedFileSystem, act: Act) -> None:
    allowed = [OLD] if act in {flush, compact} else [OLD, NEW]
    shown = checked_content(database)
    database.put(b"next", b"1", sync=True)
    found = checked_content(database)
    wanted = [{**state, b"next": b"1"} for state in allowed]
    if found not in wanted or (shown == NEW and found != {**NEW, b"next": b"1"}):
        raise WrongRecoveryError(f"after the interruption it shows {found}, right after it {shown}")
    database.compact()
    for survivor in (filesystem.after_kill(), filesystem.after_power_loss()):
        other = reopened(survivor)
        if checked_content(other) != found:
            raise WrongRecoveryError(f"{found} became {checked_content(other)} by a crash")
        abandon(other)
