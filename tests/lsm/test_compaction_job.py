"""The job: what it drops, skips and counts, how it stops, and what it costs in memory."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from lsm.compaction.job import run_job, without_useless_tombstones
from lsm.compaction.plan import LevelTables, Plan, gather, make_plan
from lsm.errors import CorruptionError, DiskFullError, StorageError
from lsm.options import Options
from lsm.posix import PosixFileSystem
from lsm.runs import Range, Run, Value
from lsm.version import TableMetadata, Version
from tests.lsm.compaction_histories import NewFile, Tree
from tests.lsm.level_pictures import LAST_SEQUENCE, table

OPTIONS = Options(block_bytes=200, table_bytes=4_000, level_base_bytes=10_000, level_count=4)


@pytest.fixture
def tree() -> Tree:
    """Give each test an empty tree."""
    return Tree(OPTIONS)


def plan_for(tree: Tree, output_level: int, level: int = 0) -> Plan:
    """Return the plan that compacts all of a level."""
    inputs = gather(tree.version, level, tree.version.levels[level], output_level)
    return make_plan(tree.version, inputs, output_level, reason="manual", table_bytes=tree.options.table_bytes)


def run(tree: Tree, plan: Plan) -> list[TableMetadata] | None:
    """Run a plan without installing it."""
    return run_job(
        plan, tree.readers, tree.new_file, tree.options, manifest_number=1, cancelled=lambda: False, progress=None
    )


def numbered(count: int, value: Value = b"v" * 50) -> dict[bytes, Value]:
    """Return entries with ascending keys."""
    return {b"%06d" % number: value for number in range(count)}


def test_the_newest_entry_is_kept_and_tombstones_vanish_at_the_bottom(tree: Tree) -> None:
    """Without anything below, neither kind of tombstone is written."""
    tree.flush({b"a": b"1", b"b": b"1", b"c": b"1", b"d": b"1"}, [])
    tree.flush({b"a": b"2", b"b": None}, [(b"c", b"cc")])

    tree.compact(plan_for(tree, 3))

    (output,) = tree.version.levels[3]
    assert tree.content() == {b"a": b"2", b"d": b"1"}
    assert (output.entry_count, output.tombstone_count, output.range_tombstone_count) == (2, 0, 0)


def test_tombstones_stay_only_above_what_they_may_hide(tree: Tree) -> None:
    """Keys and ranges within a table below keep their tombstones, others do not."""
    tree.flush({b"f": b"1", b"k": b"1"}, [])
    tree.compact(plan_for(tree, 3))
    tree.flush({b"g": b"2"}, [])
    tree.flush({b"a": None, b"g": None, b"h": b"2", b"z": None}, [(b"b", b"ff"), (b"m", None)])
    tree.compact(plan_for(tree, 2))

    (output,) = tree.version.levels[2]
    reader = tree.readers[output.number]
    assert list(reader.runs()) == [([b"g", b"h"], [None, b"2"])]
    assert reader.range_tombstones() == [(b"f", b"ff")]
    assert tree.content() == {b"h": b"2", b"k": b"1"}


def test_no_output_when_nothing_is_left(tree: Tree) -> None:
    """Entries and their deletion annihilate each other."""
    tree.flush({b"a": b"1"}, [])
    tree.flush({}, [(b"", None)])

    assert run(tree, plan_for(tree, 3)) == []


def test_trivial_move_returns_its_inputs(tree: Tree) -> None:
    """Nothing is read or written."""
    tree.flush(numbered(20), [])
    plan = plan_for(tree, 3)
    tree.readers.clear()

    assert plan.trivial_move
    assert run(tree, plan) == list(plan.tables())


def test_a_table_within_a_newer_range_is_not_read(tree: Tree) -> None:
    """A deleted range costs nothing to compact away; it counts as done all the same."""
    tree.flush(numbered(100), [])
    tree.compact(plan_for(tree, 3))
    tree.flush({b"z": b"1"}, [(b"0", b"1")])
    plan = plan_for(tree, 3)
    below = tree.version.levels[3]
    readers = {upper.number: tree.readers[upper.number] for upper in tree.version.levels[0]}
    done: list[int] = []

    outputs = run_job(
        plan, readers, tree.new_file, OPTIONS, manifest_number=1, cancelled=lambda: False, progress=done.append
    )

    assert len(below) >= 1
    assert [output.entry_count for output in outputs or []] == [1]
    assert sum(done) == plan.size_bytes


def test_progress_adds_up(tree: Tree) -> None:
    """Each step says how many more bytes of the input are done; none is negative."""
    for _ in range(3):
        tree.flush(numbered(200), [])
    plan = plan_for(tree, 3)
    done: list[int] = []

    run_job(
        plan, tree.readers, tree.new_file, OPTIONS, manifest_number=1, cancelled=lambda: False, progress=done.append
    )

    assert sum(done) == plan.size_bytes
    assert min(done) >= 0
    assert len(done) > 100


@pytest.mark.parametrize("answers", [0, 5])
def test_a_cancelled_job_stops_between_runs(tree: Tree, answers: int) -> None:
    """It returns None, and everything is as before."""
    tree.flush(numbered(200), [])
    tree.flush(numbered(200), [])
    before = tree.version
    asked = iter([False] * answers)

    outputs = run_job(
        plan_for(tree, 3),
        tree.readers,
        tree.new_file,
        OPTIONS,
        manifest_number=1,
        cancelled=lambda: next(asked, True),
        progress=None,
    )

    assert outputs is None
    assert tree.version == before
    assert tree.content() == tree.model


def test_a_table_with_another_number_of_entries_is_corrupt(tree: Tree) -> None:
    """The version and the table must agree, or entries would vanish without a word."""
    tree.flush(numbered(20), [])
    tree.flush(numbered(20), [])
    plan = plan_for(tree, 3)
    first, second = plan.inputs[0].tables
    wrong = msgspec.structs.replace(
        plan, inputs=(LevelTables(0, (first, msgspec.structs.replace(second, entry_count=21))),)
    )

    with pytest.raises(CorruptionError, match="20 entries instead of 21"):
        run(tree, wrong)


def test_an_error_of_the_disk_is_passed_on(tree: Tree) -> None:
    """A full disk stops the job; the inputs stay readable."""
    tree.flush(numbered(200), [])
    tree.flush(numbered(200), [])
    plan = plan_for(tree, 3)

    def no_file() -> NewFile:
        raise DiskFullError("/data/000009.sst", "open", 28, "no space")

    with pytest.raises(StorageError, match="no space"):
        run_job(plan, tree.readers, no_file, OPTIONS, manifest_number=1, cancelled=lambda: False, progress=None)

    assert tree.content() == tree.model


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (([b"a", b"b"], [b"1", b"2"]), ([b"a", b"b"], [b"1", b"2"])),
        (([b"a", b"c", b"e"], [None, None, b""]), ([b"c", b"e"], [None, b""])),
        (([b"a", b"z"], [None, None]), ([], [])),
    ],
)
def test_useless_tombstones(run: Run, expected: Run) -> None:
    """Only tombstones outside of everything older go."""
    assert without_useless_tombstones(run, ((b"b", b"d"),)) == expected


class Generated:
    """A reader that makes its entries up while it is read."""

    path = "/generated"

    def __init__(self, first: int, step: int, run_count: int) -> None:
        self.first = first
        self.step = step
        self.run_count = run_count

    def runs(self, *, fill_cache: bool) -> Iterator[Run]:
        """Yield runs of 10 entries of 12 KB."""
        for place in range(self.run_count):
            start = self.first + place * 10 * self.step
            keys = [b"%012d" % key for key in range(start, start + 10 * self.step, self.step)]
            yield keys, [key * 1_000 for key in keys]

    def range_tombstones(self) -> list[Range]:
        """Return none."""
        return []


def peak_bytes(root: Path, run_count: int) -> int:
    """Return the most memory that merging two generated tables of so many runs takes."""
    entry_count = run_count * 10
    tables = [generated_table(number, entry_count) for number in (1, 2)]
    version = Version((tuple(tables), (), (), ()), LAST_SEQUENCE)
    plan = make_plan(version, [LevelTables(0, tuple(tables))], 3, reason="manual", table_bytes=4_000_000)
    directory = PosixFileSystem().open_directory(str(root))
    numbers = iter(range(10, 1000))

    def new_file() -> NewFile:
        number = next(numbers)
        return NewFile(number, number, directory.open(f"{run_count}.{number}", "create"))

    tracemalloc.start()
    try:
        readers = {1: Generated(0, 2, run_count), 2: Generated(1, 2, run_count)}
        outputs = run_job(plan, readers, new_file, Options(), manifest_number=1, cancelled=lambda: False, progress=None)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sum(table.entry_count for table in outputs or []) == 2 * entry_count
    return peak


def generated_table(number: int, entry_count: int) -> TableMetadata:
    """Return what a version says of a generated table."""
    return msgspec.structs.replace(table(f"{number}:0-9*1000"), entry_count=entry_count)


def test_memory_does_not_grow_with_the_data(tmp_path: Path) -> None:
    """38 MB pass through 3 MB: runs are streamed, and blocks are written as they fill."""
    assert peak_bytes(tmp_path, 160) < 3_000_000
