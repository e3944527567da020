"""The text of every option says its default, and says it right.

An option is a field of a frozen, keyword-only dataclass in `lsm/options.py`. The docstring of the class describes each
field in a paragraph that begins with `name: ` and ends with the sentence `Default: value.`, written as in Python.
"""

import ast
import dataclasses
import importlib
import re
from types import ModuleType

from tests.house.sources import ROOT, Source, parse

PATH = "lsm/options.py"
NAME = r"^ *(?!Default)(\w+): "
FIELD = re.compile(NAME + r"((?:.|\n)*?)(?=" + NAME + r"|^\s*$|\Z)", re.MULTILINE)
DEFAULT = re.compile(r"Default:\s+(\S+?)[.]?$")


def documented(source: Source) -> dict[str, str | None]:
    """Map `Class.field` to the default named at the end of its paragraph, or to None when it names none."""
    found: dict[str, str | None] = {}
    for node in source.tree.body:
        if isinstance(node, ast.ClassDef):
            for name, text, _ in FIELD.findall(ast.get_docstring(node) or ""):
                match = DEFAULT.search(text.rstrip())
                found[f"{node.name}.{name}"] = match.group(1) if match else None
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
            found.append(f"{name}: say 'Default: {default!r}' at the end of its paragraph")
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
        decorators = [text for text in map(ast.unparse, node.decorator_list) if "dataclass" in text]
        if not all("frozen=True" in text and "kw_only=True" in text for text in decorators):
            found.append(node.name)
    return found


def test_options_are_frozen_and_keyword_only() -> None:
    """Options are values: nobody changes them after an open, and nobody passes them by position."""
    assert unfrozen(parse((ROOT / PATH).read_text(encoding="utf-8"), PATH)) == []
    assert unfrozen(
        parse("@dataclass(frozen=True)\nclass A: pass\n@dataclass(frozen=True, kw_only=True)\nclass B: pass")
    ) == ["A"]


SAMPLE = '''
class Options:
    """Sizes.

    a: size. Default: 2.
    b: size:
        of b.
    c: a page of disks,
        as most have it. Default: 4_096.
    d: part.
        Default: 0.5.

    Choices:

    e: word. Default: 'none'.
    """
'''


def test_a_wrong_and_a_missing_default_are_found() -> None:
    """A text that names another number, and one that names none, are told apart from a true one."""
    source = parse(SAMPLE)
    texts = documented(source)

    wanted = {"Options.a": "2", "Options.b": None, "Options.c": "4_096", "Options.d": "0.5", "Options.e": "'none'"}
    assert {name: texts.get(name) for name in wanted} == wanted
    assert untrue(texts, {"Options.c": 4096, "Options.d": 0.5, "Options.e": "none"}) == []
    assert untrue(texts, {"Options.a": 1, "Options.b": 1}) == [
        "Options.a: documented as 2, but it is 1",
        "Options.b: say 'Default: 1' at the end of its paragraph",
    ]
