"""Reading logs: frames in order up to the first break, and what is promised behind it."""

import struct
import tracemalloc

import pytest

from lsm.checksum import checksum, place_salt
from lsm.environment import File
from lsm.errors import CorruptionError, FormatError
from lsm.write_ahead_log.frame import HEADER_BYTES
from lsm.write_ahead_log.header import LOG_HEADER_BYTES
from lsm.write_ahead_log.reader import LogReader, promise_beyond, read_headers
from lsm.write_batch import WriteBatch
from tests.support.logs import LogBytes, new_directory, put_batch


def opened(log: LogBytes, content: bytes | None = None) -> File:
    """Return a file with this log."""
    return log.write(new_directory(), content)


def read_keys(reader: LogReader, limit: int | None = None) -> list[bytes]:
    """Return the keys of all frames."""
    return [key for frame in reader.frames(limit) for key in frame.batch.keys]


def with_flags(log: LogBytes, flags: int) -> bytes:
    """Return the log with other flags in its first frame, as a newer release might write them."""
    content = bytearray(log.content)
    start = LOG_HEADER_BYTES
    struct.pack_into("<I", content, start + 28, flags)
    header = bytes(content[start : start + HEADER_BYTES - 4])
    struct.pack_into("<I", content, start + HEADER_BYTES - 4, checksum(header, place_salt(log.identity, start)))
    return bytes(content)


def test_all_frames_are_read() -> None:
    """With their places, sequence numbers and counts; empty frames have none."""
    log = LogBytes().put(b"a", b"b").add(WriteBatch(), promise=(1, 84)).put(b"c")
    reader = LogReader(opened(log))
    frames = list(reader.frames())

    assert [(frame.offset, frame.end) for frame in frames] == list(zip(log.ends, log.ends[1:], strict=False))
    assert [frame.header.first_sequence for frame in frames] == [1, 3, 3]
    assert [frame.batch.keys for frame in frames] == [[b"a", b"b"], [], [b"c"]]
    assert (reader.end, reader.last_sequence, reader.entry_count, reader.reason) == (log.end, 3, 3, "")


@pytest.mark.parametrize("cut", range(1, 77, 3))
def test_a_cut_off_frame_ends_the_log(cut: int) -> None:
    """Wherever it is cut; what comes before counts."""
    log = LogBytes().put(b"a").put(b"b" * 12)
    reader = LogReader(opened(log, log.content[:-cut]))

    assert read_keys(reader) == [b"a"]
    assert (reader.end, reader.last_sequence) == (log.ends[1], 1)
    assert reader.reason


def test_a_frame_that_does_not_continue_the_sequence_ends_the_log() -> None:
    """Neither a gap nor a repetition is believed, though the bytes are whole."""
    for sequence in (1, 3, 100):
        log = LogBytes().put(b"a").add(put_batch(b"b"), sequence=sequence).put(b"c")
        reader = LogReader(opened(log))
        assert read_keys(reader) == [b"a"]
        assert reader.reason == f"sequence {sequence} follows 1"


def test_a_frame_that_was_moved_ends_the_log() -> None:
    """A hole that was cut out of a log is noticed even if the sequence fits, by the salt of the checksum."""
    log = LogBytes().add(WriteBatch()).put(b"a")
    first, second = log.ends[0], log.ends[1]
    reader = LogReader(opened(log, log.content[:first] + log.content[second:]))

    assert read_keys(reader) == []
    assert reader.end == first


def test_what_lies_behind_the_limit_is_not_read() -> None:
    """The successor says where a log ends; a frame across that place does not count either."""
    log = LogBytes().put(b"a").put(b"b").put(b"c")

    assert read_keys(LogReader(opened(log)), log.ends[2]) == [b"a", b"b"]
    crossing = LogReader(opened(log))
    assert read_keys(crossing, log.ends[2] - 1) == [b"a"]
    assert "goes beyond the end" in crossing.reason


def test_a_log_that_is_shorter_than_its_successor_says() -> None:
    """Both lengths are in the reason."""
    log = LogBytes().put(b"a")
    reader = LogReader(opened(log))

    assert read_keys(reader, log.end + 100) == [b"a"]
    assert reader.reason == f"the log ends at {log.end}, its successor says {log.end + 100}"


