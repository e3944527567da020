"""What a query is read by: rows as a stream, a list, one, a page, batches, a number; the same for every kind of query.

Owns the methods that run a query. Each run on a database takes a fresh snapshot and releases it at exhaustion, when the
iterator is closed or collected.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Generator
from itertools import chain
from typing import Generic

from typing_extensions import TypeVar

from docs_layer.cursor import ReadCount
from docs_layer.errors import MultipleRowsError, NotFoundError, QueryError
from docs_layer.explanations import Explanation
from docs_layer.row_stream import RowStream

Result = TypeVar("Result")


class Results(Generic[Result]):
    """Something that gives results when it is run."""

    __slots__ = ()

    @property
    @abstractmethod
    def _name(self) -> str:
        """Name of the table, for errors."""

    @property
    @abstractmethod
    def _takes_view(self) -> bool:
        """Whether each run takes a view of its own, which must be released."""

    @abstractmethod
    def _run(self, most: int | None, count: ReadCount) -> Generator[list[Result], None, None]:
        """Run, and give the results in lists; at most `most` if that is given."""

    @abstractmethod
    def count(self) -> int:
        """Return the number of results."""

    @abstractmethod
    def explain(self, *, run: bool = True) -> Explanation:
        """Tell how the results are found.

        Args:
            run: Whether to run the query to its end and count what it reads.
        """

    def __iter__(self) -> RowStream[Result]:
        """Stream the results from one snapshot, in constant memory; see `RowStream`.

        In a transaction the loop may change and delete rows: each comes once, see `cursor`.
        """
        return RowStream(self._run(None, ReadCount()), self._takes_view)

    def all(self) -> list[Result]:
        """Return the results as a list."""
        return list(chain.from_iterable(self._run(None, ReadCount())))

    def first(self) -> Result | None:
        """Return the first result, or None."""
        found = self._at_most(1)
        return found[0] if found else None

    def one(self) -> Result:
        """Return the only result.

        Raises:
            NotFoundError: There is none.
            MultipleRowsError: There is more than one.
        """
        found = self._at_most(2)
        if not found:
            raise NotFoundError(self._name)
        if len(found) > 1:
            raise MultipleRowsError(self._name)
        return found[0]

    def one_or_none(self) -> Result | None:
        """Return the only result, or None.

        Raises:
            MultipleRowsError: There is more than one.
        """
        found = self._at_most(2)
        if len(found) > 1:
            raise MultipleRowsError(self._name)
        return found[0] if found else None

    def exists(self) -> bool:
        """Return whether there is a result."""
        return bool(self._at_most(1))

    def _at_most(self, most: int) -> list[Result]:
        return list(chain.from_iterable(self._run(most, ReadCount())))


def whole_number(name: str, count: object, least: int = 0) -> int:
    """Return a count that a program gave. Raises `QueryError` for anything else."""
    if isinstance(count, bool) or not isinstance(count, int) or count < least:
        raise QueryError(f"{name} takes a whole number from {least} up, not {count!r}")
    return count


def fewer(limit: int | None, most: int | None) -> int | None:
    """Return the smaller of two limits, None standing for no limit."""
    return most if limit is None else limit if most is None else min(limit, most)
