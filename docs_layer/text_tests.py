r"""Tests of text: beginnings, ends, parts, patterns with wildcards, regular expressions.

Owns the meaning of `like`: `%` stands for any text, `_` for one character, and a backslash takes the next character as
it is. Without case means compared after `str.casefold`, except for regular expressions, which have rules of their own.
Pure functions.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from docs_layer.intervals import HIGHEST, Cut, IntervalSet, between
from docs_layer.key_encoding import TypeCode
from docs_layer.nodes import TextTest

_LAST_CODE_POINT: Final = 0x10FFFF
_FIRST_SURROGATE: Final = 0xD800
_BEHIND_SURROGATES: Final = 0xE000

TextPredicate = Callable[[str], bool]


def text_predicate(test: TextTest, text: str, ignore_case: bool) -> TextPredicate:
    """Return the function that tells whether text answers a test."""
    if test in {"like", "regex"}:
        pattern = pattern_of(test, text, ignore_case)
        if test == "regex":
            return lambda value: pattern.search(value) is not None
        if ignore_case:
            return lambda value: pattern.fullmatch(value.casefold()) is not None
        return lambda value: pattern.fullmatch(value) is not None
    wanted = text.casefold() if ignore_case else text
    match test, ignore_case:
        case "contains", False:
            return lambda value: wanted in value
        case "contains", _:
            return lambda value: wanted in value.casefold()
        case "starts_with", _:
            return lambda value: value.casefold().startswith(wanted)
        case _, False:
            return lambda value: value.endswith(wanted)
        case _:
            return lambda value: value.casefold().endswith(wanted)


@lru_cache(maxsize=256)
def pattern_of(test: TextTest, text: str, ignore_case: bool) -> re.Pattern[str]:
    """Return the regular expression of a `like` pattern or of a `regex`; any other test matches everywhere.

    Raises:
        re.error: The text is no regular expression.
    """
    if test == "regex":
        return re.compile(text, re.IGNORECASE if ignore_case else re.NOFLAG)
    if test != "like":
        return re.compile("")
    parts = _like_parts(text.casefold() if ignore_case else text)
    wildcards = {"%": ".*", "_": "."}
    return re.compile("".join(re.escape(part) if fixed else wildcards[part] for part, fixed in parts), re.DOTALL)


def like_prefix(pattern: str) -> tuple[str, str]:
    """Split a `like` pattern into the text before its first wildcard, and the rest, which begins with the wildcard."""
    prefix: list[str] = []
    offset = 0
    for part, fixed in _like_parts(pattern):
        if not fixed:
            return "".join(prefix), pattern[offset:]
        prefix.append(part)
        offset += 1 if pattern[offset] != "\\" or offset + 1 == len(pattern) else 2
    return "".join(prefix), ""


def _like_parts(pattern: str) -> list[tuple[str, bool]]:
    """Return the characters of a `like` pattern, each with whether it stands for itself."""
    parts = []
    characters = iter(pattern)
    for character in characters:
        if character == "\\":
            parts.append((next(characters, "\\"), True))
        else:
            parts.append((character, character not in "%_"))
    return parts


def begins(text: str, kind: str, cuts: Callable[[str], tuple[Cut, Cut]]) -> IntervalSet:
    """Return the set of texts that begin with `text`.

    Args:
        text: The beginning.
        kind: Kind of the column, "str" or "any".
        cuts: Gives the cuts below and above a constant.
    """
    low = cuts(text)[0]
    last = text.rstrip(chr(_LAST_CODE_POINT))
    if not last:
        return between(low, HIGHEST if kind == "str" else Cut(bytes([TypeCode.STR + 1]), 0))
    following = ord(last[-1]) + 1
    following = _BEHIND_SURROGATES if following == _FIRST_SURROGATE else following
    return between(low, cuts(last[:-1] + chr(following))[0])