@pytest.mark.parametrize("flags", [1, 1 << 15, 1 | 1 << 16])
def test_unknown_flags_ask_for_a_newer_release(flags: int) -> None:
    """A frame that must be understood and is not stops the reader with an error, not with a loss."""
    log = LogBytes().put(b"a")
    with pytest.raises(FormatError):
        read_keys(LogReader(opened(log, with_flags(log, flags))))


@pytest.mark.parametrize("flags", [1 << 16, 1 << 31])
def test_skippable_flags_are_skipped(flags: int) -> None:
    """The upper half of the flags is for what an old reader need not know."""
    log = LogBytes().put(b"a")

    assert read_keys(LogReader(opened(log, with_flags(log, flags)))) == [b"a"]


def test_flags_of_a_torn_frame_are_no_reason_to_refuse() -> None:
    """Only a frame that is whole may ask for a newer release."""
    log = LogBytes().put(b"a" * 40)
    reader = LogReader(opened(log, with_flags(log, 1)[:-1]))

    assert read_keys(reader) == []


def test_a_huge_length_allocates_nothing() -> None:
    """A header that says a million million bytes, with right checksums, is refused by the size of the file."""
    log = LogBytes()
    content = bytearray(log.put(b"a").content)
    struct.pack_into("<Q", content, LOG_HEADER_BYTES + 8, 1 << 40)
    header = bytes(content[LOG_HEADER_BYTES : LOG_HEADER_BYTES + HEADER_BYTES - 4])
    crc = checksum(header, place_salt(log.identity, LOG_HEADER_BYTES))
    struct.pack_into("<I", content, LOG_HEADER_BYTES + HEADER_BYTES - 4, crc)
    reader = LogReader(opened(log, bytes(content)))
    tracemalloc.start()
    try:
        assert read_keys(reader) == []
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert "goes beyond the end" in reader.reason


def test_frames_larger_than_the_read_ahead() -> None:
    """A body of several read-aheads is put together."""
    large = WriteBatch()
    large.put(b"k", bytes(range(256)) * 12_000)
    log = LogBytes().put(b"a").add(large).put(b"z")
    frames = list(LogReader(opened(log)).frames())

    assert [frame.batch.keys for frame in frames] == [[b"a"], [b"k"], [b"z"]]
    assert frames[1].batch.values == large.values


def test_promises_are_found_behind_damage() -> None:
    """Any whole frame header behind the break that promises more than the break counts, the first one found."""
    log = LogBytes(5).put(b"a").put(b"b", promise=(5, 84)).put(b"c", promise=(5, 142)).put(b"d")
    damaged = bytearray(log.content)
    damaged[log.ends[1] + 3] ^= 0xFF
    file = opened(log, bytes(damaged))
    end = log.ends[1]

    assert promise_beyond(file, 5, 84, start=end) == (5, 142)
    assert promise_beyond(file, 5, 142, start=end) is None
    assert promise_beyond(file, 4, 10_000, start=end) == (5, 142)
    assert promise_beyond(file, 6, 0, start=end) is None


def test_promises_are_found_when_the_header_of_the_log_is_gone() -> None:
    """The first frame says what the marker is."""
    log = LogBytes(5).put(b"a").put(b"b", promise=(5, 84))
    file = opened(log, bytes(LOG_HEADER_BYTES) + log.content[LOG_HEADER_BYTES:])

    assert promise_beyond(file, 5, 0, start=LOG_HEADER_BYTES) == (5, 84)


def test_a_promise_across_two_read_aheads_is_found() -> None:
    """A header that lies across the border of two reads."""
    for shift in (-60, -30, -8, -1, 0, 1):
        filler = WriteBatch()
        filler.put(b"k", bytes((1 << 20) + shift - 56 - 8 - 1))
        log = LogBytes(5).add(filler).put(b"a", promise=(5, 84))
        file = opened(log)
        assert promise_beyond(file, 5, 0, start=LOG_HEADER_BYTES) == (5, 84)


def test_headers_of_damaged_or_misnamed_logs_are_left_out() -> None:
    """A log that was copied under another number does not count."""
    directory = new_directory()
    whole, damaged, renamed = LogBytes(1), LogBytes(2), LogBytes(3)
    files = {1: whole.write(directory), 2: damaged.write(directory, damaged.content[:-1]), 9: renamed.write(directory)}

    assert read_headers(files) == {1: whole.header}


def test_a_log_without_a_header_is_corruption() -> None:
    """Not an empty log."""
    log = LogBytes()
    with pytest.raises(CorruptionError, match="ends after 0 of 84"):
        LogReader(opened(log, b""))
