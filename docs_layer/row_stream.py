"""`RowStream`: the rows of one run, one after another, and the life of the snapshot they come from."""

from __future__ import annotations

import warnings
from collections.abc import Generator, Iterator
from types import TracebackType
from typing import Generic

from typing_extensions import TypeVar

Result = TypeVar("Result")


class RowStream(Generic[Result]):
    """Rows of one run, one after another; holds its snapshot until the last row, `close()` or the end of a `with`.

    A stream that is left before its end and collected releases its snapshot, too, with a `ResourceWarning`: until
    then the store must keep what the snapshot sees. Use `limit`, or `with iter(query) as rows:`.
    """

    __slots__ = ("_batch", "_batches", "_is_holding", "_takes_view")

    def __init__(self, batches: Generator[list[Result], None, None], takes_view: bool) -> None:
        self._batches = batches
        self._batch: Iterator[Result] = iter(())
        self._takes_view = takes_view
        self._is_holding = False

    def __iter__(self) -> RowStream[Result]:
        return self

    def __next__(self) -> Result:
        while True:
            for row in self._batch:
                return row
            self._is_holding = self._takes_view
            try:
                self._batch = iter(next(self._batches))
            except BaseException:
                self._is_holding = False
                raise

    def close(self) -> None:
        """Release the snapshot; a second call does nothing."""
        self._is_holding = False
        self._batch = iter(())
        self._batches.close()

    def __enter__(self) -> RowStream[Result]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if self._is_holding:
            warnings.warn("a stream of rows was left open; close it or use limit()", ResourceWarning, stacklevel=1)
            self._batches.close()
