"""Crash tests with real processes on a real file system; the command `layerdb crashtest` runs them.

Child processes do a mixed workload and are killed or stopped at random instants. What they were told goes through a
pipe to the parent, which opens the database after each end and compares:

    report = Trial(directory, Settings(seed=1, seconds=60)).run()
    assert not report.failure

`plan` is what the processes do, `writer` does it, `messages` is what they say, `history` what was promised to them,
`inspection` looks at what is left, `trial` is the plot, `evidence` what a failure leaves.
"""

from __future__ import annotations

from lsm.testing.crashtest.evidence import Failure, replay
from lsm.testing.crashtest.history import BrokenPromiseError
from lsm.testing.crashtest.report import Report
from lsm.testing.crashtest.trial import MOST_PROCESSES, Settings, Trial

__all__ = ["MOST_PROCESSES", "BrokenPromiseError", "Failure", "Report", "Settings", "Trial", "replay"]
