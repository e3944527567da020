"""The Python sources of the project, parsed once, for the house tests to look at.

A house test is a pure function from a `Source` to the sentences it has to say about it; the test over the tree expects
none, and a second test shows on a small bad sample that the function does speak.
"""

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PACKAGES = ("lsm", "docs_layer")
ROOTS = (*PACKAGES, "bench", "tests")


class Source(NamedTuple):
    """One Python file: its path relative to the root of the project, its text, and its syntax tree."""

    path: str
    text: str
    tree: ast.Module


def parse(text: str, path: str = "lsm/sample.py") -> Source:
    """Make a source from a text, as the samples of the house tests do."""
    return Source(path, text, ast.parse(text, path))


@cache
def _read(path: str) -> Source:
    return parse((ROOT / path).read_text(encoding="utf-8"), path)


def sources(*roots: str) -> Iterator[Source]:
    """Yield every Python file below the given top-level folders, or below all of them, in order of the path."""
    for root in roots or ROOTS:
        for file in sorted((ROOT / root).rglob("*.py")):
            yield _read(file.relative_to(ROOT).as_posix())


def imports(source: Source) -> Iterator[tuple[str, int]]:
    """Yield the dotted name of each imported module with its line, wherever the import stands; `from . import` too."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or ""), node.lineno


def functions(source: Source) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function and method, also nested ones."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def report(findings: Iterable[str]) -> str:
    """Join findings into the text that a failing test shows."""
    return "\n" + "\n".join(findings)
