"""Faults of order and of reads: random histories, of which every read is compared with a dictionary."""

from __future__ import annotations

from tests.defects.fault_class import Share
from tests.lsm.compaction_histories import run_history
from tests.metamorphic.operations import operations
from tests.metamorphic.running import compare
from tests.metamorphic.settings import settings

HISTORIES = 60
SEEDS, WAYS, OPERATIONS = 4, 6, 250


def histories(share: Share) -> int:
    """Random histories of one tree of tables, with every plan that the rules allow."""
    for seed in range(HISTORIES):
        if share.takes():
            with share.case(f"history {seed} of flushes and compactions"):
                run_history(seed, checked=False)
    return share.cases


def option_sets(share: Share) -> int:
    """Random operations under many options, with every kernel, on every file system."""
    for seed in range(SEEDS):
        for setting in settings(seed, WAYS):
            if share.takes():
                with share.case(f"operations of seed {seed} with {setting.name}"):
                    difference = compare(operations(seed, OPERATIONS), setting)
                    assert difference is None, f"{difference.operation}: {difference.found!r}"[:300]
    return share.cases
