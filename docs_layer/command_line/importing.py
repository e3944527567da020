"""The command `import`: rows from a file of JSON lines or CSV, into a table that exists or that the file describes."""

import keyword
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from docs_layer import Database, DatabaseError, Table, open_db
from docs_layer.command_line.arguments import Directory, Json, TableName
from docs_layer.command_line.failures import CommandError, unknown
from docs_layer.command_line.inference import Column, infer_csv, infer_json
from docs_layer.command_line.output import counted, print_json, print_line, progress
from docs_layer.command_line.records import Progress, Record, is_csv, read_records
from docs_layer.command_line.tables import declare, existing, fields, reader, table

BATCH_ROWS = 1_000
"""Rows stored in one transaction: enough that its cost is shared, few enough that a mistake is found again quickly."""

Rows = Iterator[tuple[int, Table]]
"""Rows with the lines that they come from."""


def column_name(heading: str) -> str:
    """Turn a heading into the name of a column: a Python identifier without a leading underscore."""
    name = re.sub(r"\W+", "_", heading).strip("_") or "column"
    if name[0].isdigit():
        name = f"column_{name}"
    return f"{name}_" if keyword.iskeyword(name) else name


class Source:
    """A file to be imported: knows its format, names its columns, and can be read more than once."""

    def __init__(self, path: Path, chosen_format: str | None) -> None:
        self.path = path
        self.as_csv = is_csv(path, chosen_format)
        self._names: dict[str, str] = {}

    def records(self, advance: Progress) -> Iterator[Record]:
        """Yield the records with headings turned into names of columns."""
        for line, values in read_records(self.path, as_csv=self.as_csv, progress=advance):
            yield Record(line, {self._name(heading, line): value for heading, value in values.items()})

    def columns(self, advance: Progress) -> dict[str, Column]:
        """Read the whole file once and infer its columns."""
        return (infer_csv if self.as_csv else infer_json)(self.records(advance))

    def _name(self, heading: str, line: int) -> str:
        name = self._names.get(heading)
        if name is None:
            name = column_name(heading)
            if name in self._names.values():
                raise CommandError(f"{self.path}, line {line}: two columns would both be named {name!r}")
            self._names[heading] = name
        return name


def import_file(
    directory: Directory,
    table_name: TableName,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON lines, or CSV with headings.", show_default=False)],
    *,
    chosen_format: Annotated[
        str | None, typer.Option("--format", metavar="csv|jsonl", help="Where the name of the file does not say it.")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="COLUMN", help="Primary key of a new table; otherwise `id`, given or automatic."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Store the records of a file as rows; a table that does not exist is made with the columns that the file has."""
    source = Source(file, chosen_format)
    with progress() as bars:
        bar = bars.add_task("reading the columns", total=file.stat().st_size)

        def advance(read_bytes: int) -> None:
            bars.update(bar, completed=read_bytes)

        with _database(directory, table_name, source, key, advance) as db:
            rows = table(db, table_name)
            bars.update(bar, description="storing the rows", completed=0)
            count = store(db, source.path, _rows(rows, source, advance))
    if as_json:
        print_json({"table": table_name, "rows": count, "columns": list(fields(rows))})
    else:
        print_line(f"{counted(count, 'row')} stored in {table_name} ({', '.join(fields(rows))})")


def _database(directory: Path, table_name: str, source: Source, key: str | None, advance: Progress) -> Database:
    """Open the database; make the table first where it is not in the catalog."""
    if directory.is_dir() and any(directory.iterdir()):
        db = existing(directory)
        if table_name in db.table_names():
            return db
        db.close()
    if column_name(table_name) != table_name:
        raise CommandError(f"{table_name!r} is no name for a table; use letters, digits and underscores")
    columns = source.columns(advance)
    return open_db(directory, tables=[declare(table_name, columns, _key(columns, key))])


def _key(columns: Mapping[str, Column], key: str | None) -> str | None:
    if key is None:
        key = "id" if "id" in columns else None
    elif key not in columns:
        raise unknown("column", key, columns)
    if key is not None and (columns[key].null or columns[key].type not in {int, str}):
        raise CommandError(f"the column {key!r} cannot be the primary key: it is not int or str in every record")
    return key


class _Preparation:
    """Makes rows of one table from the values of records."""

    def __init__(self, rows: type[Table], *, as_csv: bool) -> None:
        self._rows = rows
        self._readers = {name: reader(name, type_, strict=not as_csv) for name, type_ in fields(rows).items()}
        self._empty_is_null = {name for name, read in self._readers.items() if as_csv and not _keeps_empty(read)}

    def row(self, values: Mapping[str, object]) -> Table:
        """Make a row; raise `CommandError` for a value, and `TypeError` for a missing one, that it cannot have."""
        for name in values.keys() - self._readers.keys():
            raise unknown("field", name, self._readers)
        prepared = {
            name: self._readers[name](None if value == "" and name in self._empty_is_null else value)
            for name, value in values.items()
        }
        return self._rows(**prepared)


def _rows(rows: type[Table], source: Source, advance: Progress) -> Rows:
    preparation = _Preparation(rows, as_csv=source.as_csv)
    for line, values in source.records(advance):
        try:
            row = preparation.row(values)
        except (CommandError, DatabaseError, TypeError) as error:
            raise CommandError(f"{source.path}, line {line}: {error}") from error
        yield line, row


def _keeps_empty(read: Callable[[object], Any]) -> bool:
    """Tell whether an empty cell is an empty text in a column, not null."""
    try:
        return read("") is not None
    except CommandError:
        return False


def store(db: Database, path: Path, rows: Rows) -> int:
    """Insert rows in transactions of `BATCH_ROWS`.

    When a transaction fails its rows are stored one by one up to the row at fault, so that the error can name its line.

    Returns:
        The number of rows stored.

    Raises:
        CommandError: a row was refused; names file and line, and says how many rows were stored before it.
    """
    count = 0
    while batch := list(islice(rows, BATCH_ROWS)):
        try:
            count += len(db.insert_many([row for _, row in batch]))
        except DatabaseError:
            count += _one_by_one(db, path, batch, count)
    return count


def _one_by_one(db: Database, path: Path, batch: list[tuple[int, Table]], before: int) -> int:
    for place, (line, row) in enumerate(batch):
        try:
            db.insert(row)
        except DatabaseError as error:
            stored = counted(before + place, "row")
            raise CommandError(f"{path}, line {line}: {error}; {stored} before it stored") from error
    return len(batch)
