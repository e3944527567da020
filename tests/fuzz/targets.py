"""All fuzz targets by name, and the corpus of each."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.fuzz.directory_target import DIRECTORY_TARGETS
from tests.fuzz.document_targets import DOCUMENT_TARGETS
from tests.fuzz.engine_targets import ENGINE_TARGETS
from tests.fuzz.table_targets import TABLE_TARGETS
from tests.fuzz.target import Target

CORPUS: Final = Path(__file__).parent / "corpus"
TARGETS: Final = {
    target.name: target for target in (*ENGINE_TARGETS, *TABLE_TARGETS, *DOCUMENT_TARGETS, *DIRECTORY_TARGETS)
}


def corpus(target: Target) -> list[Path]:
    """Return the files of a target's corpus, in the order of their names."""
    return sorted((CORPUS / target.name).glob("*"))


def inputs(target: Target) -> list[bytes]:
    """Return the seeds of a target and what its corpus holds."""
    return [*target.seeds(), *(path.read_bytes() for path in corpus(target))]
