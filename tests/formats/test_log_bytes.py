"""The bytes of the log, of the page that processes share, and of the engine's own keys: pinned one by one."""

import pytest

from lsm.kernel.log_entries import encode_entry
from lsm.keys import internal_key, log_position, log_prefix, user_key
from lsm.shared_page import PAGE_BYTES, Record, SharedPage
from lsm.write_ahead_log.frame import HEADER_BYTES, body_is_valid, encode_frame, marker_bytes, parse_header
from lsm.write_ahead_log.header import LOG_HEADER_BYTES, LogHeader, encode_log_header, parse_log_header
from lsm.write_batch import WriteBatch, decode_batch, encode_batch

IDENTITY = 0x1122334455667788

BODY = bytes.fromhex(
    "01000000 04000000 01000000"  # lengths of the keys
    "02000000 ffffffff 02000080"  # a put of two bytes, a deletion, a range deletion whose stop has two bytes
    "6b 676f6e65 61"  # k, gone, a
    "7676 6262"  # vv, bb
)
FRAME = bytes.fromhex(
    "8877665544332211"  # the marker is the identity of the log
    "2200000000000000 0700000000000000 03000000 00000000"  # 34 bytes, sequences from 7, three entries, no flags
    "0500000000000000 0010000000000000"  # durable up to offset 4096 of log 5
    "c93b0437 11e9aa54"
)
HEADER = bytes.fromhex(
    "4c444257414c0d0a 01000000 01000000"  # magic, version 1, the predecessor was durable
    "8877665544332211 aa99000000000000 0600000000000000"  # identity, incarnation, number 6
    "0500000000000000 7700000000000000 0010000000000000"  # after log 5 with identity 77, which ends at 4096
    "0600000000000000 0200000000000000"  # with sequence 6 and two entries
    "249730f2"
)
PAGE_RECORD = bytes.fromhex(
    "0100000000000000 aa99000000000000 0200000000000000 0300000000000000 0400000000000000 0500000000000000"
    "0600000000000000 0700000000000000 0800000000000000 0900000000000000 01000000"
)


class Memory:
    """A shared page that is a bytearray."""

    def __init__(self) -> None:
        self.content = bytearray(PAGE_BYTES)

    def load(self, offset: int, size: int) -> bytes:
        """Return a part of the page."""
        return bytes(self.content[offset : offset + size])

    def store(self, offset: int, data: bytes) -> None:
        """Change a part of the page."""
        self.content[offset : offset + len(data)] = data

    def close(self) -> None:
        """Do nothing."""


def _batch() -> WriteBatch:
    batch = WriteBatch()
    batch.put(b"k", b"vv")
    batch.delete(b"gone")
    batch.delete_range(b"a", b"bb")
    return batch


def test_body_of_a_frame() -> None:
    """A batch is four columns, and reads back as it was."""
    decoded = decode_batch(BODY, 3)

    assert encode_batch(_batch()) == BODY
    assert (decoded.keys, decoded.values, decoded.ranges) == ([b"k", b"gone", b"a"], [b"vv", None, b"bb"], [2])
    assert encode_entry(b"k", b"vv") == bytes.fromhex("01000000 02000000 6b 7676")
    assert encode_entry(b"k", None) == bytes.fromhex("01000000 ffffffff 6b")


def test_frame() -> None:
    """A frame is a header of 56 bytes and the body, and is valid only at its own place in its own log."""
    assert encode_frame(IDENTITY, 84, 7, 3, (5, 4096), BODY) == FRAME + BODY
    assert len(FRAME) == HEADER_BYTES == 56
    assert FRAME.startswith(marker_bytes(IDENTITY))

    header = parse_header(FRAME + BODY, IDENTITY, 84)

    assert header is not None
    assert header[:7] == (IDENTITY, len(BODY), 7, 3, 0, 5, 4096)
    assert body_is_valid(header, BODY, IDENTITY, 84)
    assert parse_header(FRAME + BODY, IDENTITY, 85) is None
    assert parse_header(FRAME + BODY, IDENTITY + 1, 84) is None


def test_header_of_a_log() -> None:
    """A log says who it is and where its predecessor ends."""
    header = LogHeader(
        identity=IDENTITY,
        incarnation=0x99AA,
        number=6,
        predecessor_number=5,
        predecessor_identity=0x77,
        predecessor_end=4096,
        predecessor_last_sequence=6,
        predecessor_entry_count=2,
        predecessor_durable=True,
    )

    assert encode_log_header(header) == HEADER
    assert len(HEADER) == LOG_HEADER_BYTES == 84
    assert parse_log_header(HEADER, "000006.wal") == header


def test_shared_page() -> None:
    """The first record goes into the second slot, marks lie in bytes of their own."""
    memory = Memory()
    page = SharedPage(memory)
    record = Record(0x99AA, 2, 3, 4, 5, 6, 7, 8, 9)

    page.publish(record)
    page.set_dirty()
    page.set_poison()

    assert memory.content[256 : 256 + 84] == PAGE_RECORD
    assert (memory.content[64], memory.content[72]) == (1, 1)
    assert page.read() == record


@pytest.mark.parametrize(
    ("key", "internal"),
    [
        (b"", ""),
        (b"\xff" * 7, "ff" * 7),
        (b"\xff" * 8, "ff" * 8 + "00"),
        (b"\xff" * 8 + b"\x01e", "ff" * 8 + "0001" + "65"),
    ],
)
def test_keys_of_users(key: bytes, internal: str) -> None:
    """A user's key stays as it is, unless it would stand among the engine's own."""
    assert internal_key(key) == bytes.fromhex(internal)
    assert user_key(internal_key(key)) == key


def test_keys_of_logs() -> None:
    """A log's entries stand under its escaped name, at big-endian positions."""
    assert log_prefix(b"a\x00b") == bytes.fromhex("ff" * 8 + "01 6c 61 00ff 62 0001")
    assert log_position(258, 3) == bytes.fromhex("0000000000000102 00000003")
