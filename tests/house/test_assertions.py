"""An assertion states our own invariant; arguments and file contents are refused by typed errors.

Python drops assertions under `-O`, so one that looks at an argument is a check that a caller can lose. The test takes
the sharp line: in the packages no `assert` mentions a parameter of the function it stands in.
"""

import ast

from tests.house.sources import PACKAGES, Source, functions, parse, report, sources


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    return {argument.arg for argument in every if argument is not None} - {"self", "cls"}


def assertions_on_input(source: Source) -> list[str]:
    """Say where an `assert` mentions a parameter."""
    found = []
    for function in functions(source):
        parameters = _parameters(function)
        for node in ast.walk(function):
            if isinstance(node, ast.Assert):
                names = {part.id for part in ast.walk(node.test) if isinstance(part, ast.Name)} & parameters
                found += [f"{source.path}:{node.lineno}: raise a typed error about {name}" for name in sorted(names)]
    return found


def test_no_assertion_guards_input() -> None:
    """Under `python -O` every check of the packages is still there."""
    findings = [finding for source in sources(*PACKAGES) for finding in assertions_on_input(source)]

    assert not findings, report(findings)


def test_an_assertion_on_a_parameter_is_found() -> None:
    """Parameters of every kind are seen; what a function computed itself is its own business."""
    for bad in ("def f(key): assert key", "def f(*, key=1): assert 0 < key < 2", "def f(*keys): assert len(keys) > 0"):
        assert assertions_on_input(parse(bad)), bad
    assert not assertions_on_input(parse("def f(self, key):\n    size = len(key)\n    assert size >= 0 and self.ok"))
