"""Snapshots: one view, kept."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from lsm.core import Core
from lsm.errors import ClosedError
from lsm.reading import Reader
from lsm.state import View


class Snapshot(Reader):
    """The database as it was at one moment; reads as `Database` has them. Any number of threads may share it.

    It pins the memtables and table files of that moment, so close it, or use it in a `with` block. Taking one costs
    about 0.3 µs and blocks nobody.
    """

    __slots__ = ("_pinned", "sequence")

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self._pinned: View | None = core.current_view()
        self.sequence = self._pinned[1]
        """The number of the last change that it shows."""

    def _view(self) -> View:
        if self._core.closed is not None:
            raise self._core.closed_error()
        if self._pinned is None:
            raise ClosedError("the snapshot was closed")
        return self._pinned

    def close(self) -> None:
        """Let go of the view; iterators that were taken from it stay usable. Closing twice is allowed."""
        self._pinned = None

    def __enter__(self) -> Self:
        """Return the snapshot itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()
