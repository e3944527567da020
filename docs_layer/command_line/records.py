"""Files of records: JSON lines and CSV, read as dictionaries, one pass after the other.

A `Record` knows its line, so that an error can name it. Neither format is read whole into memory.
"""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from docs_layer.command_line.failures import CommandError

Progress = Callable[[int], None]
"""Is told how many bytes of the file have been read."""


class Record(NamedTuple):
    """One record: the number of the line where it ends, and its values by name."""

    line: int
    values: dict[str, object]


def is_csv(path: Path, chosen: str | None) -> bool:
    """Tell the format of a file: as chosen, else by the end of its name.

    Raises:
        CommandError: neither says it.
    """
    name = (chosen or path.suffix).removeprefix(".").lower()
    if name in {"csv", "tsv"}:
        return True
    if name in {"jsonl", "ndjson", "json"}:
        return False
    raise CommandError(f"{path}: say --format csv or --format jsonl")


def read_records(path: Path, *, as_csv: bool, progress: Progress) -> Iterator[Record]:
    """Yield the records of a file in order.

    Raises:
        CommandError: a line cannot be read as a record; names file and line.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        lines = _lines(file, progress)
        yield from _csv_records(path, lines) if as_csv else _json_records(path, lines)


def _lines(file: IO[bytes], progress: Progress) -> Iterator[bytes]:
    read_bytes = 0
    for line in file:
        read_bytes += len(line)
        progress(read_bytes)
        yield line


def _json_records(path: Path, lines: Iterator[bytes]) -> Iterator[Record]:
    decode = msgspec.json.Decoder(dict[str, object]).decode
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield Record(number, decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise CommandError(f"{path}, line {number}: not one JSON object: {error}") from error


def _text(path: Path, lines: Iterator[bytes]) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise CommandError(f"{path}, line {number}: not UTF-8: {error.reason}") from error


def _csv_records(path: Path, lines: Iterator[bytes]) -> Iterator[Record]:
    reader = csv.reader(_text(path, lines), delimiter="\t" if path.suffix.lower() == ".tsv" else ",", strict=True)
    try:
        names = next(reader, None)
        if names is None:
            return
        if len(set(names)) != len(names):
            raise CommandError(f"{path}, line 1: two columns have the same name")
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(names):
                raise CommandError(f"{path}, line {reader.line_num}: {len(cells)} cells below {len(names)} headings")
            yield Record(reader.line_num, dict(zip(names, cells, strict=True)))
    except csv.Error as error:
        raise CommandError(f"{path}, line {reader.line_num}: {error}") from error
