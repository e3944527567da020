"""The manifest: one version as a self-checking text file, and CURRENT, which names the live one.

A manifest is written once and never edited. The switch to a new one is `write_manifest`, then `write_current`.

    manifest   = header table* check
    header     = JSON object: "kind" "layerdb manifest", "format_version", "number", "previous_number" (or null),
                 "level_count", "oldest_log" (number, identity: 16 hex digits), "last_sequence", "next_file_number",
                 "table_count"; LF
    table      = JSON object: "level", "number", "identity" (32 hex digits), "size_bytes", "smallest" (hex), "largest"
                 (hex, or null = no upper bound), "entry_count", "tombstone_count", "range_tombstone_count",
                 "first_sequence", "last_sequence", "level_at_creation"; LF
    check      = "crc32c " 8 hex digits LF          CRC-32C of all bytes before this line
    CURRENT    = "layerdb current 1" LF "manifest " decimal number LF "checksum " 8 hex digits LF check

Tables stand in the order of their level (level 0 newest first), levels ascending; all hex digits are lower case.
"checksum" in CURRENT is the number in the check line of the manifest, so an older or foreign manifest under the same
name is noticed. The check line and the names "kind" and "format_version" stay as they are in every later format, so
that a file of a newer release is told from a damaged one. For example, the check line of the empty text is

    crc32c 00000000

Whatever does not follow this grammar is a `CorruptionError` with the offset of the line that is wrong (of the file's
begin when only the check line disagrees). Nothing is allocated beyond a small multiple of the file's real length.

No state; the functions may be called from any thread. Who may switch CURRENT is the caller's matter (the holder of
LOCK).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from typing import Final, NoReturn

import msgspec

from lsm.checksum import checksum
from lsm.environment import Directory, write_all
from lsm.errors import CorruptionError, FormatError, MissingFileError
from lsm.filenames import CURRENT, CURRENT_TEMPORARY, manifest_name
from lsm.version import LogReference, TableMetadata, Version

FORMAT_VERSION: Final = 1
"""Of manifests. Raised when an older release could no longer read what is written."""
CURRENT_VERSION: Final = 1
"""Of CURRENT."""

_KIND: Final = "layerdb manifest"
_CHECK = re.compile(rb"crc32c ([0-9a-f]{8})\n")
_CHECK_BYTES: Final = len("crc32c 00000000\n")
_CURRENT = re.compile(rb"layerdb current (\d{1,9})\n")
_CURRENT_FIELDS = re.compile(rb"manifest (\d{1,20})\nchecksum ([0-9a-f]{8})\n")
_HEX = re.compile(r"(?:[0-9a-f]{2})*")
_LARGEST_NUMBER: Final = (1 << 63) - 1
_UNREADABLE: Final = (ValueError, RecursionError)
"""What the JSON decoder raises for a text that is not ours."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What one manifest says.

    number, previous_number: its own, and that of the one before it (None: there was none), which is kept.
    oldest_log: logs before it are no longer needed.
    version: the tables. next_file_number: every number in use when it was written is below.
    """

    number: int
    previous_number: int | None
    oldest_log: LogReference
    version: Version
    next_file_number: int
    format_version: int = FORMAT_VERSION

    @property
    def level_count(self) -> int:
        """The number of levels, which is fixed when a database is created."""
        return len(self.version.levels)


class _Kind(msgspec.Struct, frozen=True):
    """The part of a header that every format has in common."""

    kind: str
    format_version: int


class _Log(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    number: int
    identity: str


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    kind: str
    format_version: int
    number: int
    previous_number: int | None
    level_count: int
    oldest_log: _Log
    last_sequence: int
    next_file_number: int
    table_count: int


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    level: int
    number: int
    identity: str
    size_bytes: int
    smallest: str
    largest: str | None
    entry_count: int
    tombstone_count: int
    range_tombstone_count: int
    first_sequence: int
    last_sequence: int
    level_at_creation: int


def encode_manifest(manifest: Manifest) -> bytes:
    """Return the bytes of a manifest. O(tables)."""
    version = manifest.version
    header = _Header(
        kind=_KIND,
        format_version=manifest.format_version,
        number=manifest.number,
        previous_number=manifest.previous_number,
        level_count=manifest.level_count,
        oldest_log=_Log(manifest.oldest_log.number, f"{manifest.oldest_log.identity:016x}"),
        last_sequence=version.last_sequence,
        next_file_number=manifest.next_file_number,
        table_count=sum(map(len, version.levels)),
    )
    lines: list[msgspec.Struct] = [header]
    lines += [_table_line(level, table) for level, tables in enumerate(version.levels) for table in tables]
    return _checked(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))


def decode_manifest(content: bytes, path: str) -> Manifest:
    """Return what the bytes of a manifest say; `path` is for messages.

    Raises:
        CorruptionError: the bytes are not what was written.
        FormatError: a newer release wrote them.
    """
    body = _unchecked(content, path)
    lines = body.split(b"\n")[:-1] if body.endswith(b"\n") else [body]
    header = _decode_header(lines[0], path)
    version = Version(_decode_tables(lines, header, path), header.last_sequence)
    try:
        version.check()
    except ValueError as problem:
        raise CorruptionError(path, 0, str(problem)) from problem
    if max((table.number for table in version.tables()), default=header.number) >= header.next_file_number:
        raise CorruptionError(path, 0, f"a number is not below the next file number {header.next_file_number}")
    return Manifest(
        number=header.number,
        previous_number=header.previous_number,
        oldest_log=LogReference(header.oldest_log.number, _unhex_number(header.oldest_log.identity, 16, path, 0)),
        version=version,
        next_file_number=header.next_file_number,
        format_version=header.format_version,
    )


def manifest_checksum(content: bytes) -> int:
    """Return the number in the check line of an encoded manifest, for CURRENT."""
    return int(content[-9:-1], 16)


def write_manifest(directory: Directory, manifest: Manifest) -> int:
    """Write a new manifest file and sync it; return its checksum, for `write_current`.

    The name is durable only after `write_current` (or another sync of the directory). After an error a part of the
    file may be left, which nothing names.

    Raises:
        StorageError: a call failed.
    """
    content = encode_manifest(manifest)
    _write_file(directory, manifest_name(manifest.number), content)
    return manifest_checksum(content)


def read_manifest(directory: Directory, number: int, expected_checksum: int | None) -> Manifest:
    """Read manifest `number`; `expected_checksum` is what CURRENT says (None: not known).

    Raises:
        CorruptionError: it is damaged, or another one than CURRENT means.
        FormatError: a newer release wrote it.
        StorageError: a call failed; `MissingFileError` if there is no such file.
    """
    path, content = _read_file(directory, manifest_name(number))
    manifest = decode_manifest(content, path)
    if manifest.number != number:
        raise CorruptionError(path, 0, f"it says that it is manifest {manifest.number}")
    if expected_checksum not in {None, manifest_checksum(content)}:
        offset = len(content) - _CHECK_BYTES
        raise CorruptionError(path, offset, f"CURRENT names a manifest with checksum {expected_checksum:08x}")
    return manifest


def write_current(directory: Directory, number: int, expected_checksum: int) -> None:
    """Make manifest `number` the live one; when this returns, power loss cannot undo it.

    The order is what makes it safe: the directory is synced before CURRENT changes, so that the names of manifest and
    tables are durable before anything points to them, and again after the rename, so that old files may be removed.

    Raises:
        StorageError: a call failed; the directory names the old or the new manifest, and both are whole.
    """
    directory.sync()
    with contextlib.suppress(MissingFileError):
        directory.unlink(CURRENT_TEMPORARY)
    body = f"layerdb current {CURRENT_VERSION}\nmanifest {number}\nchecksum {expected_checksum:08x}\n"
    _write_file(directory, CURRENT_TEMPORARY, _checked(body.encode("ascii")))
    directory.rename(CURRENT_TEMPORARY, CURRENT)
    directory.sync()


def read_current(directory: Directory) -> tuple[int, int] | None:
    """Return number and checksum of the live manifest, or None if there is no CURRENT.

    Raises:
        CorruptionError: the file is damaged.
        FormatError: a newer release wrote it.
    """
    try:
        path, content = _read_file(directory, CURRENT)
    except MissingFileError:
        return None
    body = _unchecked(content, path)
    head = _CURRENT.match(body)
    if head is None:
        raise CorruptionError(path, 0, "it does not begin as CURRENT does")
    if int(head[1]) > CURRENT_VERSION:
        raise FormatError(path, int(head[1]), CURRENT_VERSION)
    fields = _CURRENT_FIELDS.fullmatch(body, head.end())
    if fields is None or int(head[1]) != CURRENT_VERSION:
        raise CorruptionError(path, head.end(), "it does not name a manifest")
    return int(fields[1]), int(fields[2], 16)


def _checked(body: bytes) -> bytes:
    """Add the check line."""
    return body + b"crc32c %08x\n" % checksum(body)


def _unchecked(content: bytes, path: str) -> bytes:
    """Return `content` without its check line, which must be right."""
    place = max(len(content) - _CHECK_BYTES, 0)
    check = _CHECK.fullmatch(content, place)
    if check is None:
        raise CorruptionError(path, place, "the check line at the end is missing; the file is cut off or damaged")
    body = content[:place]
    if checksum(body) != int(check[1], 16):
        raise CorruptionError(path, 0, f"checksum {checksum(body):08x} instead of {check[1].decode()}")
    return body


def _table_line(level: int, table: TableMetadata) -> _Table:
    fields = msgspec.structs.asdict(table)
    fields["identity"] = f"{table.identity:032x}"
    fields["smallest"] = table.smallest.hex()
    fields["largest"] = None if table.largest is None else table.largest.hex()
    return _Table(level=level, **fields)


def _decode_header(line: bytes, path: str) -> _Header:
    try:
        kind = msgspec.json.decode(line, type=_Kind)
        if kind.kind != _KIND:
            _refuse(f"kind {kind.kind!r}")
        if kind.format_version > FORMAT_VERSION:
            raise FormatError(path, kind.format_version, FORMAT_VERSION)
        header = msgspec.json.decode(line, type=_Header)
        numbers = (header.number, header.previous_number or 0, header.oldest_log.number, header.next_file_number)
        if header.format_version != FORMAT_VERSION or not all(0 <= number <= _LARGEST_NUMBER for number in numbers):
            _refuse("impossible number")
    except _UNREADABLE as problem:
        raise CorruptionError(path, 0, f"no header of a manifest: {problem}") from problem
    return header


def _decode_tables(lines: Sequence[bytes], header: _Header, path: str) -> tuple[tuple[TableMetadata, ...], ...]:
    """Return the levels. Their number is believed only as far as the tables, or a small limit, bear it out."""
    if not 1 <= header.level_count <= 255 or header.table_count != len(lines) - 1:
        raise CorruptionError(path, 0, f"{header.table_count} tables in {header.level_count} levels: not what follows")
    levels: list[list[TableMetadata]] = [[] for _ in range(header.level_count)]
    offset, deepest = len(lines[0]) + 1, 0
    for line in lines[1:]:
        level, table = _decode_table(line, path, offset)
        if not deepest <= level < header.level_count:
            raise CorruptionError(path, offset, f"level {level} is out of order")
        levels[level].append(table)
        offset, deepest = offset + len(line) + 1, level
    return tuple(map(tuple, levels))


def _decode_table(line: bytes, path: str, offset: int) -> tuple[int, TableMetadata]:
    try:
        found = msgspec.json.decode(line, type=_Table)
    except _UNREADABLE as problem:
        raise CorruptionError(path, offset, f"no line of a table: {problem}") from problem
    fields = msgspec.structs.asdict(found)
    fields["identity"] = _unhex_number(found.identity, 32, path, offset)
    fields["smallest"] = _unhex(found.smallest, path, offset)
    fields["largest"] = None if found.largest is None else _unhex(found.largest, path, offset)
    return fields.pop("level"), TableMetadata(**fields)


def _refuse(reason: str) -> NoReturn:
    raise ValueError(reason)


def _unhex(text: str, path: str, offset: int) -> bytes:
    if not _HEX.fullmatch(text):
        raise CorruptionError(path, offset, f"{text!r} is not made of pairs of hex digits")
    return bytes.fromhex(text)


def _unhex_number(text: str, digits: int, path: str, offset: int) -> int:
    if len(text) != digits:
        raise CorruptionError(path, offset, f"{text!r} has not {digits} digits")
    return int.from_bytes(_unhex(text, path, offset), "big")


def _write_file(directory: Directory, name: str, content: bytes) -> None:
    file = directory.open(name, "create")
    try:
        write_all(file, 0, content)
        file.sync()
    finally:
        file.close()


def _read_file(directory: Directory, name: str) -> tuple[str, bytes]:
    file = directory.open(name, "read")
    try:
        return file.path, file.read_at(0, file.size())
    finally:
        file.close()
