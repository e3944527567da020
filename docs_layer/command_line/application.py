"""The program `layerdb`: its commands put together, and how it ends.

Exit status: 0 done, 1 refused or failed or damage found, 2 wrong use of the command line, 130 interrupted.
"""

import importlib.metadata
import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from docs_layer.command_line.crashtest import crashtest
from docs_layer.command_line.demonstration import demo
from docs_layer.command_line.failures import EXPECTED, one_line
from docs_layer.command_line.importing import import_file
from docs_layer.command_line.output import print_line
from docs_layer.command_line.query import query
from docs_layer.command_line.raw import delete, get, put, scan
from docs_layer.command_line.upkeep import compact, dump, repair, stats, verify

INTERRUPTED = 130


def _print_version(asked: bool) -> None:
    if asked:
        print_line(f"layerdb {importlib.metadata.version('layerdb')}")
        raise typer.Exit


def _global_options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Look into a LayerDB database, and look after it."""


def build() -> typer.Typer:
    """Make the application with all its commands, in the order in which the help shows them."""
    application = typer.Typer(
        name="layerdb", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
    )
    application.callback()(_global_options)
    commands: dict[str, Callable[..., None]] = {
        "demo": demo,
        "import": import_file,
        "query": query,
        "stats": stats,
        "verify": verify,
        "repair": repair,
        "compact": compact,
        "dump": dump,
        "crashtest": crashtest,
        "scan": scan,
        "get": get,
        "put": put,
        "delete": delete,
    }
    for name, command in commands.items():
        application.command(name)(command)
    return application


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: The words after the name of the program; None takes those of the process.

    Returns:
        The exit status. Every expected failure has been told in one line on standard error.
    """
    try:
        status = build()(args=arguments, prog_name="layerdb", standalone_mode=False)
        sys.stdout.flush()
    except typer.TyperException as error:
        return _fail(error, error.exit_code)
    except BrokenPipeError:
        return _close_pipe()
    except EXPECTED as error:
        return _fail(error, 1)
    except (KeyboardInterrupt, typer.Abort):
        print("layerdb: interrupted", file=sys.stderr)  # noqa: T201 - how a command line speaks
        return INTERRUPTED
    except SystemExit as error:
        return _close_pipe() if error.code else 0
    return status if isinstance(status, int) else 0


def _fail(error: Exception, status: int) -> int:
    """Tell what went wrong; a bare `layerdb` has shown its help, and there is no more to say."""
    text = one_line(error.format_message() if isinstance(error, typer.TyperException) else error)
    if text:
        print(f"layerdb: {text}", file=sys.stderr)  # noqa: T201 - how a command line speaks
    return status


def _close_pipe() -> int:
    """End quietly when the reader of our output has gone; what is still buffered goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return 1
