"""A class of fault: tried in many cases, each of which must leave the engine right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple


class Finding(AssertionError):
    """A case in which something was lost or wrong: the engine has a defect."""


class Share:
    """Which of its cases a fault class tries: those whose number modulo `parts` is `part`. Counts them."""

    def __init__(self, part: int = 0, parts: int = 1) -> None:
        self._part = part
        self._parts = parts
        self._offered = 0
        self.cases = 0
        """How many were tried."""

    def takes(self) -> bool:
        """Tell whether the next case is one of the share."""
        number = self._offered
        self._offered += 1
        return number % self._parts == self._part

    @contextmanager
    def case(self, what: str) -> Iterator[None]:
        """Try one case inside the block; whatever it raises becomes a `Finding` that names it.

        Not what a patch raises that does not fit the engine any more: a mistake of the test is no finding.
        """
        self.cases += 1
        try:
            yield
        except (AttributeError, NameError, TypeError):
            raise
        except Exception as error:
            raise Finding(f"{what}: {type(error).__name__}: {error}") from error


class FaultClass(NamedTuple):
    """One class of fault.

    name: as in the report. does: what is done, in a line. run: tries the cases of a share; raises `Finding`, returns
    how many were tried.
    """

    name: str
    does: str
    run: Callable[[Share], int]
