"""Escaped text: reversible, plain ASCII, one spelling for each byte string."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docs_layer.command_line.escaping import EscapeError, escape, unescape


@given(st.binary())
def test_every_byte_string_comes_back(data: bytes) -> None:
    """Escaping loses nothing, and its result is printable ASCII."""
    text = escape(data)

    assert unescape(text) == data
    assert text.isascii()
    assert text.isprintable()


@pytest.mark.parametrize(
    ("data", "text"), [(b"plain text", "plain text"), (b"a\x00\\", r"a\x00\\"), (b"\t\xff~", r"\x09\xff~"), (b"", "")]
)
def test_spelling(data: bytes, text: str) -> None:
    """Printable ASCII stays as it is; all else has one spelling."""
    assert escape(data) == text


def test_other_characters_stand_for_their_bytes() -> None:
    """A text of the keyboard is taken as UTF-8, capital digits are read, raw bytes of an argument survive."""
    assert unescape("ü") == b"\xc3\xbc"
    assert unescape(r"\xFF") == b"\xff"
    assert unescape("\udcff") == b"\xff"


@pytest.mark.parametrize(("text", "position"), [("\\", 0), (r"a\x0", 1), (r"\\\n", 2), (r"\xzz", 0), (r"\X00", 0)])
def test_a_stray_backslash_is_refused(text: str, position: int) -> None:
    """A backslash that begins no escape is an error that names its place."""
    with pytest.raises(EscapeError, match=f"position {position}") as caught:
        unescape(text)

    assert caught.value.position == position
