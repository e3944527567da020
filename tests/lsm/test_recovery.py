"""Which logs count, where the valid log ends, and when what is missing is corruption."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsm.checksum import checksum
from lsm.errors import CorruptionError, FormatError
from lsm.filenames import log_name
from lsm.recovery import find_chain
from lsm.testing import Call, Fault, SimulatedFileSystem
from lsm.version import LogReference
from lsm.write_ahead_log.header import LOG_HEADER_BYTES, LogHeader
from lsm.write_batch import WriteBatch
from tests.support.logs import LogBytes, keys, new_directory, put_batch, replay, replayed, write_logs

# Which logs count.


@pytest.mark.parametrize(
    ("predecessors", "chain"),
    [
        ({3: 0}, [3]),
        ({3: 0, 4: 3, 7: 4}, [3, 4, 7]),
        ({3: 0, 4: 3, 5: 3}, [3, 5]),
        ({3: 0, 4: 3, 5: 3, 6: 4}, [3, 5]),
        ({3: 0, 4: 3, 5: 3, 6: 5}, [3, 5, 6]),
        ({3: 0, 5: 4, 6: 5}, [3]),
        ({2: 1, 3: 2, 4: 3}, [3, 4]),
        ({3: 0, 4: 9}, [3]),
    ],
    ids=["alone", "three", "two successors", "dead branch", "live branch", "gap", "older ones", "foreign"],
)
def test_the_chain(predecessors: dict[int, int], chain: list[int]) -> None:
    """Each log continues the one that it names; of two, the higher number counts; the others are leftovers."""
    headers = {
        number: LogHeader(100 + number, 1, number, predecessor_number=before, predecessor_identity=100 + before)
        for number, before in predecessors.items()
    }

    assert find_chain(headers, LogReference(3, 103)) == chain


def test_a_predecessor_of_another_identity_is_another_log() -> None:
    """A number that was used in two databases does not make a chain."""
    headers = {3: LogHeader(103, 1, 3), 4: LogHeader(104, 1, 4, predecessor_number=3, predecessor_identity=999)}

    assert find_chain(headers, LogReference(3, 103)) == [3]


def test_a_circle_ends() -> None:
    """Headers that name each other cannot keep recovery busy for ever."""
    headers = {
        3: LogHeader(103, 1, 3, predecessor_number=4, predecessor_identity=104),
        4: LogHeader(104, 1, 4, predecessor_number=3, predecessor_identity=103),
    }

    assert find_chain(headers, LogReference(3, 103)) == [3, 4]


# What is replayed.


def test_every_log_becomes_a_memtable() -> None:
    """In order, with the counts that a flush compares."""
    first = LogBytes(1).put(b"a", b"b").put(b"c")
    second = LogBytes(2, after=first).put(b"d")
    found = replayed([first, second])

    assert keys(found) == [[b"a", b"b", b"c"], [b"d"]]
    assert [(log.writer.entry_count, log.writer.last_sequence, log.frame_count) for log in found.logs] == [
        (3, 3, 2),
        (1, 4, 1),
    ]
    assert found.broken is None


def test_a_log_with_a_successor_ends_where_that_says() -> None:
    """Frames behind that place are dropped, though they are whole: a recovery before had cut them off."""
    first = LogBytes(1).put(b"a")
    second = LogBytes(2, after=first).put(b"c")
    first.put(b"b")
    found = replayed([first, second])

    assert keys(found) == [[b"a"], [b"c"]]
    assert found.broken is None


def test_a_successor_that_was_given_up_does_not_count() -> None:
    """Of an interrupted rotation that was tried again only the second log is replayed, and nothing is dropped."""
    first = LogBytes(1).put(b"a")
    given_up, second = LogBytes(2, after=first), LogBytes(3, after=first).put(b"b")
    found = replayed([first, given_up, second])

    assert [log.writer.number for log in found.logs] == [1, 3]
    assert found.broken is None


def test_range_deletions_and_empty_frames_are_replayed() -> None:
    """With their places in the order of changes."""
    batch = WriteBatch()
    batch.put(b"b", b"old")
    batch.delete_range(b"a", b"c")
    batch.put(b"a", b"new")
    found = replayed([LogBytes(1).add(batch).add(WriteBatch()).put(b"z")])
    memtable = found.logs[0].memtable

    assert [memtable.get(key, 99) for key in (b"a", b"b", b"z")] == [b"new", None, b"v"]
    assert memtable.get(b"b", 1) == b"old"
    assert memtable.entry_count == found.logs[0].writer.entry_count == 4


# Where it breaks.


def test_a_torn_tail_is_dropped_and_told() -> None:
    """An unfinished frame at the end of the last log is what a crash leaves."""
    log = LogBytes(1).put(b"a").put(b"b")
    log.content = log.content[:-1]
    broken = replayed([log]).broken

    assert broken is not None
    assert (broken.name, broken.offset, broken.promised) == (log_name(1), log.ends[1], False)
    assert broken.dropped_bytes == len(log.content) - log.ends[1]


@pytest.mark.parametrize("promised", [False, True])
def test_a_damaged_frame_in_the_last_log(promised: bool) -> None:
    """With a later frame that promises it, it is corruption at its place; without, all from there on is dropped."""
    log = LogBytes(1).put(b"a").put(b"b")
    log.put(b"c", promise=(1, log.ends[2] if promised else log.ends[1]))
    damaged = bytearray(log.content)
    damaged[log.ends[1] + 60] ^= 1
    log.content = bytes(damaged)
    if not promised:
        assert keys(replayed([log])) == [[b"a"]]
        return
    with pytest.raises(CorruptionError, match="durable beyond this place") as caught:
        replayed([log])
    assert (caught.value.path, caught.value.offset) == ("/data/000001.wal", log.ends[1])

    salvaged = replayed([log], salvage=True)
    assert keys(salvaged) == [[b"a"]]
    assert salvaged.broken is not None
    assert salvaged.broken.promised


def test_a_break_in_an_older_log_drops_the_later_ones() -> None:
    """What is left is a prefix; all bytes of the later logs count as dropped."""
    first = LogBytes(1).put(b"a").put(b"b")
    second = LogBytes(2, after=first).put(b"c")
    first.content = first.content[:-1]
    found = replayed([first, second])

    assert keys(found) == [[b"a"]]
    assert found.broken is not None
    assert found.broken.dropped_bytes == len(first.content) - first.ends[1] + len(second.content) - LOG_HEADER_BYTES


def test_a_promise_in_a_later_log_makes_it_corruption() -> None:
    """Also when the later log is not of the chain any more."""
    first = LogBytes(1).put(b"a").put(b"b")
    second = LogBytes(2, after=first).put(b"c", promise=(1, first.end))
    first.content = first.content[:-1]
    with pytest.raises(CorruptionError, match="durable beyond"):
        replayed([first, second])


def test_a_promise_of_less_than_the_break_is_kept() -> None:
    """Only what lies behind the break is missing."""
    first = LogBytes(1).put(b"a").put(b"b")
    second = LogBytes(2, after=first).put(b"c", promise=(1, first.ends[1]))
    first.content = first.content[:-1]

    assert keys(replayed([first, second])) == [[b"a"]]


def test_a_header_that_says_durable_makes_it_corruption() -> None:
    """A successor without any frame can promise its predecessor as well."""
    first = LogBytes(1).put(b"a").put(b"b")
    second = LogBytes(2, after=first, durable=True)
    first.content = first.content[:-1]
    with pytest.raises(CorruptionError, match="durable beyond") as caught:
        replayed([first, second])
    assert caught.value.offset == first.ends[1]

    relaxed = LogBytes(2, after=LogBytes(1).put(b"a").put(b"b"), durable=False)
    assert keys(replayed([first, relaxed])) == [[b"a"]]


@pytest.mark.parametrize("promised", ["by a frame", "by a header", "by nobody"])
def test_a_missing_log_in_the_middle(promised: str) -> None:
    """With a promise it is corruption; without, the logs behind the gap are dropped."""
    first = LogBytes(1).put(b"a")
    middle = LogBytes(2, after=first).put(b"b")
    last = LogBytes(3, after=middle, durable=promised == "by a header")
    last.put(b"c", promise=(2, middle.end) if promised == "by a frame" else (0, 0))
    if promised == "by nobody":
        found = replayed([first, last])
        assert keys(found) == [[b"a"]]
        assert found.broken is not None
        assert (found.broken.name, found.broken.offset) == (log_name(1), first.end)
    else:
        with pytest.raises(CorruptionError) as caught:
            replayed([first, last])
        assert (caught.value.path, caught.value.offset) == ("/data/000003.wal", 0)
        assert "continues 000002.wal, but the last one is 000001.wal" in caught.value.reason


def test_a_log_of_the_chain_whose_header_is_damaged() -> None:
    """Its frames are still heard: they promise what they promise."""
    first = LogBytes(1).put(b"a")
    second = LogBytes(2, after=first).put(b"b").put(b"c", promise=(2, LOG_HEADER_BYTES + 10))
    second.content = second.content[:20] + b"?" + second.content[21:]
    with pytest.raises(CorruptionError, match="checksum of the log header") as caught:
        replayed([first, second])
    assert caught.value.path == "/data/000002.wal"


def test_a_sequence_that_does_not_go_on_is_a_break() -> None:
    """Within a log, and between the manifest and the first log."""
    log = LogBytes(1).put(b"a").add(put_batch(b"b"), sequence=7)
    found = replayed([log])
    assert keys(found) == [[b"a"]]
    assert found.broken is not None
    assert found.broken.reason == "sequence 7 follows 1"

    directory = new_directory()
    log.write(directory)
    with pytest.raises(CorruptionError, match="begins after sequence 0, the tables end at 5"):
        replay(directory, log, last_sequence=5)


def test_a_successor_that_names_more_than_is_there() -> None:
    """The end that a header says is not there: the logs behind are dropped, or missed if they were promised."""
    first = LogBytes(1).put(b"a")
    shorter = bytes(first.content)
    second = LogBytes(2, after=first.put(b"b")).put(b"c")
    first.content = shorter
    found = replayed([first, second])

    assert keys(found) == [[b"a"]]
    assert found.broken is not None
    assert "its successor says" in found.broken.reason


# The first log.


def test_the_first_log_must_be_there_and_itself() -> None:
    """Missing, damaged, renamed, or another one: the manifest needs it, so it is corruption."""
    log = LogBytes(4).put(b"a")
    directory = new_directory()
    with pytest.raises(CorruptionError, match="missing") as caught:
        replay(directory, log)
    assert caught.value.path == "/data/000004.wal"

    LogBytes(4, identity=5).write(directory)
    with pytest.raises(CorruptionError, match="another log than the one the manifest names"):
        replay(directory, log)

    for content, reason in ((log.content[:50], "ends after 50"), (LogBytes(9).content, "says that this is log 9")):
        directory.unlink(log_name(4))
        log.write(directory, content)
        with pytest.raises(CorruptionError, match=reason):
            replay(directory, log)


def test_logs_before_the_first_one_are_not_even_opened() -> None:
    """They are flushed; whatever they hold does not matter."""
    old, log = LogBytes(3), LogBytes(4).put(b"a")
    directory = new_directory()
    old.write(directory, b"rubbish")
    log.write(directory)

    assert keys(replay(directory, log)) == [[b"a"]]


def test_a_log_of_a_newer_release_stops_recovery() -> None:
    """It is not dropped as if it were torn."""
    first = LogBytes(1).put(b"a")
    newer = bytearray(LogBytes(2, after=first).content)
    newer[8] = 2
    newer[-4:] = checksum(bytes(newer[:-4])).to_bytes(4, "little")
    directory = new_directory()
    first.write(directory)
    LogBytes(2).write(directory, bytes(newer))
    with pytest.raises(FormatError):
        replay(directory, first)


# What is done to the disk.


@pytest.mark.parametrize("sync", [False, True])
def test_nothing_is_copied_truncated_or_written(sync: bool) -> None:
    """A replay makes no call that changes a file; with `sync` it makes every log of the chain durable first."""
    filesystem = SimulatedFileSystem()
    filesystem.create_directory("/data")
    directory = filesystem.open_directory("/data")
    first = LogBytes(1).put(b"a").put(b"b")
    second = LogBytes(2, after=first).put(b"c")
    first.content = first.content[:-3]
    write_logs(directory, [first, second])
    calls: list[Call] = []
    filesystem.observe(calls.append)
    replay(directory, first, sync=sync)
    operations = [call.operation for call in calls]

    assert not {"write", "truncate", "rename", "unlink", "link"} & set(operations)
    assert operations.count("sync") == (2 if sync else 0)
    assert all(call.operation != "open" or call.path.endswith(".wal") for call in calls)


def test_a_log_that_cannot_be_synced_is_replayed_and_marked() -> None:
    """What was read may not be durable: the caller has to save it, and the other logs are synced all the same."""
    filesystem = SimulatedFileSystem()
    filesystem.create_directory("/data")
    directory = filesystem.open_directory("/data")
    first = LogBytes(1).put(b"a")
    second = LogBytes(2, after=first).put(b"b")
    write_logs(directory, [first, second])
    filesystem.fail(Fault(operation="sync", name=log_name(1)))
    found = replay(directory, first, sync=True)

    assert found.sync_failed
    assert keys(found) == [[b"a"], [b"b"]]
    assert len([change for change in filesystem.unsynced() if change.kind == "content"]) == 0


@given(st.lists(st.lists(st.integers(0, 3), max_size=3), min_size=1, max_size=4), st.data())
def test_any_cut_leaves_a_prefix(shape: list[list[int]], data: st.DataObject) -> None:
    """Cut any log of any chain anywhere behind its header: what is replayed is a prefix of the frames."""
    logs: list[LogBytes] = []
    frames: list[list[bytes]] = []
    for number, counts in enumerate(shape, 1):
        log = LogBytes(number, after=logs[-1] if logs else None)
        for count in counts:
            batch = [b"%d/%02d/%d" % (number, len(frames), place) for place in range(count)]
            log.put(*batch)
            frames.append(batch)
        logs.append(log)
    cut = data.draw(st.sampled_from(logs))
    cut.content = cut.content[: data.draw(st.integers(LOG_HEADER_BYTES, len(cut.content)))]
    found = [key for log in keys(replayed(logs)) for key in log]

    assert found in [[key for batch in frames[:count] for key in batch] for count in range(len(frames) + 1)]
