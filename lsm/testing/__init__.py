"""A crash test kit: a simulated disk that forgets what was not synced, and an explorer that crashes a program on it.

Write a program that promises as it goes, and a check that opens what a crash has left:

    import lsm
    from lsm.testing import Crash, Plan, Recording, explore

    OPTIONS = lsm.Options(maintenance=False)              # no threads, so that every run makes the same calls

    def program(recording: Recording[int]) -> None:
        with lsm.open("/data", OPTIONS, environment=recording.environment) as db:
            for number in range(5):
                with recording.promise(number, durable=True):
                    db.put(b"order %d" % number, b"paid", sync=True)

    def check(crash: Crash[int]) -> list[int]:
        with lsm.open("/data", OPTIONS, environment=crash.environment) as db:
            found = [int(key.split()[1]) for key in db.scan_keys(prefix=b"order ")]
        crash.check_prefix(found)                         # all that was promised, and no holes
        return found                                      # a second recovery must find the same

    explore(program, check, Plan(at="sync*"))             # a crash at every sync; Plan() is one at every call

It works for everything that takes an `environment`, so also for `docs_layer.open_db`. A failure says in one line which
crash it was and how to repeat just that one: `Plan(replay="17:only 2")`. With pytest, the fixture `crash_test` does the
same as `explore` and takes `--crash-replay`; `lsm.testing.strategies` has hypothesis strategies.

From the bottom: `nodes`, `persistence` and `disk` are the model of what is durable; `survival` says what a power loss
may leave and which choices are worth trying; `faults` are rules by which calls fail; `process`, `handles`,
`file_system` and `environment` are the interface that a program sees; `ledger` and `crashes` are the oracle;
`exploration` tries the crashes. For the engine itself: `statements` and `operations` are what a `workload` does, and
`inspection` compares what is left; `failing` does the same while calls fail.
"""

from __future__ import annotations

from lsm.testing.crash_test import CrashTest
from lsm.testing.crashes import Crash, Recording, WrongRecoveryError
from lsm.testing.environment import SimulatedEnvironment
from lsm.testing.exploration import RECOVERY, CrashTestError, Exploration, Failure, Plan, explore
from lsm.testing.failing import FailingWorkload
from lsm.testing.faults import Call, Fault, SimulatedCrash, SyncFailure
from lsm.testing.file_system import SimulatedFileSystem
from lsm.testing.inspection import Inspection, checked_content, unexpected_names
from lsm.testing.ledger import Ledger, Promise
from lsm.testing.operations import (
    Checkpoint,
    Commit,
    Compact,
    Flush,
    Hold,
    Operation,
    Read,
    Reopen,
    example_operations,
)
from lsm.testing.statements import Count, Delete, DeleteRange, Put, State, Statement, after
from lsm.testing.survival import (
    EVERYTHING,
    NOTHING,
    Fate,
    Gap,
    Pending,
    Profile,
    Survival,
    legal,
    random_survivals,
    subsets,
    survivals,
)
from lsm.testing.workload import SMALL_OPTIONS, Workload, abandon, content, state_ledger, write

__all__ = [
    "EVERYTHING",
    "NOTHING",
    "RECOVERY",
    "SMALL_OPTIONS",
    "Call",
    "Checkpoint",
    "Commit",
    "Compact",
    "Count",
    "Crash",
    "CrashTest",
    "CrashTestError",
    "Delete",
    "DeleteRange",
    "Exploration",
    "FailingWorkload",
    "Failure",
    "Fate",
    "Fault",
    "Flush",
    "Gap",
    "Hold",
    "Inspection",
    "Ledger",
    "Operation",
    "Pending",
    "Plan",
    "Profile",
    "Promise",
    "Put",
    "Read",
    "Recording",
    "Reopen",
    "SimulatedCrash",
    "SimulatedEnvironment",
    "SimulatedFileSystem",
    "State",
    "Statement",
    "Survival",
    "SyncFailure",
    "Workload",
    "WrongRecoveryError",
    "abandon",
    "after",
    "checked_content",
    "content",
    "example_operations",
    "explore",
    "legal",
    "random_survivals",
    "state_ledger",
    "subsets",
    "survivals",
    "unexpected_names",
    "write",
]
