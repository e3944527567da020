"""What a table says about itself: which edit made it, what it holds, how it was written. One JSON object in the file.

The edit together with the manifest before it gives the manifest after it, so a lost last manifest can be made again
from the tables. Keys are base64 in JSON. Unknown fields are ignored, so that a later release may add some.
"""

from __future__ import annotations

import msgspec

from lsm.errors import CorruptionError
from lsm.options import Compression


class TableEdit(msgspec.Struct, frozen=True, kw_only=True):
    """The edit of the version that made a table.

    manifest_number: the manifest that the edit started from.
    level: the level that the table went to.
    place: its place among the tables which the edit adds to that level.
    consumed_tables, consumed_logs: numbers of the tables and logs whose entries went into the outputs.
    output_index, output_count: which of how many outputs of the edit the table is, from 0.
    """

    manifest_number: int
    level: int
    place: int
    consumed_tables: tuple[int, ...] = ()
    consumed_logs: tuple[int, ...] = ()
    output_index: int = 0
    output_count: int = 1


class TableProperties(msgspec.Struct, frozen=True, kw_only=True):
    """The properties of a table. Who writes a table gives the first three; the writer fills in the others.

    edit: the edit that made the table.
    first_sequence, last_sequence: of the writes which the table may hold.
    identity: the identity of the table in hexadecimal digits.
    entry_count: entries, tombstones included. tombstone_count: those that delete one key.
    range_tombstone_count: ranges that are deleted.
    smallest, largest: bounds of all keys and range tombstones; a largest of None has no upper bound.
    key_bytes, value_bytes: sum over all entries, before prefix sharing and compression.
    block_bytes, compression, filter_bits_per_key: the options that it was written with.
    """

    edit: TableEdit
    first_sequence: int
    last_sequence: int
    identity: str = ""
    entry_count: int = 0
    tombstone_count: int = 0
    range_tombstone_count: int = 0
    smallest: bytes = b""
    largest: bytes | None = b""
    key_bytes: int = 0
    value_bytes: int = 0
    block_bytes: int = 0
    compression: Compression = "none"
    filter_bits_per_key: int = 0


def encode_properties(properties: TableProperties) -> bytes:
    """Return the content of the properties frame."""
    return msgspec.json.encode(properties)


def parse_properties(content: bytes, path: str, offset: int) -> TableProperties:
    """Return the properties; raise `CorruptionError` naming this place when the content is anything else."""
    try:
        return msgspec.json.decode(content, type=TableProperties)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:  # ValueError: text that is not UTF-8
        raise CorruptionError(path, offset, f"properties: {error}") from error
