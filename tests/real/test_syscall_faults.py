"""System calls of an unmodified process fail or kill it: what the engine is told by the kernel arrives."""

from pathlib import Path

import pytest

from tests.real.syscall_faults import Fault, attempt, unavailable

FAULTS = [
    (Fault("fdatasync", "error=EIO"), 7, {"poisoned", "went on"}),
    (Fault("pwrite64", "error=ENOSPC"), 30, {"went on"}),
    (Fault("renameat", "signal=KILL"), 3, {"killed"}),
]


@pytest.mark.crash
@pytest.mark.parametrize(("fault", "number", "ends"), FAULTS)
def test_a_failing_call_loses_nothing(fault: Fault, number: int, ends: set[str], tmp_path: Path) -> None:
    """One call of each of these kinds; the soak fails every call. What a victim has left is compared in `attempt`."""
    reason = unavailable()
    if reason:
        pytest.skip(f"system calls that fail: {reason}")

    assert attempt(tmp_path / "data", fault, number) in ends
