"""The command `query`: rows of a table that match conditions, as a grid or as JSON lines.

A condition is `field=value`; the other comparisons are `!=`, `<`, `<=`, `>`, `>=` and `^=` (begins with). The value is
read as the type of the field, and `null` means none. All conditions must hold.
"""

import operator
import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import msgspec
import typer

from docs_layer import Database, Table, asdict
from docs_layer.command_line.arguments import Directory, Json, Limit, TableName
from docs_layer.command_line.failures import CommandError, unknown
from docs_layer.command_line.output import counted, print_grid, print_line
from docs_layer.command_line.tables import existing, fields, reader, table

_CONDITION = re.compile(r"(?P<field>\w+)\s*(?P<comparison>!=|<=|>=|\^=|=|<|>)(?P<value>.*)", re.DOTALL)
_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "^=": lambda column, text: column.starts_with(text),
}


def condition(rows: type[Table], text: str) -> Any:
    """Read one condition of the command line as an expression over the columns of a table."""
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise CommandError(f"{text!r} is no condition; write field=value, field<value, field^=beginning")
    name = match["field"]
    known = fields(rows)
    if name not in known:
        raise unknown("field", name, known)
    value = reader(name, known[name], strict=False)(match["value"])
    return _COMPARISONS[match["comparison"]](getattr(rows, name), value)


def ordering(rows: type[Table], text: str) -> Any:
    """Read one term of `--order-by`; a minus before the field means descending."""
    name = text.removeprefix("-")
    if name not in fields(rows):
        raise unknown("field", name, fields(rows))
    column = getattr(rows, name)
    return -column if text.startswith("-") else column


def query(
    directory: Directory,
    table_name: TableName,
    conditions: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FIELD=VALUE]...", help="All of them must hold; also != < <= > >= and ^= (begins with)."
        ),
    ] = None,
    *,
    order_by: Annotated[
        list[str] | None, typer.Option("--order-by", metavar="FIELD", help="Order; -FIELD is descending. Repeatable.")
    ] = None,
    select: Annotated[
        list[str] | None, typer.Option("--select", metavar="FIELD", help="Only this field. Repeatable.")
    ] = None,
    limit: Limit = None,
    explain: Annotated[bool, typer.Option("--explain", help="Print how the rows are found, not the rows.")] = False,
    as_json: Json = False,
) -> None:
    """Print the rows of a table that match all conditions."""
    with existing(directory) as db:
        rows = table(db, table_name)
        found = _query(db, rows, conditions or [], order_by or [], limit)
        if explain:
            print_line(str(found.explain()))
        else:
            _print_rows(found, _selected(rows, select), as_json=as_json)


def _query(
    db: Database, rows: type[Table], conditions: Sequence[str], order_by: Sequence[str], limit: int | None
) -> Any:
    found: Any = db.query(rows)
    if conditions:
        found = found.where(*(condition(rows, text) for text in conditions))
    if order_by:
        found = found.order_by(*(ordering(rows, text) for text in order_by))
    return found if limit is None else found.limit(limit)


def _selected(rows: type[Table], select: Sequence[str] | None) -> list[str]:
    known = fields(rows)
    for name in select or ():
        if name not in known:
            raise unknown("field", name, known)
    return list(select or known)


def _print_rows(found: Any, names: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        for row in found:
            values = asdict(row)
            print_line(msgspec.json.encode({name: values[name] for name in names}).decode())
        return
    lines = [[getattr(row, name) for name in names] for row in found]
    print_grid(names, lines)
    print_line(counted(len(lines), "row"))
