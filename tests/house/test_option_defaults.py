"""The text of every option says its default, and says it right.

An option is a field of a frozen, keyword-only dataclass in `lsm/options.py`. The string below the field describes it
and contains `Default: ` and the default as Python writes it; the sentence may go on after a space, a comma or a full
stop, as in `Default: 4096, the page of most disks.`
"""

import ast
import dataclasses
import importlib
import re
from types import ModuleType

from tests.house.sources import ROOT, Source, parse

PATH = "lsm/options.py"
DEFAULT = re.compile(r"Default:\s+`{0,2}([^`\s](?:[^`\s]*[^`\s.,;:])?)")


def documented(source: Source) -> dict[str, str | None]:
    """Map `Class.field` to the default that the string below the field names, or to None when it names none."""
    found: dict[str, str | None] = {}
    for node in source.tree.body:
        if not isinstance(node, ast.ClassDef):
            continue
        for field, below in zip(node.body, [*node.body[1:], None], strict=True):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                text = ""
                if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
                    text = str(below.value.value)
                match = DEFAULT.search(text)
                found[f"{node.name}.{field.target.id}"] = match.group(1) if match else None
    return found


def real(module: ModuleType) -> dict[str, object]:
    """Map `Class.field` to the default, over the dataclasses that a module defines."""
    return {
        f"{name}.{field.name}": field.default
        for name, value in vars(module).items()
        if isinstance(value, type) and dataclasses.is_dataclass(value) and value.__module__ == module.__name__
        for field in dataclasses.fields(value)
        if field.default is not dataclasses.MISSING
    }


def untrue(texts: dict[str, str | None], defaults: dict[str, object]) -> list[str]:
    """Compare documented and real defaults; numbers may be grouped by underscores."""
    found = []
    for name, default in defaults.items():
        text = texts.get(name)
        if text is None:
            found.append(f"{name}: say 'Default: {default!r}' in the string below the field")
        elif text.replace("_", "") != repr(default).replace("_", "") and text != str(default):
            found.append(f"{name}: documented as {text}, but it is {default!r}")
    return found


def test_documented_defaults_are_the_real_ones() -> None:
    """Each option's text and its default agree."""
    module = importlib.import_module("lsm.options")
    source = parse((ROOT / PATH).read_text(encoding="utf-8"), PATH)

    assert untrue(documented(source), real(module)) == []


def unfrozen(source: Source) -> list[str]:
    """Name the dataclasses of a source that are not declared `frozen=True` and `kw_only=True`."""
    found = []
    for node in source.tree.body:
        if not isinstance(node, ast.ClassDef):
            continue
        for text in map(ast.unparse, node.decorator_list):
            if "dataclass" in text and not ("frozen=True" in text and "kw_only=True" in text):
                found.append(node.name)
    return found


def test_options_are_frozen_and_keyword_only() -> None:
    """Options are values: nobody changes them after an open, and nobody passes them by position."""
    assert unfrozen(parse((ROOT / PATH).read_text(encoding="utf-8"), PATH)) == []
    assert unfrozen(
        parse("@dataclass(frozen=True)\nclass A: pass\n@dataclass(frozen=True, kw_only=True)\nclass B: pass")
    ) == ["A"]


def test_a_wrong_and_a_missing_default_are_found() -> None:
    """A text that names another number, and one that names none, are told apart from a true one."""
    source = parse(
        'class Options:\n    a: int = 1\n    """Size. Default: 2."""\n    b: int = 1\n    """Size."""\n'
        '    c: int = 4096\n    """Size. Default: `4_096`, a page."""\n    d: float = 0.5\n    """Default: 0.5."""\n'
    )
    texts = documented(source)

    assert texts == {"Options.a": "2", "Options.b": None, "Options.c": "4_096", "Options.d": "0.5"}
    assert untrue(texts, {"Options.c": 4096, "Options.d": 0.5}) == []
    assert untrue(texts, {"Options.a": 1, "Options.b": 1}) == [
        "Options.a: documented as 2, but it is 1",
        "Options.b: say 'Default: 1' in the string below the field",
    ]
