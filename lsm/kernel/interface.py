"""What every kernel offers: the hot loops over blocks, filters and runs, as one interface.

A kernel is a module of pure functions without state. All kernels read and write the same bytes and give the same
results; the property tests run on each of them. The grammar of the bytes stands in
`lsm/kernel/blocks.py` and `lsm/kernel/filters.py`.

Any number of threads may call any function at once; blocks and filters never change after they were made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from lsm.runs import Missing, Run, Value


class Block(NamedTuple):
    """A block whose lengths were all checked, with what a search in its raw bytes needs. Made by `parse_block` only.

    `content` is the whole block; all positions count from its start. Entry `i` has the key `prefix` + the i-th piece
    of the key column, and the i-th piece of the value column. Pieces of a column are either all `..._length` bytes
    long, or lie between the i-th and the following one of `..._bounds`, which is None in the first case.
    """

    content: bytes
    entry_count: int
    prefix: bytes
    key_start: int
    key_length: int
    key_bounds: Sequence[int] | None
    value_start: int
    value_length: int
    value_bounds: Sequence[int] | None
    tombstones: frozenset[int] | range

    @property
    def memory_bytes(self) -> int:
        """About how much memory the block takes, in bytes."""
        bounds = (self.key_bounds is not None) + (self.value_bounds is not None)
        return 400 + len(self.content) + self.entry_count * 4 * bounds + len(self.tombstones) * 64


class Filter(NamedTuple):
    """A filter whose lengths were checked. Made by `parse_filter` only."""

    bits: bytes
    block_count: int
    probe_count: int


class Kernel(Protocol):
    """The hot loops of the engine."""

    def encode_block(self, keys: Sequence[bytes], values: Sequence[Value]) -> bytes:
        """Return the bytes of a block with at least one entry; keys strictly ascending, values beside them."""
        ...

    def parse_block(self, content: bytes, path: str, offset: int) -> Block:
        """Check every length in `content` and return the block.

        `path` and `offset` name the place of the block for the `CorruptionError` that is raised when a length does not
        fit. The order of the keys is not checked here, see `TableReader.check`. Costs no more memory than `content`.
        """
        ...

    def search_block(self, block: Block, key: bytes) -> bytes | Missing | None:
        """Return the value of `key`, None when it has a tombstone, `MISSING` when it is not in the block."""
        ...

    def decode_block(self, block: Block) -> Run:
        """Return all entries, ascending."""
        ...

    def decode_part(self, block: Block, start: bytes | None, stop: bytes | None) -> Run:
        """Return the entries with `start` <= key < `stop`, ascending; None means no bound on that side."""
        ...

    def key_hashes(self, keys: Sequence[bytes]) -> list[int]:
        """Return the 64-bit hash of each key (XXH3), by which filters know keys."""
        ...

    def build_filter(self, hashes: Sequence[int], bits_per_key: int) -> bytes:
        """Return the bytes of a filter over keys with these hashes; at 10 bits a key at most 1 % false positives."""
        ...

    def parse_filter(self, content: bytes, path: str, offset: int) -> Filter:
        """Check the lengths of a filter at this place and return it; raise `CorruptionError` when they do not fit."""
        ...

    def probe_filter(self, key_filter: Filter, key_hash: int) -> bool:
        """Tell whether a key with this hash may have been given to `build_filter`; False is certain."""
        ...

    def merge_runs(self, runs: Sequence[Run], reverse: bool) -> Run:
        """Merge runs, the newest first, into one; of equal keys the newest wins. Tombstones are kept.

        The runs are ascending and so is the result, or with `reverse` all are descending. The result may share nothing
        with the runs, or be the only run that is not empty.
        """
        ...
