"""Look-ups through levels: what is cached is found without the table, all else by the table; the answer is the same."""

import threading
from array import array
from bisect import bisect_right
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsm.errors import CorruptionError
from lsm.kernel import CacheEntry, Kernel, LookupLevel, LookupTable, kernels
from lsm.runs import MISSING, Missing, Value

on_each_kernel = pytest.mark.parametrize("tested", kernels().values(), ids=kernels().keys())
keys = st.one_of(st.binary(max_size=3), st.integers(0, 300).map(lambda number: b"beginning/%04d" % number))
values = st.one_of(st.none(), st.binary(max_size=5))
tables = st.dictionaries(keys, values, min_size=1, max_size=30)


class CachedTable:
    """A table all of whose parts are in a cache, two entries a block and two blocks a partition."""

    def __init__(
        self, tested: Kernel, content: dict[bytes, Value], *, filters: bool = True, ranged: bool = False
    ) -> None:
        self.content = content
        self.cached: list[CacheEntry] = []
        self.asked: list[bytes] = []
        self._tested = tested
        ordered = sorted(content)
        blocks = [ordered[place : place + 2] for place in range(0, len(ordered), 2)]
        partitions = [blocks[place : place + 2] for place in range(0, len(blocks), 2)]
        top = tested.new_finder([part[0][0] for part in partitions], 2)
        for number, part in enumerate(partitions):
            index = tested.new_finder([block[0] for block in part], 1)
            for place, block in enumerate(part):
                raw = tested.encode_block(block, [content[key] for key in block])
                index.remember(place, self._keep(tested.parse_block(raw, "x", 0)))
            hashes = tested.key_hashes([key for block in part for key in block])
            key_filter = tested.parse_filter(tested.build_filter(hashes, 10), "x", 0)
            top.remember(2 * number, self._keep(key_filter) if filters else None)
            top.remember(2 * number + 1, self._keep((index, part)))
        self.root = tested.new_finder([b""], 1)
        self.root.remember(0, self._keep((top, partitions)))
        self.lookup = LookupTable(self.get, self.root, ranged)
        self.level = LookupLevel([ordered[-1]], [ordered[0]], [self.lookup])

    def _keep(self, content: object) -> CacheEntry:
        entry = self._tested.new_cache_entry(self, len(self.cached), content, 1)
        self.cached.append(entry)
        return entry

    def get(self, key: bytes, key_hash: int) -> bytes | Missing | None:
        """Answer as the reader of a table does, and note that it had to."""
        assert [key_hash] == self._tested.key_hashes([key])
        self.asked.append(key)
        return self.content.get(key, MISSING)


def expected(key: bytes, *contents: dict[bytes, Value]) -> Value | Missing:
    """Return the answer of the newest content that has one."""
    return next((content[key] for content in contents if key in content), MISSING)


@on_each_kernel
@given(contents=st.lists(tables, min_size=1, max_size=4), others=st.lists(keys, max_size=20), filters=st.booleans())
def test_the_newest_table_that_has_the_key_answers(
    tested: Kernel, contents: list[dict[bytes, Value]], others: list[bytes], filters: bool
) -> None:
    """Any tables, newest first, any keys: what a few dicts say, with filters or without."""
    made = [CachedTable(tested, content, filters=filters) for content in contents]
    levels = tested.new_levels([table.level for table in made], array("Q", [0]))
    asked = [*others, *(key for content in contents for key in content)]

    assert [levels.get(key) for key in asked] == [expected(key, *contents) for key in asked]
    assert levels.multi_get(asked) == [expected(key, *contents) for key in asked]


@on_each_kernel
@given(content=tables, others=st.lists(keys, max_size=20), data=st.data())
def test_what_the_cache_let_go_of_is_asked_for(
    tested: Kernel, content: dict[bytes, Value], others: list[bytes], data: st.DataObject
) -> None:
    """With any of its parts evicted, or replaced by what is no part, a table gives the same answers."""
    table = CachedTable(tested, content)
    levels = tested.new_levels([table.level], array("Q", [0]))
    for entry in data.draw(st.lists(st.sampled_from(table.cached), max_size=5)):
        entry.content = data.draw(st.sampled_from([None, 7, (), ("no finder",), b"no block"]))

    for key in [*others, *content]:
        assert levels.get(key) == expected(key, content)


