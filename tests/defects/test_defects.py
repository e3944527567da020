"""Each planted defect is found, and no class of fault finds one where none is planted."""

import os
from collections.abc import Callable

import pytest

from tests.defects.catalogue import DEFECTS, search
from tests.defects.fault_class import Share
from tests.defects.fault_classes import FAULT_CLASSES

SOAK = bool(os.environ.get("LAYERDB_SOAK"))
PARTS = 3 if SOAK else 97
"""Of so many cases one is tried on the engine as it is."""
TRIED = [name for name, defect in DEFECTS.items() if SOAK or not defect.slow]


@pytest.mark.crash
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", TRIED)
def test_planted_defects(name: str, record_property: Callable[[str, object], None]) -> None:
    """The class of fault that is named for a defect finds it."""
    result = search(DEFECTS[name])

    record_property("defects", 1)
    assert result.finding is not None


@pytest.mark.crash
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FAULT_CLASSES)
def test_classes_of_faults(name: str, record_property: Callable[[str, object], None]) -> None:
    """Nothing goes wrong with the engine as it is."""
    share = Share(0, PARTS)
    FAULT_CLASSES[name].run(share)

    record_property("cases", share.cases)
    assert share.cases > 0


def test_every_class_has_a_defect() -> None:
    """Each class of fault is the one that finds some defect, and the classes named by defects exist."""
    assert {defect.found_by for defect in DEFECTS.values()} == set(FAULT_CLASSES)
