"""The command `demo`: the whole product on real data, in a directory of its own that is removed afterwards."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from docs_layer.command_line.failures import CommandError
from docs_layer.demo import MissingDataError, run


def demo(
    *,
    directory: Annotated[
        Path | None, typer.Option("--directory", metavar="DIR", help="Keep the database here; must be new or empty.")
    ] = None,
) -> None:
    """Show what the product does, on the countries, cities and airports of the world."""
    with tempfile.TemporaryDirectory(prefix="layerdb-demo-") as temporary:
        try:
            run(directory or Path(temporary) / "database")
        except MissingDataError as error:
            raise CommandError(str(error)) from error
