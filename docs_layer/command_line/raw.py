r"""Commands on raw keys and values: `get`, `put`, `delete` and `scan`, in escaped text.

Keys and values are printed as printable ASCII with `\xNN` for every other byte, and read the same way, so what `scan`
prints can be given to `put`. These commands see the engine's own keys; in a directory that holds tables, writing them
by hand breaks the tables.
"""

import sys
from collections.abc import Iterable
from typing import Annotated

import typer

import lsm
from docs_layer.command_line.arguments import Directory, Json, Key, Limit, Start, Stop
from docs_layer.command_line.escaping import EscapeError, escape, unescape
from docs_layer.command_line.failures import CommandError
from docs_layer.command_line.output import print_json, print_line

EXISTING = lsm.Options(create_if_missing=False)
"""A command that reads or mends refuses a directory without a database, instead of making an empty one there."""


def key_bytes(text: str) -> bytes:
    """Read a key or a value from the command line."""
    try:
        return unescape(text)
    except EscapeError as error:
        raise CommandError(str(error)) from error


def bound(text: str | None) -> bytes | None:
    """Read one end of a range, where it was given."""
    return None if text is None else key_bytes(text)


def get(
    directory: Directory,
    key: Key,
    *,
    raw: Annotated[bool, typer.Option("--raw", help="Write the bytes of the value as they are.")] = False,
    as_json: Json = False,
) -> None:
    """Print the value of a key."""
    with lsm.open(directory, EXISTING, read_only=True) as db:
        value = db.get(key_bytes(key))
    if value is None:
        raise CommandError(f"there is no key {key}")
    if raw:
        sys.stdout.flush()
        sys.stdout.buffer.write(value)
    elif as_json:
        print_json({"key": escape(key_bytes(key)), "value": escape(value)})
    else:
        print_line(escape(value))


def put(
    directory: Directory,
    key: Key,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="The value.", show_default=False)],
    *,
    create: Annotated[bool, typer.Option("--create", help="Make a new database if there is none.")] = False,
) -> None:
    """Store a value under a key; it is on the disk when the command returns."""
    with lsm.open(directory, lsm.Options(create_if_missing=create)) as db:
        db.put(key_bytes(key), key_bytes(value), sync=True)


def delete(
    directory: Directory,
    key: Key,
    *,
    stop: Annotated[
        str | None, typer.Option("--stop", metavar="KEY", help="Delete all keys from KEY up to this one.")
    ] = None,
) -> None:
    """Delete a key, or a range of keys; a key that is not there is no error."""
    with lsm.open(directory, EXISTING) as db:
        if stop is None:
            db.delete(key_bytes(key), sync=True)
        else:
            db.delete_range(key_bytes(key), key_bytes(stop), sync=True)


def scan(
    directory: Directory,
    *,
    start: Start = None,
    stop: Stop = None,
    prefix: Annotated[str | None, typer.Option("--prefix", metavar="KEY", help="Only keys that begin so.")] = None,
    reverse: Annotated[bool, typer.Option("--reverse", help="From the last key to the first.")] = False,
    limit: Limit = None,
    keys_only: Annotated[bool, typer.Option("--keys-only", help="Do not read the values.")] = False,
    as_json: Json = False,
) -> None:
    """Print keys and values in order, a pair in a line, with a tab between."""
    if prefix is not None and (start is not None or stop is not None):
        raise CommandError("give either --prefix or --start and --stop")
    ends = {"start": bound(start), "stop": bound(stop), "prefix": bound(prefix)}
    with lsm.open(directory, EXISTING, read_only=True) as db:
        if keys_only:
            _print_keys(db.scan_keys(**ends, reverse=reverse, limit=limit), as_json=as_json)
        else:
            _print_pairs(db.scan(**ends, reverse=reverse, limit=limit), as_json=as_json)


def _print_keys(keys: Iterable[bytes], *, as_json: bool) -> None:
    for key in keys:
        if as_json:
            print_json({"key": escape(key)})
        else:
            print_line(escape(key))


def _print_pairs(pairs: Iterable[tuple[bytes, bytes]], *, as_json: bool) -> None:
    for key, value in pairs:
        if as_json:
            print_json({"key": escape(key), "value": escape(value)})
        else:
            print_line(f"{escape(key)}\t{escape(value)}")
