"""What every kernel offers: the hot loops over blocks, filters, runs and log frames, as one interface.

A kernel is a module of pure functions without state. All kernels read and write the same bytes and give the same
results; the property tests run on each of them. The grammars of the bytes stand in `lsm/kernel/blocks.py`,
`lsm/kernel/filters.py`, `lsm/kernel/log_frames.py` and `lsm/kernel/log_entries.py`.

Any number of threads may call any function at once; blocks and filters never change after they were made.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

from lsm.runs import Missing, Run, Value


class Block(Protocol):
    """A block whose lengths were all checked. Made by `parse_block` of the kernel that will read it."""

    @property
    def entry_count(self) -> int:
        """How many entries it has."""
        ...

    @property
    def memory_bytes(self) -> int:
        """About how much memory the block takes, in bytes."""
        ...


BlockType = TypeVar("BlockType", bound=Block)


class Filter(NamedTuple):
    """A filter whose lengths were checked. Made by `parse_filter` only."""

    bits: bytes
    block_count: int
    probe_count: int


class CacheEntry(Protocol):
    """One object in the block cache. `used` is the clock's mark, free to be set; `content` is None once it was evicted.

    `table` and `offset` say whose it is and where it lies in the file, `charge_bytes` what it counts for.
    """

    content: Any
    used: bool

    @property
    def table(self) -> Any:
        """The `CachedTable`."""
        ...

    @property
    def offset(self) -> int:
        """Its key among the entries of the table."""
        ...

    @property
    def charge_bytes(self) -> int:
        """What it counts for in the cache."""
        ...


class Finder(Protocol):
    """The lower bounds of the parts of an index, with a few slots for each part: where the cache has it.

    The parts of a top index have a slot for the filter and one for the index, those of an index one for the block.
    """

    def remember(self, slot: int, entry: CacheEntry | None, /) -> None:
        """Note the entry of a part, so that the kernel's look-ups find it; None says that there is no such part."""
        ...


class LookupTable(NamedTuple):
    """A table as look-ups see it.

    `get(key, hash)` is its own look-up, which reads what is not cached. The first slot of `root` is for the top index.
    `ranged`: it has range tombstones, which only its own look-up knows.
    """

    get: Callable[[bytes, int], bytes | Missing | None]
    root: Finder
    ranged: bool


class LookupLevel(NamedTuple):
    """Disjoint tables, ascending, with their inclusive bounds; `largest` is one shorter if the last has no end."""

    largest: Sequence[bytes]
    smallest: Sequence[bytes]
    tables: Sequence[LookupTable]


class Levels(Protocol):
    """The tables of a version, newest first, laid out for look-ups. Never changes; for any number of threads."""

    def get(self, key: bytes, /) -> bytes | Missing | None:
        """Return the value of the newest table that speaks about `key`; None if it is deleted, `MISSING` if none does.

        Raises what the tables raise.
        """
        ...

    def multi_get(self, keys: Sequence[bytes], /) -> list[bytes | Missing | None]:
        """Return what `get` returns for each of `keys`, in their order."""
        ...


class KernelOf(Protocol[BlockType]):
    """The hot loops of the engine, in a kernel with this type of blocks."""

    def encode_block(self, keys: Sequence[bytes], values: Sequence[Value], /) -> bytes:
        """Return the bytes of a block with at least one entry; keys strictly ascending, values beside them."""
        ...

    def parse_block(self, content: bytes, path: str, offset: int, /) -> BlockType:
        """Check every length in `content` and return the block.

        `path` and `offset` name the place of the block for the `CorruptionError` that is raised when a length does not
        fit. The order of the keys is not checked here, see `TableReader.check`. Costs no more memory than `content`.
        """
        ...

    def search_block(self, block: BlockType, key: bytes, /) -> bytes | Missing | None:
        """Return the value of `key`, None when it has a tombstone, `MISSING` when it is not in the block."""
        ...

    def decode_block(self, block: BlockType, /) -> Run:
        """Return all entries, ascending."""
        ...

    def decode_part(self, block: BlockType, start: bytes | None, stop: bytes | None, /) -> Run:
        """Return the entries with `start` <= key < `stop`, ascending; None means no bound on that side."""
        ...

    def key_hashes(self, keys: Sequence[bytes], /) -> list[int]:
        """Return the 64-bit hash of each key (XXH3), by which filters know keys."""
        ...

    def build_filter(self, hashes: Sequence[int], bits_per_key: int, /) -> bytes:
        """Return the bytes of a filter over keys with these hashes; at 10 bits a key at most 1 % false positives."""
        ...

    def parse_filter(self, content: bytes, path: str, offset: int, /) -> Filter:
        """Check the lengths of a filter at this place and return it; raise `CorruptionError` when they do not fit."""
        ...

    def probe_filter(self, key_filter: Filter, key_hash: int, /) -> bool:
        """Tell whether a key with this hash may have been given to `build_filter`; False is certain."""
        ...

    def merge_runs(self, runs: Sequence[Run], reverse: bool, /) -> Run:
        """Merge runs, the newest first, into one; of equal keys the newest wins. Tombstones are kept.

        The runs are ascending and so is the result, or with `reverse` all are descending. The result may share nothing
        with the runs, or be the only run that is not empty.
        """
        ...

    def encode_entries(self, keys: Sequence[bytes], values: Sequence[Value], ranges: Sequence[int], /) -> bytes:
        """Return the body of a log frame with these changes; at the places in `ranges` the deletions of ranges."""
        ...

    def decode_entries(self, body: bytes, count: int, /) -> tuple[list[bytes], list[Value], list[int]]:
        """Return keys, values, and the places of range deletions, of a body with `count` entries.

        Raises `InvalidArgumentError` when the lengths do not add up, before memory is taken for them.
        """
        ...

    def encode_frame(
        self,
        identity: int,
        offset: int,
        first_sequence: int,
        entry_count: int,
        durable: tuple[int, int],
        body: bytes,
        /,
    ) -> bytes:
        """Return the bytes of a frame that will stand at `offset` of the log with this identity."""
        ...

    def encode_entry_frame(
        self, identity: int, offset: int, sequence: int, durable: tuple[int, int], key: bytes, value: Value, /
    ) -> bytes:
        """Return the bytes of a frame with one put or, with a value of None, one deletion."""
        ...

    def new_cache_entry(self, table: Any, offset: int, content: Any, charge_bytes: int, /) -> CacheEntry:
        """Return an entry for the cache, not yet marked as used."""
        ...

    def new_finder(self, bounds: Sequence[bytes], slots_each: int, /) -> Finder:
        """Return a finder for parts with these lower bounds, ascending, and so many empty slots for each."""
        ...

    def new_levels(self, levels: Sequence[LookupLevel], hits: array[int], /) -> Levels:
        """Lay out tables for look-ups; level 0 comes as one level for each of its tables.

        `hits`: one counter of 64 bits, increased for each block that was found without the table's own look-up.
        """
        ...


Kernel: TypeAlias = KernelOf[Any]
"""Some kernel. Whoever uses one gives back only blocks that it made."""
