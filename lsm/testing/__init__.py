"""A test kit: a simulated disk that forgets what was not synced, tears writes, loses names and fails calls.

Give `lsm.open` a `SimulatedEnvironment`, run a program on it, cut the power at any call, and open what is left:

    filesystem = SimulatedFileSystem()
    database = lsm.open("/data", environment=SimulatedEnvironment(filesystem))
    database.put(b"key", b"value", sync=True)
    survivor = filesystem.after_power_loss()
    assert lsm.open("/data", environment=SimulatedEnvironment(survivor))[b"key"] == b"value"

`disk` is the model of what is durable, `survival` picks what a power loss leaves, `faults` names what fails, `process`
counts and refuses calls, `handles` and `file_system` are the interface that the engine sees.
"""

from __future__ import annotations

from lsm.testing.environment import SimulatedEnvironment
from lsm.testing.faults import Call, Fault, SimulatedCrash
from lsm.testing.file_system import SimulatedFileSystem
from lsm.testing.survival import EVERYTHING, NOTHING, Fate, Pending, Survival, subsets, survivals

__all__ = [
    "EVERYTHING",
    "NOTHING",
    "Call",
    "Fate",
    "Fault",
    "Pending",
    "SimulatedCrash",
    "SimulatedEnvironment",
    "SimulatedFileSystem",
    "Survival",
    "subsets",
    "survivals",
]
