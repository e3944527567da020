"""The settings keep what they promise: every ignored rule has its reason, and no contract on layers has a back door."""

import importlib
import re
import tomllib
from typing import Any

from tests.house.sources import PACKAGES, ROOT

TEXT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
IGNORED = re.compile(r'^    "[A-Z]+\d*",(?P<rest>.*)$', re.MULTILINE)
REASON = re.compile(r"\s+# \S+ \S+")


def unexplained(text: str) -> list[str]:
    """List the ignored lint rules of a settings file that have no reason at the line end."""
    return [match[0].strip() for match in IGNORED.finditer(text) if not REASON.match(match["rest"])]


def back_doors(linter: dict[str, Any]) -> list[str]:
    """List what lets a module escape the contracts on layers."""
    found = ["type-checking imports are not counted"] if linter.get("exclude_type_checking_imports") else []
    for contract in linter["contracts"]:
        name = contract["name"]
        if contract.get("ignore_imports"):
            found.append(f"{name}: ignores imports")
        if contract["type"] == "layers":
            if not contract.get("exhaustive"):
                found.append(f"{name}: a module may be left out")
            found += [f"{name}: {layer} may be absent" for layer in contract["layers"] if "(" in layer]
    return found


def test_every_ignored_rule_has_a_reason() -> None:
    """Whoever switches a rule off says why, at the line end."""
    assert unexplained(TEXT) == []


def test_layers_have_no_back_door() -> None:
    """Every module of both packages has its rank, type-only imports count, and no import is excused."""
    assert back_doors(tomllib.loads(TEXT)["tool"]["importlinter"]) == []


def test_what_is_installed_exists() -> None:
    """The program's entry point can be called, and both packages say that they are typed."""
    module, _, name = tomllib.loads(TEXT)["project"]["scripts"]["layerdb"].partition(":")

    assert callable(getattr(importlib.import_module(module), name))
    assert all((ROOT / package / "py.typed").is_file() for package in PACKAGES)


def test_the_gate_is_what_a_person_runs() -> None:
    """`.ci/run` may be executed, and calls `make test`."""
    gate = ROOT / ".ci" / "run"

    assert gate.stat().st_mode & 0o111
    assert "make test" in gate.read_text(encoding="utf-8")


def test_weak_settings_are_found() -> None:
    """A rule without a reason, and each way around the layers, are seen."""
    assert unexplained('ignore = [\n    "D105", # why it is\n    "D107",\n]\n') == ['"D107",']
    assert back_doors(
        {
            "exclude_type_checking_imports": True,
            "contracts": [
                {"name": "a", "type": "layers", "layers": ["b", "(c)"], "ignore_imports": ["x -> y"]},
                {"name": "d", "type": "layers", "layers": ["e"], "exhaustive": True},
            ],
        }
    ) == [
        "type-checking imports are not counted",
        "a: ignores imports",
        "a: a module may be left out",
        "a: (c) may be absent",
    ]
