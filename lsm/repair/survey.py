"""What a damaged directory holds: every manifest, table and log, each as far as it can be read. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from lsm.compression import Decompressor
from lsm.environment import Directory
from lsm.errors import CorruptionError, MissingFileError
from lsm.filenames import CURRENT, log_name, manifest_name, parse_name, table_name
from lsm.manifest import Manifest, read_current, read_manifest
from lsm.repair.report import Findings
from lsm.shared_page import Promise, read_promise
from lsm.sstable.frame import FrameReader, read_footer
from lsm.sstable.properties import TableProperties, parse_properties
from lsm.write_ahead_log.header import LogHeader
from lsm.write_ahead_log.reader import possible_identities, read_log_header


class TableFacts(NamedTuple):
    """A table file. identity: None when the footer cannot be read. properties: None when they cannot be read."""

    number: int
    size_bytes: int
    identity: int | None
    properties: TableProperties | None


class LogFacts(NamedTuple):
    """A log file. header: None when it is damaged, or that of a log with another number.

    identities: what may be its identity, as its header and its first frame have it.
    """

    header: LogHeader | None
    identities: tuple[int, ...]


class Survey(NamedTuple):
    """What is there, by number.

    named: the manifest that CURRENT names by number and checksum; None when CURRENT or that manifest is damaged.
    """

    manifests: Mapping[int, Manifest]
    named: Manifest | None
    tables: Mapping[int, TableFacts]
    logs: Mapping[int, LogFacts]
    promise: Promise


def take_survey(directory: Directory, findings: Findings) -> Survey:
    """Look at every file. Raises `FormatError` for files of a newer release, `StorageError`."""
    numbers = {kind: sorted(_numbers(directory, kind)) for kind in ("manifest", "table", "log")}
    manifests = {}
    for number in numbers["manifest"]:
        try:
            manifests[number] = read_manifest(directory, number, None)
        except CorruptionError as damage:
            findings.note(f"{manifest_name(number)} is damaged at offset {damage.offset} ({damage.reason})")
    return Survey(
        manifests,
        _named(directory, findings),
        {number: _table(directory, number) for number in numbers["table"]},
        {number: _log(directory, number) for number in numbers["log"]},
        read_promise(directory),
    )


def _numbers(directory: Directory, kind: str) -> Iterator[int]:
    for found in map(parse_name, directory.names()):
        if found is not None and found[0] == kind:
            yield found[1]


def _named(directory: Directory, findings: Findings) -> Manifest | None:
    try:
        current = read_current(directory)
        if current is None:
            findings.note(f"{CURRENT} is missing")
            return None
        return read_manifest(directory, *current)
    except MissingFileError as missing:
        findings.note(f"{missing.path.rpartition('/')[2]}, which {CURRENT} names, is missing")
    except CorruptionError as damage:
        findings.note(f"{damage.path.rpartition('/')[2]} is damaged at offset {damage.offset} ({damage.reason})")
    return None


def _table(directory: Directory, number: int) -> TableFacts:
    file = directory.open(table_name(number), "read")
    identity = None
    try:
        footer = read_footer(file, None)
        identity = footer.identity
        content = FrameReader(file, footer.identity, Decompressor()).read(footer.properties)
        properties = parse_properties(content, file.path, footer.properties.offset)
        return TableFacts(number, file.size(), identity, properties)
    except CorruptionError:
        return TableFacts(number, file.size(), identity, None)
    finally:
        file.close()


def _log(directory: Directory, number: int) -> LogFacts:
    file = directory.open(log_name(number), "read")
    try:
        header = read_log_header(file)
        return LogFacts(header, (header.identity,)) if header.number == number else LogFacts(None, ())
    except CorruptionError:
        return LogFacts(None, tuple(possible_identities(file)))
    finally:
        file.close()
