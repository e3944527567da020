"""The examples that a user would paste are run as they stand."""

import re
from textwrap import dedent
from typing import Any

import lsm.testing
import lsm.testing.strategies
from lsm.testing import CrashTest
from tests.house.sources import ROOT


def _blocks(docstring: str | None) -> list[str]:
    """Return the indented blocks of a docstring."""
    return [
        dedent(found) for found in re.findall(r"(?:^(?:    .*)?\n)+", docstring or "", re.MULTILINE) if found.strip()
    ]


def test_the_example_of_the_kit() -> None:
    """The block in the docstring of `lsm.testing` passes, and explores something."""
    (example,) = _blocks(lsm.testing.__doc__)
    names: dict[str, Any] = {}

    exec(example, names)  # noqa: S102

    assert lsm.testing.explore(names["program"], names["check"])["crash points"] > 50


def test_the_example_of_the_strategies() -> None:
    """The test in the docstring of the strategies passes."""
    (example,) = _blocks(lsm.testing.strategies.__doc__)
    names: dict[str, Any] = {}
    from hypothesis import settings  # noqa: PLC0415

    exec(example, names)  # noqa: S102
    with_few = settings(max_examples=2)(names["test_any_workload_survives_crashes"])

    with_few()


def test_the_example_of_the_readme() -> None:
    """The tests in the section for users pass."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition("## Test your own program's crash safety")[2].partition("\n## ")[0]
    names: dict[str, Any] = {}
    for example in re.findall(r"```python\n(.*?)```", section, re.DOTALL):
        exec(example, names)  # noqa: S102

    tests = [value for name, value in names.items() if name.startswith("test_")]

    assert len(tests) >= 2
    for test in tests:
        test(CrashTest())
