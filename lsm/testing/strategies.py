"""Strategies of hypothesis: operations of a workload, faults, and what survives a power loss.

    from hypothesis import given, strategies as st
    from lsm.testing import Inspection, Workload, explore, state_ledger
    from lsm.testing.strategies import operations

    @given(st.lists(operations(), max_size=20))
    def test_any_workload_survives_crashes(steps):
        explore(lambda recording: Workload(recording).run(steps), Inspection(), ledger=state_ledger())

Everything shrinks to the plainest: no fault, nothing kept, a plain put. Needs `hypothesis`.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import get_args

from hypothesis import strategies as st

from lsm.testing.faults import Fault, SyncFailure
from lsm.testing.operations import Checkpoint, Commit, Compact, Flush, Hold, Operation, Read, Reopen
from lsm.testing.statements import Delete, DeleteRange, Put, Statement
from lsm.testing.survival import (
    BLOCK_BYTES,
    KEPT,
    LOST,
    SECTOR_BYTES,
    Fate,
    Gap,
    Pending,
    Profile,
    Survival,
    legal,
    survivals,
)

_MOST_SECTORS = 16


def keys() -> st.SearchStrategy[bytes]:
    """Draw keys that meet often, and some at the edges of their order."""
    usual = st.sampled_from([b"k%02d" % number for number in range(24)])
    odd = st.sampled_from([b"", b"\x00", b"\xff" * 8, b"\xff" * 8 + b"\x00"])
    return usual | usual | odd | st.binary(max_size=3)


def values() -> st.SearchStrategy[bytes]:
    """Draw values of a few bytes, of some sectors, and of more than a block."""
    return st.binary(max_size=6) | st.sampled_from([b"v" * 100, b"w" * 1300, b"x" * 5000])


def statements() -> st.SearchStrategy[Statement]:
    """Draw puts, deletions and deletions of ranges."""
    put = st.builds(Put, keys(), values())
    return put | put | st.builds(Delete, keys()) | st.builds(DeleteRange, keys(), keys())


def commits(*, most_statements: int = 6) -> st.SearchStrategy[Commit]:
    """Draw commits in every way of writing, some with sync."""
    plain = st.builds(lambda one, sync: Commit("plain", (one,), sync), statements(), st.booleans())
    several = st.lists(statements(), max_size=most_statements).map(tuple)
    together = st.builds(Commit, st.sampled_from(["batch", "transaction"]), several, st.booleans())
    return plain | together


def operations(*, checkpoint: str | None = None) -> st.SearchStrategy[Operation]:
    """Draw operations of a workload; with a path also checkpoints there."""
    bounds = st.none() | keys()
    others: list[st.SearchStrategy[Operation]] = [
        st.just(Flush()),
        st.builds(Compact, bounds, bounds),
        st.just(Reopen()),
        st.just(Read()),
        st.just(Hold()),
    ]
    if checkpoint is not None:
        others.append(st.just(Checkpoint(checkpoint)))
    return commits() | commits() | st.one_of(others)


def faults(*, most_skipped: int = 60) -> st.SearchStrategy[Fault]:
    """Draw rules by which some calls fail or are slow or short; syncs fail in each of the known ways."""
    skip = st.integers(0, most_skipped)
    times = st.sampled_from([1, 3, None])
    error = st.sampled_from([errno.EIO, errno.ENOSPC, errno.EMFILE])
    ways = st.sampled_from(get_args(SyncFailure))
    return st.one_of(
        st.builds(lambda s, t, e: Fault(skip=s, times=t, error=e), skip, times, error),
        st.builds(lambda s, t, way: Fault(operation="sync", skip=s, times=t, sync_failure=way), skip, times, ways),
        st.builds(lambda s, t, size: Fault(skip=s, times=t, short_bytes=size), skip, times, st.integers(1, 100)),
        st.builds(lambda s, t, delay: Fault(skip=s, times=t, delay_seconds=delay), skip, times, st.floats(0.001, 60)),
        st.builds(
            lambda p, seed: Fault(times=None, probability=p, seed=seed), st.floats(0.01, 0.2), st.integers(0, 99)
        ),
    )


def survival(pending: Sequence[Pending], *, profile: Profile = "strict") -> st.SearchStrategy[Survival]:
    """Draw what survives a power loss of these unsynced changes: a canonical choice, or any fates at all."""
    canonical = st.sampled_from(list(survivals(pending, profile=profile)))
    if not pending:
        return canonical
    drawn = st.tuples(*map(_fates, pending)).map(lambda fates: Survival("drawn", LOST, dict(enumerate(fates))))
    return canonical | drawn.map(lambda choice: legal(choice, pending, profile))


def _fates(change: Pending) -> st.SearchStrategy[Fate]:
    whole = st.sampled_from([LOST, KEPT])
    if change.kind != "content" or change.bytes < 2:
        return whole
    gaps: st.SearchStrategy[Gap] = st.sampled_from(get_args(Gap))
    cut = st.builds(Fate, st.integers(0, change.bytes - 1), gaps)
    sectors = st.frozensets(st.integers(0, min(-(-change.bytes // SECTOR_BYTES), _MOST_SECTORS)))
    torn = st.builds(Fate, st.just(0), gaps, sectors, st.sampled_from([SECTOR_BYTES, BLOCK_BYTES]))
    return whole | cut | torn
