"""What SHARED, and a log that no crash can have left, say about commits that are missing."""

import pytest

from lsm.errors import CorruptionError
from lsm.filenames import log_name
from lsm.write_ahead_log.header import LOG_HEADER_BYTES, encode_log_header
from tests.support.logs import LogBytes, keys, new_directory, replay


@pytest.mark.parametrize("place", ["beyond the frames", "in a missing log"])
def test_shared_promises_more_than_is_there(place: str) -> None:
    """A log cut between two frames, and the newest log taken away, look whole; SHARED knows better."""
    first = LogBytes(1).put(b"a")
    directory = new_directory()
    first.write(directory)
    promised = (1, first.end + 1) if place == "beyond the frames" else (2, LOG_HEADER_BYTES)

    assert keys(replay(directory, first, promised=(1, first.end))) == [[b"a"]]
    with pytest.raises(CorruptionError, match="SHARED says") as caught:
        replay(directory, first, promised=promised)
    assert caught.value.path == f"/data/{log_name(promised[0])}"
    salvaged = replay(directory, first, promised=promised, salvage=True)
    assert keys(salvaged) == [[b"a"]]
    assert salvaged.broken is not None
    assert salvaged.broken.promised


@pytest.mark.parametrize(
    "foreign", ["of another database", "under a wrong number", "left by a recovery", "left in the blocks of a new file"]
)
def test_a_log_that_no_crash_can_have_left(foreign: str) -> None:
    """It stands where a log of the chain was; one without frames can be the begin of a recovery, or an old header."""
    first = LogBytes(1).put(b"a")
    other = LogBytes(2 if foreign in {"of another database", "left by a recovery"} else 3)
    other.header = other.header._replace(incarnation=7)
    other.content = encode_log_header(other.header)
    if not foreign.startswith("left"):
        other.put(b"z")
    directory = new_directory()
    first.write(directory)
    directory.open(log_name(2), "create").write_at(0, other.content)

    if foreign.startswith("left"):
        assert keys(replay(directory, first)) == [[b"a"]]
    else:
        reason = r"but the last one is 000001\.wal|this is 000003\.wal under another name"
        with pytest.raises(CorruptionError, match=reason) as caught:
            replay(directory, first)
        assert caught.value.path == "/data/000002.wal"
