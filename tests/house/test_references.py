"""What a text points to exists: files, targets of the Makefile, commands of the command line."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from docs_layer.command_line.application import build
from tests.house.sources import ROOT, Source, parse, report, sources

FILE = re.compile(r"(?<![\w/.<>*{}-])((?:\.?[\w-]+/)*[\w-]+\.(?:py|md|toml))(?![\w*])")
TARGET = re.compile(r"^\s*(?:\$ )?make ([a-z-]+)|`make ([a-z-]+)", re.MULTILINE)
COMMAND = re.compile(r"^\s*(?:\$ )?layerdb ([a-z]+)|`layerdb ([a-z]+)", re.MULTILINE)
SAMPLES = ("tests/house/",)
"""Sources whose texts speak about invented files on purpose."""


def texts(source: Source) -> Iterator[str]:
    """Yield every docstring and every other free-standing string of a source, and its comments."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value
    yield from re.findall(r"^\s*#.*$", source.text, re.MULTILINE)


def documents() -> list[Path]:
    """List the Markdown files of the project."""
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("*/*.md"), *ROOT.glob(".github/*.md"), *ROOT.glob(".decisions/*.md")])


def dangling(text: str, path: str, root: Path = ROOT) -> list[str]:
    """Say which files a text names that exist neither from the root, nor from its folder, nor anywhere below that."""
    folder = (root / path).parent
    found = []
    for name in sorted(set(FILE.findall(text))):
        near = (root / name).exists() or (folder / name).exists()
        package = root / Path(path).parts[0]
        below = package.is_dir() and any(
            file.as_posix().endswith("/" + name) for file in package.rglob(Path(name).name)
        )
        if not near and not below:
            found.append(f"{path}: there is no {name}")
    return found


def unknown(pattern: re.Pattern[str], text: str, known: set[str]) -> set[str]:
    """Return the words after `make` or `layerdb` in a text that nobody defines."""
    return {word for match in pattern.finditer(text) for word in match.groups() if word} - known


def targets() -> set[str]:
    """Return the targets of the Makefile."""
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def test_named_files_exist() -> None:
    """Docstrings, comments and Markdown name no file that is not there."""
    findings = [f for file in documents() for f in dangling(file.read_text("utf-8"), file.relative_to(ROOT).as_posix())]
    findings += [
        finding
        for source in sources()
        if not source.path.startswith(SAMPLES)
        for text in texts(source)
        for finding in dangling(text, source.path)
    ]

    assert not findings, report(findings)


def test_named_targets_exist() -> None:
    """Every `make` command in a Markdown file has its target."""
    found = {word for file in documents() for word in unknown(TARGET, file.read_text("utf-8"), targets())}

    assert found == set()


def test_named_commands_exist() -> None:
    """Every `layerdb` command in a Markdown file is one of the program."""
    known = {command.name or "" for command in build().registered_commands}
    found = {word for file in documents() for word in unknown(COMMAND, file.read_text("utf-8"), known)}

    assert found == set()


def test_wrong_references_are_found(tmp_path: Path) -> None:
    """A file, a target and a command that do not exist are found; those that do are not."""
    (tmp_path / "lsm").mkdir()
    (tmp_path / "lsm" / "frames.py").touch()

    assert dangling("see `lsm/frames.py` and frames.py", "lsm/log.py", tmp_path) == []
    assert dangling("see lsm/gone.py", "lsm/log.py", tmp_path) == ["lsm/log.py: there is no lsm/gone.py"]
    assert unknown(TARGET, "    make test\n`make rain`", {"test"}) == {"rain"}
    assert unknown(COMMAND, "$ layerdb stats x", set()) == {"stats"}
    assert list(texts(parse('"""a"""\n# b\n'))) == ["a", "# b"]
