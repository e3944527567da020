"""Public is what `__all__` of a package says: exact, complete, without duplicates; its order is checked by ruff.

A package that has no `__all__` publishes nothing, so it may define nothing but its docstring.
"""

import __future__

import ast
import importlib
from types import ModuleType

import pytest

from tests.house.sources import PACKAGES, Source, parse, sources


def _packages() -> list[str]:
    return [source.path for source in sources(*PACKAGES) if source.path.endswith("/__init__.py")]


def _declared(module: ModuleType) -> list[str]:
    return list(getattr(module, "__all__", []))


def _own(module: ModuleType) -> set[str]:
    """Return the names that a module shows as its own.

    For the two packages that is all but modules; for a package inside of them, whose names are not public anyway, what
    it defines itself.
    """
    shown = {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_") and not isinstance(value, ModuleType | __future__._Feature)
    }
    if "." not in module.__name__:
        return set(shown)
    return {name for name, value in shown.items() if getattr(value, "__module__", None) == module.__name__}


def wrong_names(module: ModuleType) -> list[str]:
    """Compare what a module declares with what a reader sees in it."""
    declared = _declared(module)
    visible = _own(module)
    missing = [f"{module.__name__}.{name} is visible, but not in __all__" for name in sorted(visible - set(declared))]
    empty = [
        f"{module.__name__}.{name} is in __all__, but does not exist" for name in declared if not hasattr(module, name)
    ]
    twice = [f"{module.__name__}.{name} is in __all__ twice" for name in set(declared) if declared.count(name) > 1]
    return missing + empty + twice


def computed_names(source: Source) -> list[str]:
    """Say so when `__all__` is anything but a plain list of literals, which no type checker and no reader follows."""
    for node in source.tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
            literal = isinstance(value, ast.List) and all(isinstance(item, ast.Constant) for item in value.elts)
            return [] if literal else [f"{source.path}: write __all__ as a list of literals"]
    return []


@pytest.mark.parametrize("path", _packages())
def test_all_names_are_declared(path: str) -> None:
    """What a package shows is what its `__all__` lists."""
    module = importlib.import_module(path.removesuffix("/__init__.py").replace("/", "."))

    assert wrong_names(module) == []


def test_declarations_are_literal() -> None:
    """No `__all__` is computed."""
    assert [finding for source in sources(*PACKAGES) for finding in computed_names(source)] == []


def test_wrong_declarations_are_found() -> None:
    """A visible name that is not declared, a declared one that is missing, and a double one are told apart."""
    module = ModuleType("sample")
    module.__dict__.update(forgotten=1, known=2, _private=3, __all__=["known", "known", "absent"])

    assert wrong_names(module) == [
        "sample.forgotten is visible, but not in __all__",
        "sample.absent is in __all__, but does not exist",
        "sample.known is in __all__ twice",
    ]
    assert computed_names(parse("__all__ = sorted(globals())\n"))
    assert not computed_names(parse('__all__ = ["a"]\n'))
