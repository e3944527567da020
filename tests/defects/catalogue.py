"""All planted defects, and the search for them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import pytest

import lsm
from docs_layer import DatabaseError
from tests.defects import (
    planted_documents,
    planted_logs,
    planted_moments,
    planted_order,
    planted_reads,
    planted_syncs,
    planted_tables,
)
from tests.defects.defect import Defect
from tests.defects.fault_class import FaultClass, Finding, Share
from tests.defects.fault_classes import FAULT_CLASSES

DEFECTS: dict[str, Defect] = {
    defect.name: defect
    for planted in (
        planted_syncs,
        planted_logs,
        planted_tables,
        planted_moments,
        planted_order,
        planted_reads,
        planted_documents,
    )
    for defect in planted.DEFECTS
}
PASSES = (23, 7, 1)
"""A search looks at every 23rd case first, then at every 7th, then at all: most defects show in the first."""


class Search(NamedTuple):
    """What came of a search: the finding (None if there was none), and the seconds it took."""

    finding: str | None
    seconds: float


def search(defect: Defect, fault_class: FaultClass | None = None, *, passes: Sequence[int] = PASSES) -> Search:
    """Plant a defect and try the cases of a fault class (None: the one that finds it) until one goes wrong."""
    begin = time.perf_counter()
    chosen = FAULT_CLASSES[defect.found_by] if fault_class is None else fault_class
    finding = None
    with pytest.MonkeyPatch.context() as patch:
        defect.plant(patch)
        for parts in passes:
            try:
                chosen.run(Share(0, parts))
            except Finding as found:
                finding = str(found)
                break
            except (AssertionError, lsm.Error, DatabaseError) as error:  # the workload itself has met the defect
                finding = f"without any fault: {type(error).__name__}: {error}"
                break
    return Search(finding, time.perf_counter() - begin)
