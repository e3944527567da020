"""One package of the engine talks to the operating system; all others get files, clock, threads and chance from it.

`lsm/posix/` may import everything. The doubles in `lsm/testing/` may have threads and random numbers of their own,
which they draw from a seed. `lsm/testing/crashtest/` is no double: it starts and kills processes of the real system.
"""

import ast

from tests.house.sources import Source, imports, parse, report, sources

OWNER = "lsm/posix/"
DOUBLES = "lsm/testing/"
REAL = "lsm/testing/crashtest/"
WORLD = frozenset(
    {
        "asyncio",
        "concurrent",
        "fcntl",
        "io",
        "mmap",
        "multiprocessing",
        "os",
        "pathlib",
        "random",
        "secrets",
        "select",
        "shutil",
        "signal",
        "socket",
        "subprocess",
        "tempfile",
        "threading",
        "time",
        "uuid",
    }
)
DOUBLES_MAY = frozenset({"random", "threading"})


def outside(source: Source) -> list[str]:
    """Say where a source of the engine reaches the operating system on its own."""
    if source.path.startswith((OWNER, REAL)):
        return []
    forbidden = WORLD - DOUBLES_MAY if source.path.startswith(DOUBLES) else WORLD
    found = [
        f"{source.path}:{line}: take {name} from the environment; only {OWNER} imports it"
        for name, line in imports(source)
        if name.split(".")[0] in forbidden
    ]
    found += [
        f"{source.path}:{node.lineno}: open files through the environment"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open"
    ]
    return found


def test_only_one_package_of_the_engine_talks_to_the_operating_system() -> None:
    """A simulated disk, clock and scheduler can stand in for the whole outside world."""
    findings = [finding for source in sources("lsm") for finding in outside(source)]

    assert not findings, report(findings)


def test_a_module_that_talks_to_the_operating_system_is_found() -> None:
    """Imports at any depth and the built-in `open` are seen; the owner and the doubles are free in their way."""
    for bad in (
        "import os",
        "from os import path",
        "def f():\n    import time",
        "import concurrent.futures",
        "open('x')",
    ):
        assert outside(parse(bad)), bad
    assert not outside(parse("import os, time, random", OWNER + "sample.py"))
    assert not outside(parse("import random, threading", DOUBLES + "sample.py"))
    assert outside(parse("import os", DOUBLES + "sample.py"))
    assert not outside(parse("import os, signal, subprocess", REAL + "sample.py"))
    assert not outside(parse("import struct\nfile.open('x')"))
