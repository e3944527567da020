"""Every module opens with what it owns."""

import ast

from tests.house.sources import Source, parse, report, sources

SHORTEST = 20


def undocumented(source: Source) -> list[str]:
    """Say so when the module has no docstring, or one that cannot say anything."""
    docstring = ast.get_docstring(source.tree)
    if docstring is None:
        return [f"{source.path}: open the module with a docstring that says what it owns"]
    if len(docstring) < SHORTEST:
        return [f"{source.path}: the module's docstring is too short to say what it owns"]
    return []


def test_every_module_says_what_it_owns() -> None:
    """Packages, tests and benchmarks alike open with a docstring."""
    findings = [finding for source in sources() for finding in undocumented(source)]

    assert not findings, report(findings)


def test_a_module_without_a_docstring_is_found() -> None:
    """The check speaks about a missing and about an empty phrase, and is silent about a sentence."""
    assert undocumented(parse("import ast\n"))
    assert undocumented(parse('"""Tests."""\n'))
    assert not undocumented(parse('"""Frames of the write-ahead log."""\n'))
