"""Each file-system call of a workload fails, once or until the cause goes away: nothing acknowledged is ever lost."""

import errno
from collections import Counter
from collections.abc import Callable

import pytest

from lsm.testing import FailingWorkload, Fault, example_operations
from tests.support.soak import SOAK

OPERATIONS = example_operations(7, rounds=1, writes=4)
STRIDE = 1 if SOAK else 5


def _tried(error: int, times: int | None, *, short_bytes: int | None = None, first: int = 0) -> Counter[str]:
    """Let call after call fail, from the `first` on, until the workload ends before the fault is met."""
    counts: Counter[str] = Counter()
    skip = first
    while True:
        fault = Fault(skip=skip, times=times, error=error, short_bytes=short_bytes)
        workload = FailingWorkload(fault)
        try:
            workload.run(OPERATIONS)
        except Exception as wrong:
            raise AssertionError(f"call {skip} failed with errno {error}, {times} times: {wrong!r}") from wrong
        counts.update(workload.counts)
        if fault.hits == 0:
            return counts
        counts["calls that failed"] += 1
        skip += STRIDE


@pytest.mark.crash
@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize("times", [1, None], ids=["once", "for a while"])
def test_a_failed_call_loses_nothing(
    error: int, times: int | None, record_property: Callable[[str, object], None]
) -> None:
    """Every failure is a typed error; the handle and every disk that a crash could leave keep what was promised."""
    counts = _tried(error, times, first=(error + (times is None)) % STRIDE)

    for name, count in counts.items():
        record_property(name, count)
    assert counts["calls that failed"] > 30
    assert counts["stopped by a failed sync"] > 0


@pytest.mark.crash
def test_short_writes_are_continued(record_property: Callable[[str, object], None]) -> None:
    """A write that takes only some bytes is no error at all."""
    counts = _tried(errno.EIO, 1, short_bytes=3)

    for name, count in counts.items():
        record_property(name, count)
    assert {name for name in counts if name.endswith("Error")} == set()
