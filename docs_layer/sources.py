"""What queries read from, as they see it: a database, a snapshot or a transaction."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from docs_layer.bound_tables import BoundTable
from docs_layer.planner import Estimate
from docs_layer.scanning import View
from docs_layer.tables import Table


class ReadSettings(NamedTuple):
    """How a database is read.

    Attributes:
        strict: Whether full scans, and sorts that do not fit in memory, are refused.
        sort_memory_bytes: How much memory a sort may use before it goes on on disk.
        token_key: Seals page tokens, None for tokens without a seal.
        estimate: Guesses how many entries a range of keys holds.
    """

    strict: bool
    sort_memory_bytes: int
    token_key: bytes | None
    estimate: Estimate


class ReadSource(Protocol):
    """Tables, views of them, and the settings of reading."""

    @property
    def settings(self) -> ReadSettings:
        """How it is read."""
        ...

    @property
    def takes_views(self) -> bool:
        """Whether each run takes a view of its own, which must be released."""
        ...

    def table(self, table: type[Table]) -> BoundTable:
        """Return the table as it is now."""
        ...

    def view(self, table: type[Table]) -> AbstractContextManager[View]:
        """Open what one run reads; leaving the context releases it."""
        ...
