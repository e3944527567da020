"""The workloads, on an engine that is a dictionary: they do what their names say, and notice wrong answers."""

from collections.abc import Iterable
from itertools import islice

import pytest

from bench.engines import Engine
from bench.workloads import FILLS, READS, WrongAnswerError

ENTRIES = 250


def _engine(content: dict[bytes, bytes]) -> Engine:
    def scan_from(start: bytes, count: int) -> Iterable[tuple[bytes, bytes]]:
        return islice(((key, content[key]) for key in sorted(content) if key >= start), count)

    return Engine(
        put=content.__setitem__,
        get=content.get,
        write=content.update,
        scan=lambda: sorted(content.items()),
        scan_from=scan_from,
        settle=lambda: None,
        close=lambda: None,
        version="a dictionary",
        options="",
    )


@pytest.mark.parametrize("name", FILLS)
def test_every_fill_stores_the_same(name: str) -> None:
    """Fills differ in order and in transactions, not in the number of entries or their keys."""
    content: dict[bytes, bytes] = {}

    measured = FILLS[name](_engine(content), ENTRIES, 0)

    assert measured.operations == len(content) == ENTRIES
    assert min(content) == b"%016d" % 0
    assert max(content) == b"%016d" % (ENTRIES - 1)


@pytest.mark.parametrize(
    ("name", "operations"), [("read_random", 200), ("read_missing", 200), ("scan_full", 250), ("scan_100", 2)]
)
def test_every_read_counts_its_operations(name: str, operations: int) -> None:
    """One operation is one get, one entry of a full scan, or one scan of 100."""
    content: dict[bytes, bytes] = {}
    FILLS["fill_batch"](_engine(content), ENTRIES, 0)

    assert READS[name](_engine(content), ENTRIES, 200).operations == operations


@pytest.mark.parametrize("name", [name for name in READS if name != "read_missing"])
def test_a_lost_entry_is_noticed(name: str) -> None:
    """An engine that lost its entries is not fast, but wrong."""
    with pytest.raises(WrongAnswerError, match="0 entries instead of"):
        READS[name](_engine({}), ENTRIES, 200)
