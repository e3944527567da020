"""The map of all keys: the only place where a prefix is written.

Owns the first bytes of every key and the names of sequences. Table, field and index numbers are small integers that
are never given out twice; each table, and each index, is one contiguous range. Pure functions; any thread may use them.

Grammar:

    key       = number(0) catalog | number(table) area
    catalog   = 00                                 header
              | 01 number(table)                   table definition
              | 02 number(table) number(layout)    one layout of its rows
              | 03 number(table) number(index)     progress of an index build
    area      = 00 primary key                     row
              | 01 ...                             values stored out of line
              | number(15 + index) entry           index entry; indexes are numbered from 1
    number    = n                                  0..239 in one byte
              | F0 + size - 1, n                   greater ones: big-endian in `size` bytes (1 to 8), no leading zero

No number is the beginning of another, and their order is that of their bytes. Areas 02 to 0F are free for later kinds
of data. Tables are numbered from 1. Example: the row 5 of table 3 is 03 00 20 80 00 00 00 00 00 00 05.
"""

from __future__ import annotations

from typing import Final

from docs_layer.key_encoding import successor

CATALOG_NUMBER: Final = 0
ROWS_AREA: Final = 0
LARGE_VALUES_AREA: Final = 1
RESERVED_AREAS: Final = 15

_HEADER: Final = b"\0"
_TABLES: Final = b"\1"
_LAYOUTS: Final = b"\2"
_INDEX_BUILDS: Final = b"\3"
_ONE_BYTE_LIMIT: Final = 0xF0


def number_bytes(number: int) -> bytes:
    """Encode a table, layout or index number so that the order of numbers is that of their bytes.

    Errors: `ValueError` for numbers below 0 or of more than 64 bits.
    """
    if 0 <= number < _ONE_BYTE_LIMIT:
        return bytes([number])
    if not 0 <= number < 1 << 64:
        raise ValueError(f"{number} is not a number from 0 to 2**64 - 1")
    size_bytes = (number.bit_length() + 7) // 8
    return bytes([_ONE_BYTE_LIMIT + size_bytes - 1]) + number.to_bytes(size_bytes, "big")


def _read_number(key: bytes, offset: int) -> tuple[int, int]:
    """Give the number at `offset` and the offset behind it. Raises `ValueError` if the key is too short."""
    first = key[offset] if offset < len(key) else -1
    if 0 <= first < _ONE_BYTE_LIMIT:
        return first, offset + 1
    end = offset + 2 + first - _ONE_BYTE_LIMIT
    if not _ONE_BYTE_LIMIT <= first < _ONE_BYTE_LIMIT + 8 or end > len(key):
        raise ValueError(f"no number at offset {offset} of key {key.hex()}")
    return int.from_bytes(key[offset + 1 : end], "big"), end


def _table_prefix(table: int) -> bytes:
    if table < 1:
        raise ValueError(f"tables are numbered from 1, not {table}")
    return number_bytes(table)


def row_key_prefix(table: int) -> bytes:
    """Give what stands before the primary key in the key of a row: 2 bytes for the first 239 tables."""
    return _table_prefix(table) + number_bytes(ROWS_AREA)


def index_prefix(table: int, index: int) -> bytes:
    """Give what stands before the components of an index entry: 2 bytes for small numbers; indexes count from 1."""
    if index < 1:
        raise ValueError(f"indexes are numbered from 1, not {index}")
    return _table_prefix(table) + number_bytes(RESERVED_AREAS + index)


def large_values_prefix(table: int) -> bytes:
    """Give what stands before the chunks of a table's values that are stored out of line."""
    return _table_prefix(table) + number_bytes(LARGE_VALUES_AREA)


def large_values_range(table: int) -> tuple[bytes, bytes]:
    """Give the range of all values of a table that are stored out of line."""
    prefix = large_values_prefix(table)
    return prefix, successor(prefix)


def table_range(table: int) -> tuple[bytes, bytes]:
    """Give the range of everything a table owns outside the catalog: rows, entries, values stored out of line."""
    prefix = _table_prefix(table)
    return prefix, successor(prefix)


def row_range(table: int) -> tuple[bytes, bytes]:
    """Give the range of all rows of a table."""
    prefix = row_key_prefix(table)
    return prefix, successor(prefix)


def index_range(table: int, index: int) -> tuple[bytes, bytes]:
    """Give the range of all entries of an index."""
    prefix = index_prefix(table, index)
    return prefix, successor(prefix)


def table_of_key(key: bytes) -> int:
    """Give the number of the table that a key belongs to, 0 for the catalog. Raises `ValueError` for foreign bytes."""
    return _read_number(key, 0)[0]


def catalog_header_key() -> bytes:
    """Give the key of the catalog's header: format version and the next unused numbers."""
    return number_bytes(CATALOG_NUMBER) + _HEADER


def catalog_table_key(table: int) -> bytes:
    """Give the key of one table's definition."""
    return number_bytes(CATALOG_NUMBER) + _TABLES + _table_prefix(table)


def catalog_tables_range() -> tuple[bytes, bytes]:
    """Give the range of all table definitions, in the order of their numbers."""
    prefix = number_bytes(CATALOG_NUMBER) + _TABLES
    return prefix, successor(prefix)


def catalog_layout_key(table: int, layout: int) -> bytes:
    """Give the key of one layout of a table's rows."""
    return number_bytes(CATALOG_NUMBER) + _LAYOUTS + _table_prefix(table) + number_bytes(layout)


def catalog_layouts_range(table: int) -> tuple[bytes, bytes]:
    """Give the range of all layouts of a table, oldest first."""
    prefix = number_bytes(CATALOG_NUMBER) + _LAYOUTS + _table_prefix(table)
    return prefix, successor(prefix)


def index_build_key(table: int, index: int) -> bytes:
    """Give the key under which the build of an index keeps how far it is."""
    return number_bytes(CATALOG_NUMBER) + _INDEX_BUILDS + _table_prefix(table) + number_bytes(index)


def catalog_range() -> tuple[bytes, bytes]:
    """Give the range of the whole catalog."""
    prefix = number_bytes(CATALOG_NUMBER)
    return prefix, successor(prefix)


def row_id_sequence(table: int) -> bytes:
    """Give the name under which the store allocates a table's automatic ids."""
    return b"id" + _table_prefix(table)
