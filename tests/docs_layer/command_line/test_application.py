"""How the program ends: exit status and one line on standard error, never a traceback."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import lsm
from docs_layer.command_line import application
from tests.docs_layer.command_line.conftest import Run

COMMANDS = ["demo", "query", "import", "stats", "verify", "compact", "dump", "scan", "get", "put", "delete"]
START = "import sys; from docs_layer.command_line import main; sys.exit(main())"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(run: Run, command: str) -> None:
    """`--help` describes each command and ends well."""
    printed = run(command, "--help")

    assert printed.status == 0
    assert command in printed.output
    assert printed.errors == ""


def test_help_lists_every_command(run: Run) -> None:
    """The overview names all commands."""
    output = run("--help").output

    assert [command for command in COMMANDS if command not in output] == []


def test_no_command_shows_the_help(run: Run) -> None:
    """A bare `layerdb` shows its help and no error, and its status tells a script that nothing was done."""
    printed = run()

    assert printed.status == 2
    assert "Usage: layerdb" in printed.output + printed.errors
    assert "layerdb: " not in printed.errors


def test_version(run: Run) -> None:
    """`--version` names the program and its version."""
    printed = run("--version")

    assert printed.status == 0
    assert printed.output.startswith("layerdb 0.")


@pytest.mark.parametrize("words", [["nonsense"], ["get"], ["scan", "x", "--limit", "-1"], ["stats", "x", "--jsn"]])
def test_wrong_use_is_one_line_and_status_two(run: Run, words: list[str]) -> None:
    """A mistake on the command line is told in one line on standard error."""
    printed = run(*words)

    assert printed.status == 2
    assert printed.output == ""
    assert printed.errors.startswith("layerdb: ")
    assert printed.errors.count("\n") == 1


@pytest.mark.parametrize("command", ["stats", "verify", "compact", "dump", "scan"])
def test_a_missing_database_is_one_line_and_status_one(run: Run, tmp_path: Path, command: str) -> None:
    """No command that looks at a database makes one, or shows a traceback when there is none."""
    printed = run(command, tmp_path / "absent")

    assert printed.status == 1
    assert printed.output == ""
    assert printed.errors.startswith("layerdb: ")
    assert printed.errors.count("\n") == 1
    assert not (tmp_path / "absent").exists()


def test_a_locked_database_names_the_holder(run: Run, tmp_path: Path) -> None:
    """A directory that is open elsewhere is an error of one line that names the process."""
    path = tmp_path / "database"
    with lsm.open(path):
        program = subprocess.run(
            [sys.executable, "-c", START, "put", str(path), "a", "b"], capture_output=True, text=True, check=False
        )

    assert program.returncode == 1
    assert program.stderr.count("\n") == 1
    assert "Traceback" not in program.stderr


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt, 130), (BrokenPipeError, 1)])
def test_interruptions_are_quiet(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: type[BaseException], status: int
) -> None:
    """Ctrl-C ends with 130, a reader that went away with 1; neither shows a traceback."""

    def interrupted() -> Callable[..., object]:
        def call(**_: object) -> object:
            raise error

        return call

    monkeypatch.setattr(application, "build", interrupted)
    monkeypatch.setattr(application, "_close_pipe", lambda: 1)

    printed = run("stats")

    assert printed.status == status
    assert "Traceback" not in printed.errors


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    """`layerdb scan DIR | head -1` ends without a word."""
    path = tmp_path / "database"
    with lsm.open(path) as db:
        for number in range(20_000):
            db.put(b"%08d" % number, b"value")
    with subprocess.Popen(
        [sys.executable, "-c", START, "scan", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        first = program.stdout.readline()
        program.stdout.close()
        errors = program.stderr.read()

    assert first == "00000000\tvalue\n"
    assert errors == ""
