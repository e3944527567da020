"""Files stop at 400 lines and functions at 50; the exceptions may only shrink.

The docstring of a function is not counted. An entry of `EXCEPTIONS` whose file or function has become short enough, or
has gone, fails the test until it is taken off the list.
"""

import ast

from tests.house.sources import Source, functions, parse, report, sources

FILE_LINES = 400
FUNCTION_LINES = 50

EXCEPTIONS: dict[str, str] = {}
"""`path` or `path:function` of what may be longer, with the reason. Never add to it: split instead."""


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines from `def` to the end, without the docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def too_long(source: Source) -> dict[str, str]:
    """Name the file and the functions of a source that are over the limit, each with a sentence."""
    found = {}
    lines = source.text.count("\n")
    if lines > FILE_LINES:
        found[source.path] = f"{lines} lines; stop at {FILE_LINES}: is there a second concept inside?"
    for function in functions(source):
        length = _length(function)
        if length > FUNCTION_LINES:
            found[f"{source.path}:{function.name}"] = f"{length} lines; stop at {FUNCTION_LINES}: split it"
    return found


def test_files_and_functions_are_short() -> None:
    """Nothing outside the list of exceptions is over the limit."""
    found = {name: text for source in sources() for name, text in too_long(source).items()}
    findings = [f"{name}: {text}" for name, text in found.items() if name not in EXCEPTIONS]

    assert not findings, report(findings)


def test_exceptions_are_still_needed() -> None:
    """The list of exceptions may only shrink: each entry names something that is still too long."""
    found = {name for source in sources() for name in too_long(source)}

    assert sorted(set(EXCEPTIONS) - found) == []


def test_a_long_file_and_a_long_function_are_found() -> None:
    """A docstring does not count; one line over the limit does."""
    docstring = '    """Explain.\n' + "    more\n" * FUNCTION_LINES + '    """\n'
    body = "    pass\n"

    assert list(too_long(parse("pass\n" * (FILE_LINES + 1)))) == ["lsm/sample.py"]
    assert not too_long(parse("pass\n" * FILE_LINES))
    assert list(too_long(parse("def f() -> None:\n" + body * FUNCTION_LINES))) == ["lsm/sample.py:f"]
    assert not too_long(parse("def f() -> None:\n" + docstring + body * (FUNCTION_LINES - 1)))
