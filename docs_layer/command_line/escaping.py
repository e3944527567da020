r"""Raw bytes as text that fits into a terminal, a shell argument and a line of a file, and back again.

The grammar, where `printable` is ASCII from space to tilde without the backslash:

    text := ( printable | `\\` | `\x` digit digit )*

`escape` writes just that, one spelling for each byte string, so texts are equal if and only if the bytes are.
`unescape` also takes any other character, which stands for its bytes in UTF-8. Example: the bytes 61 00 5c are written
`a\x00\\`.
"""

import re

_SPELLINGS = [chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}" for byte in range(256)]
_SPELLINGS[ord("\\")] = "\\\\"
_ESCAPE = re.compile(rb"\\(?:(\\)|x([0-9a-fA-F]{2})|)")


class EscapeError(ValueError):
    r"""A text has a backslash that begins neither `\\` nor `\xNN`; `position` is its place in the text's bytes."""

    def __init__(self, text: str, position: int) -> None:
        self.text = text
        self.position = position
        super().__init__(f"{text!r}: the backslash at position {position} begins neither \\\\ nor \\xNN")


def escape(data: bytes) -> str:
    """Write bytes as text; the inverse is `unescape`."""
    return "".join(map(_SPELLINGS.__getitem__, data))


def unescape(text: str) -> bytes:
    """Read bytes from text.

    Bytes of an argument that were not valid UTF-8, which Python hands over as lone surrogates, come back unchanged.

    Raises:
        EscapeError: a backslash begins no escape.
    """

    def replace(match: re.Match[bytes]) -> bytes:
        if match[2]:
            return bytes.fromhex(match[2].decode())
        if match[1]:
            return b"\\"
        raise EscapeError(text, match.start())

    return _ESCAPE.sub(replace, text.encode("utf-8", "surrogateescape"))
