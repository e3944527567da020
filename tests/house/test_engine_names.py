"""Whatever stands above the engine uses only the names in `lsm.__all__`, and those of its public test kits."""

import ast
from collections.abc import Mapping

import lsm
import lsm.testing
import lsm.testing.crashtest
from tests.house.sources import Source, parse, report, sources

CLIENTS = ("docs_layer", "bench")
PUBLIC = {module.__name__: frozenset(module.__all__) for module in (lsm, lsm.testing, lsm.testing.crashtest)}


def engine_internals(source: Source, public: Mapping[str, frozenset[str]]) -> list[str]:
    """Say where a source reaches behind the public names of `lsm`, by an import or by an attribute.

    public: the names of each public package.
    """
    found = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "lsm" and node.level == 0:
            wrong = [alias.name for alias in node.names if alias.name not in public.get(node.module or "", ())]
            found += [f"{source.path}:{node.lineno}: {node.module}.{name} is not public" for name in wrong]
        elif isinstance(node, ast.Import):
            wrong = [alias.name for alias in node.names if alias.name.startswith("lsm.")]
            found += [f"{source.path}:{node.lineno}: {name} is not public" for name in wrong]
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "lsm" and node.attr not in public["lsm"]:
            found.append(f"{source.path}:{node.lineno}: lsm.{node.attr} is not public")
    return found


def test_only_public_names_of_the_engine_are_used() -> None:
    """Tables, command line, demo and benchmarks are ordinary clients of `lsm`."""
    findings = [finding for source in sources(*CLIENTS) for finding in engine_internals(source, PUBLIC)]

    assert not findings, report(findings)


def test_reaching_behind_the_public_names_is_found() -> None:
    """Each way to reach a private module or name is seen; the public ways are not."""
    public = {"lsm": frozenset({"open"}), "lsm.testing": frozenset({"Fault"})}

    for bad in (
        "import lsm.memtable",
        "from lsm.memtable import Memtable",
        "from lsm import memtable",
        "from lsm.testing import disk",
        "lsm.memtable",
    ):
        assert engine_internals(parse(bad), public), bad
    for good in (
        "import lsm\nlsm.open",
        "from lsm import open",
        "from lsmtree import x",
        "from lsm.testing import Fault",
    ):
        assert not engine_internals(parse(good), public), good
