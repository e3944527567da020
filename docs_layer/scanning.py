"""Reading what one branch of a plan names: rows by key, rows of a range, rows of an index, or entries alone.

Owns the ways from a path to rows, each a chunk at a time: rows of an index are fetched with one `multi_get` a chunk,
and where the entries hold everything that is asked for (`Branch.index_only`) no row is read at all. Two indexes are
read side by side in the order of the primary key, and only rows that both name are fetched.

On a snapshot an entry without its row is damage. In a transaction it may be that the program deleted or changed the row
since the scan began; such rows are skipped here, and tested again by whoever asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from docs_layer.bound_tables import BoundTable
from docs_layer.elements import Repeats, first_element_test
from docs_layer.errors import CorruptionError
from docs_layer.large_values import FIRST_LAYOUT
from docs_layer.plans import Branch
from docs_layer.store import Chunk, Reader
from docs_layer.tables import Table

_GET_BATCH: Final = 256


@dataclass(frozen=True, slots=True)
class View:
    """What a cursor reads from.

    Attributes:
        reader: The store's view.
        table: The table as of that view.
        open_table: Gives other tables as of that view.
        is_live: Whether the program may write to the view while the cursor runs.
    """

    reader: Reader
    table: BoundTable
    open_table: Callable[[type[Table]], BoundTable]
    is_live: bool


class Fetched(NamedTuple):
    """Decoded rows, and whether `Pending` stands for a value in any of them."""

    rows: list[Any]
    has_pending: bool


def fetch_rows(view: View, branch: Branch, limit: int | None) -> Iterator[Fetched]:
    """Give all rows that a branch's path holds, decoded, in lists; at most `limit` where that is given."""
    if branch.index_only:
        read = view.table.covered(branch.path.number).read
        for chunk in scan_ranges(view.reader, branch, limit, values=branch.path.unique or bool(branch.path.included)):
            yield Fetched(read(chunk.keys, chunk.values), has_pending=False)
        return
    if branch.path.number == 0:
        for stored in _get_in_batches(view.reader, branch.keys, branch.reverse):
            yield _decoded(view.table, [value for value in stored if value is not None])
        for chunk in scan_ranges(view.reader, branch, limit, values=True):
            yield _decoded(view.table, chunk.values)
        return
    if branch.repeats is not None:
        yield from _fetch_elements(view, branch, branch.repeats)
        return
    prefix = view.table.row_prefix
    found = _primaries(view, branch, None if branch.also else limit)
    for other in branch.also:
        found = _common(found, _primaries(view, other, None))
    for primaries in found:
        row_keys = [prefix + primary for primary in primaries]
        stored_rows = [stored for stored in _stored_rows(view, branch, row_keys) if stored is not None]
        yield _decoded(view.table, stored_rows)


def _fetch_elements(view: View, branch: Branch, repeats: Repeats) -> Iterator[Fetched]:
    """Give the rows of an index over the elements of lists, each at the first of its elements that is wanted."""
    table = view.table
    primary_of = table.index_numbered(branch.path.number).primary_of
    is_first = first_element_test(branch.path, repeats)
    looked_at = {repeats.column.column}
    for chunk in scan_ranges(view.reader, branch, None, values=branch.path.unique):
        primaries = list(map(primary_of, chunk.keys, chunk.values or [b""] * len(chunk.keys)))
        found = _stored_rows(view, branch, [table.row_prefix + primary for primary in primaries])
        kept = [
            stored
            for key, primary, stored in zip(chunk.keys, primaries, found, strict=True)
            if stored is not None and is_first(key, table.row_with(view.reader, primary, stored, looked_at))
        ]
        yield _decoded(table, kept)


def _decoded(table: BoundTable, stored: list[bytes]) -> Fetched:
    return Fetched(list(map(table.codec.decode, stored)), bool(stored) and min(stored) < FIRST_LAYOUT)


def scan_ranges(reader: Reader, branch: Branch, limit: int | None, *, values: bool) -> Iterator[Chunk]:
    """Scan the ranges of a branch in its direction, at most `limit` entries in all."""
    left = limit
    for start, stop in branch.ranges[::-1] if branch.reverse else branch.ranges:
        for chunk in reader.scan(start, stop, reverse=branch.reverse, limit=left, values=values):
            if left is not None:
                left -= len(chunk.keys)
            yield chunk
        if left is not None and left <= 0:
            return


def _primaries(view: View, branch: Branch, limit: int | None) -> Iterator[list[bytes]]:
    """Give the encoded primary keys that an index holds for a branch, in lists."""
    reader = view.reader
    primary_of = view.table.index_numbered(branch.path.number).primary_of
    for values in _get_in_batches(reader, branch.keys, branch.reverse):
        yield [primary_of(b"", value) for value in values if value is not None]
    for chunk in scan_ranges(reader, branch, limit, values=branch.path.unique):
        if chunk.values:
            yield list(map(primary_of, chunk.keys, chunk.values))
        else:
            yield [primary_of(key, b"") for key in chunk.keys]


def _common(left: Iterator[list[bytes]], right: Iterator[list[bytes]]) -> Iterator[list[bytes]]:
    """Give what stands in both of two ascending sequences; holds one list of each."""
    pending: list[bytes] = []
    for keys in left:
        if not keys:
            continue
        wanted, last = set(keys), keys[-1]
        found = [key for key in pending if key in wanted]
        while not pending or pending[-1] < last:
            following = next(right, None)
            if following is None:
                break
            pending = following
            found += [key for key in pending if key in wanted]
        yield found


def _stored_rows(view: View, branch: Branch, row_keys: Sequence[bytes]) -> list[bytes | None]:
    """Give the bytes of each row; None where a row is gone, which on a snapshot is damage."""
    found = view.reader.multi_get(row_keys)
    for key, stored in zip(row_keys, found, strict=True):
        if stored is None and not view.is_live:
            raise CorruptionError(
                f"index {branch.path.name}", "an entry names a row that is not there; run verify()", key=key
            )
    return found


def _get_in_batches(reader: Reader, keys: Sequence[bytes], reverse: bool) -> Iterator[list[bytes | None]]:
    ordered = keys[::-1] if reverse else keys
    for begin in range(0, len(ordered), _GET_BATCH):
        yield reader.multi_get(ordered[begin : begin + _GET_BATCH])
