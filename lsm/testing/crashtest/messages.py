"""What the processes of a crash test tell the parent, through one pipe that all of them share.

    message = length (4 bytes, little-endian), body (MessagePack, at most 4,092 bytes)

Each is written by one call of at most `PIPE_BUF` bytes, so the kernel takes it whole or not at all, also from a process
that is killed: no message is torn, and those of several processes do not mix. The order in the pipe is the order of the
writes: an answer that stands before an issue was given before that step began.
"""

from __future__ import annotations

import os
import select
import struct
from collections.abc import Iterator
from typing import Literal

import msgspec

from lsm.testing.crashtest.plan import Step

_LENGTH = struct.Struct("<I")
_TEXT_CHARACTERS = 900
"""Of a message of trouble; four bytes a character at most."""


class Opened(msgspec.Struct, frozen=True, array_like=True, tag="opened"):
    """A process has opened the database, and recovered it if nobody else had."""

    process: int


class Recovered(msgspec.Struct, frozen=True, array_like=True, tag="recovered"):
    """A writer begins with this state of its own keys (`plan.digest`)."""

    writer: int
    digest: bytes


class Issued(msgspec.Struct, frozen=True, array_like=True, tag="issued"):
    """A writer begins a step."""

    writer: int
    number: int
    step: Step


class Answered(msgspec.Struct, frozen=True, array_like=True, tag="answered"):
    """A step has ended. refused: nothing was done, as an allowed error said; `error` has its class and its file."""

    writer: int
    number: int
    outcome: Literal["done", "refused"]
    error: str = ""


class Wrong(msgspec.Struct, frozen=True, array_like=True, tag="wrong"):
    """A process has seen what must not be, and ends."""

    process: int
    text: str


class Closed(msgspec.Struct, frozen=True, array_like=True, tag="closed"):
    """A process has closed the database, as it was asked to."""

    process: int


Message = Opened | Recovered | Issued | Answered | Wrong | Closed

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Message).decode


def send(descriptor: int, message: Message) -> None:
    """Write one message. Raises `BrokenPipeError` when the parent has gone."""
    body = _encode(message)
    if len(body) > select.PIPE_BUF - _LENGTH.size:
        raise ValueError(f"a message of {len(body)} bytes would not be written as a whole")
    os.write(descriptor, _LENGTH.pack(len(body)) + body)


def trouble(process: int, text: str) -> Wrong:
    """Return the message about what a process has seen; of a long text the end."""
    return Wrong(process, text[-_TEXT_CHARACTERS:])


class Inbox:
    """The reading end. Not for several threads."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor

    def messages(self) -> Iterator[Message]:
        """Yield everything that is there now."""
        rest = b""
        while True:
            try:
                data = os.read(self._descriptor, 1 << 16)
            except BlockingIOError:
                data = b""
            rest += data
            while len(rest) >= _LENGTH.size and len(rest) >= (end := _LENGTH.size + _LENGTH.unpack_from(rest)[0]):
                yield _decode(rest[_LENGTH.size : end])
                rest = rest[end:]
            if not data and not rest:
                return
