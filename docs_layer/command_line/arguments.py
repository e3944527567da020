"""Arguments and options that several commands share, each described once."""

from pathlib import Path
from typing import Annotated

import typer

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="The directory of the database.", show_default=False)]
TableName = Annotated[str, typer.Argument(metavar="TABLE", help="The name of the table.", show_default=False)]
Key = Annotated[str, typer.Argument(metavar="KEY", help=r"The key; any byte may be written \xNN.", show_default=False)]
Start = Annotated[
    str | None, typer.Option("--start", metavar="KEY", help=r"First key, included; any byte may be written \xNN.")
]
Stop = Annotated[str | None, typer.Option("--stop", metavar="KEY", help="Last key, not included.")]
Limit = Annotated[int | None, typer.Option("--limit", min=0, metavar="COUNT", help="At most this many.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON, for a program to read.")]