@on_each_kernel
@given(first=tables, second=tables, others=st.lists(keys, max_size=20))
def test_a_level_asks_the_one_table_whose_bounds_hold_the_key(
    tested: Kernel, first: dict[bytes, Value], second: dict[bytes, Value], others: list[bytes]
) -> None:
    """Disjoint tables side by side, the last one without an upper bound."""
    second = {key: value for key, value in second.items() if key > max(first)} or {max(first) + b"\0": b"v"}
    made = [CachedTable(tested, content, ranged=True) for content in (first, second)]
    level = LookupLevel([max(first)], [min(first), min(second)], [table.lookup for table in made])
    levels = tested.new_levels([level], array("Q", [0]))

    for key in [*others, *first, *second]:
        assert levels.get(key) == expected(key, first, second)
        holders = bisect_right([min(first), min(second)], key)
        assert (key in made[1].asked) == (holders == 2)


@on_each_kernel
def test_a_table_with_range_tombstones_answers_itself(tested: Kernel) -> None:
    """Nothing but the table knows what it deletes."""
    table = CachedTable(tested, {b"a": b"1", b"b": b"2"}, ranged=True)

    assert tested.new_levels([table.level], array("Q", [0])).get(b"a") == b"1"
    assert table.asked == [b"a"]


def test_the_compiled_kernel_finds_what_is_cached() -> None:
    """With all parts cached no table is asked, parts are marked as used, and blocks that were found are counted."""
    tested = kernels().get("compiled")
    if tested is None:
        pytest.skip("built without a C compiler")
    hits = array("Q", [0])
    table = CachedTable(tested, {b"%d" % number: b"v" for number in range(9)})
    levels = tested.new_levels([table.level], hits)

    assert [levels.get(b"%d" % number) for number in range(9)] == [b"v"] * 9
    assert table.asked == []
    assert all(entry.used for entry in table.cached)
    assert hits[0] == 9


@on_each_kernel
def test_the_error_of_a_table_is_raised(tested: Kernel) -> None:
    """A look-up that has to read, and finds damage, says so."""

    def damaged(key: bytes, key_hash: int) -> bytes:
        raise CorruptionError("x", 7, "block: damaged")

    table = LookupTable(damaged, tested.new_finder([b""], 1), ranged=False)
    levels = tested.new_levels([LookupLevel([b"z"], [b"a"], [table])], array("Q", [0]))

    for look_up in (lambda: levels.get(b"k"), lambda: levels.multi_get([b"k"])):
        with pytest.raises(CorruptionError, match="damaged"):
            look_up()


@on_each_kernel
@pytest.mark.parametrize(
    "wrong",
    [
        lambda tested: tested.new_levels([LookupLevel([], [b"a"], [])], array("Q", [0])),
        lambda tested: tested.new_levels([((), (), (("get", "root", False),))], array("Q", [0])),
        lambda tested: tested.new_levels([], array("B", [0])),
        lambda tested: tested.new_levels([7], array("Q", [0])),
        lambda tested: tested.new_finder([7], 1),
        lambda tested: tested.new_finder([b""], 0),
        lambda tested: tested.new_finder([b""], 1).remember(1, None),
        lambda tested: tested.search_block("no block", b""),
        lambda tested: tested.probe_filter("no filter", 1),
        lambda tested: tested.merge_runs([([b"a"], [])], False),
    ],
)
def test_wrong_arguments_are_exceptions(tested: Kernel, wrong: Callable[[Any], object]) -> None:
    """Nothing that Python hands in brings the interpreter down; the plain kernel, in parts, looks away."""
    try:
        wrong(tested)
    except (TypeError, ValueError, IndexError, AttributeError):
        return
    assert tested is kernels()["plain"]


@on_each_kernel
def test_look_ups_beside_eviction(tested: Kernel) -> None:
    """Threads look up while parts go and come back; every answer is right."""
    content: dict[bytes, Value] = {b"%03d" % number: b"%d" % number for number in range(200)}
    table = CachedTable(tested, content)
    levels = tested.new_levels([table.level], array("Q", [0]))
    parts = [(entry, entry.content) for entry in table.cached]
    wrong: list[bytes] = []

    def look_up() -> None:
        for _ in range(20):
            wrong.extend(key for key, value in content.items() if levels.get(key) != value)

    threads = [threading.Thread(target=look_up) for _ in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        for entry, part in parts:
            entry.content = None
            entry.content = part
    for thread in threads:
        thread.join()

    assert wrong == []
