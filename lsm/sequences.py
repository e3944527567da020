"""Id sequences: integers that are never given out twice, kept beside the data and changed outside of transactions."""

from __future__ import annotations

from collections.abc import Callable

from lsm.commit.pipeline import CommitPipeline
from lsm.commit.request import Lookup, Request, StagingLike
from lsm.core import Core
from lsm.errors import InvalidArgumentError
from lsm.keys import decode_integer, encode_integer, sequence_key
from lsm.write_batch import WriteBatch

_LARGEST = (1 << 63) - 1


class IdSequences:
    """Allocates from named sequences; each call is a commit of its own. Any number of threads."""

    def __init__(self, pipeline: CommitPipeline, core: Core) -> None:
        self._pipeline = pipeline
        self._core = core

    def allocate(self, name: bytes, count: int) -> int:
        """Return the first of `count` integers above all that were given out or reserved under `name`."""
        if type(count) is not int or not 1 <= count <= 1 << 32:
            raise InvalidArgumentError(f"count must be an integer from 1 to 2^32, not {count!r}")
        change = self._change(name, lambda last: last + count)
        return change.last - count + 1

    def reserve(self, name: bytes, last: int) -> None:
        """Make sure that `allocate` gives only integers above `last`."""
        if type(last) is not int or not 0 <= last <= _LARGEST:
            raise InvalidArgumentError(f"last must be an integer from 0 to 2^63 - 1, not {last!r}")
        self._change(name, lambda present: max(present, last))

    def give_back(self, name: bytes, first: int, last: int) -> bool:
        """Make `allocate` give `first` next, if `last` is still the last integer given out; tell whether it was."""
        if type(first) is not int or type(last) is not int or not 1 <= first <= last <= _LARGEST:
            raise InvalidArgumentError(f"{first!r} to {last!r} are no integers that were given out")
        change = self._change(name, lambda present: first - 1 if present == last else present)
        return change.before == last

    def _change(self, name: bytes, advance: Callable[[int], int]) -> _Advance:
        change = _Advance(sequence_key(name), advance)
        sync = self._core.options.sync
        self._pipeline.commit(Request(None, change, sync=sync, size_bytes=64))
        return change


class _Advance:
    """The change of one sequence; resolved by the commit leader, so two never read the same value."""

    def __init__(self, key: bytes, advance: Callable[[int], int]) -> None:
        self._key = key
        self._advance = advance
        self.before = 0
        """The last integer given out, before."""
        self.last = 0
        """The same afterwards."""

    def resolve(self, first_sequence: int, staging: StagingLike | None, lookup: Lookup) -> WriteBatch:
        """Return the new value as a change."""
        self.before = decode_integer(lookup(self._key))
        self.last = self._advance(self.before)
        if self.last > _LARGEST:
            raise InvalidArgumentError("the sequence has no integers left")
        batch = WriteBatch()
        batch.add(self._key, encode_integer(self.last))
        return batch
