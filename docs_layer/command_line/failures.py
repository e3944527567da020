"""What a command says when it cannot do its work: one line on standard error, and an exit status that is not zero.

Only expected failures are turned into a line; a defect of the program keeps its traceback, for whoever mends it.
"""

from collections.abc import Iterable
from difflib import get_close_matches

import lsm
from docs_layer import DatabaseError


class CommandError(Exception):
    """A command cannot go on; the message is one line for the person at the terminal."""


EXPECTED: tuple[type[Exception], ...] = (CommandError, DatabaseError, lsm.Error, OSError)


def one_line(error: BaseException | str) -> str:
    """Describe an error in one line: its own words, or its class where it has none."""
    text = " ".join(str(error).split())
    return type(error).__name__ if isinstance(error, BaseException) and not text else text


def unknown(kind: str, name: str, known: Iterable[str]) -> CommandError:
    """Make the error about a name that nobody knows, with the nearest known ones."""
    choices = sorted(known)
    near = get_close_matches(name, choices, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there is {', '.join(choices) or 'none'}"
    return CommandError(f"there is no {kind} {name!r}; {hint}")
