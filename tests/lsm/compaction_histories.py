"""Random histories of flushes and compactions over real tables on a disk in memory, compared with a dict at every step.

`Tree` is the least that can be called a tree of levels: a version, its tables, and the rules for looking into them. It
resolves a memtable as the engine does: a put after a range deletion of the same memtable stays beside the range.
"""

import random
from collections.abc import Callable
from typing import NamedTuple

from lsm.block_cache import BlockCache
from lsm.compaction.job import run_job
from lsm.compaction.leveled import next_cursors, pick
from lsm.compaction.manual import RangeWork, plan_range
from lsm.compaction.plan import LevelTables, Plan, broken_rules, gather, make_plan, plan_edit
from lsm.environment import File
from lsm.filenames import table_name
from lsm.kernel import kernel
from lsm.merging import Source, merge
from lsm.options import Options
from lsm.range_tombstones import flatten
from lsm.runs import MISSING, Range, Value
from lsm.sstable.properties import TableEdit, TableProperties
from lsm.sstable.reader import TableReader
from lsm.sstable.writer import TableWriter, WrittenTable
from lsm.testing import SimulatedEnvironment, SimulatedFileSystem
from lsm.version import (
    Edit,
    TableMetadata,
    apply_edit,
    empty_version,
    inclusive_largest,
    shortened_largest,
    shortened_smallest,
)

LEVEL_COUNT = 4
KEYS = [bytes([first, second]) for first in b"bcdefg" for second in b"mnopq"]
KEYS += [key + b"\0" for key in KEYS[::3]] + [b"k" * 70 + bytes([last]) for last in b"abcd"]
KEYS.sort()


class NewFile(NamedTuple):
    """A table file that was just made."""

    number: int
    identity: int
    file: File


class Tree:
    """Levels of tables, and the dict that they should be equal to."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.version = empty_version(LEVEL_COUNT)
        self.model: dict[bytes, bytes] = {}
        self.cursors: dict[int, bytes] = {}
        self.readers: dict[int, TableReader] = {}
        self.sequence = 0
        self._number = 0
        filesystem = SimulatedFileSystem()
        filesystem.create_directory("/data")
        self._directory = filesystem.open_directory("/data")
        self._cache = BlockCache(1 << 20, SimulatedEnvironment(filesystem).lock())

    def new_file(self) -> NewFile:
        """Make the next table file."""
        self._number += 1
        return NewFile(self._number, self._number << 64, self._directory.open(table_name(self._number), "create"))

    def flush(self, entries: dict[bytes, Value], ranges: list[Range]) -> None:
        """Put a table at the top whose ranges hide what is older than it."""
        flat = flatten(ranges)
        for start, stop in flat:
            for key in [key for key in self.model if start <= key and (stop is None or key < stop)]:
                del self.model[key]
        for key, value in entries.items():
            self.model.pop(key, None)
            if value is not None:
                self.model[key] = value
        new = self.new_file()
        options = self.options
        writer = TableWriter(
            new.file, new.identity, block_bytes=options.block_bytes, compression="none", filter_bits_per_key=10
        )
        writer.add(sorted(entries), [entries[key] for key in sorted(entries)])
        writer.add_range_tombstones(flat)
        self.sequence += 1
        edit = TableEdit(manifest_number=1, level=0, place=0)
        written = writer.finish(TableProperties(edit=edit, first_sequence=self.sequence, last_sequence=self.sequence))
        self.install(Edit(added=((0, self.metadata(new, written)),), last_sequence=self.sequence))

    def metadata(self, new: NewFile, written: WrittenTable) -> TableMetadata:
        """Return what a flush says of its table."""
        largest = inclusive_largest(written.largest, written.largest_is_excluded)
        return TableMetadata(
            number=new.number,
            identity=new.identity,
            size_bytes=written.size_bytes,
            smallest=shortened_smallest(written.smallest),
            largest=None if largest is None else shortened_largest(largest),
            entry_count=written.entry_count,
            tombstone_count=written.tombstone_count,
            range_tombstone_count=written.range_tombstone_count,
            first_sequence=self.sequence,
            last_sequence=self.sequence,
            level_at_creation=0,
        )

    def compact(self, plan: Plan) -> None:
        """Run a plan and install what comes out."""
        done: list[int] = []
        outputs = run_job(
            plan,
            self.readers,
            self.new_file,
            self.options,
            manifest_number=1,
            cancelled=lambda: False,
            progress=done.append,
        )
        assert outputs is not None
        assert plan.trivial_move or sum(done) == plan.size_bytes
        self.install(plan_edit(plan, outputs))

    def install(self, edit: Edit) -> None:
        """Go to the next version, as after reading it from its manifest."""
        self.version = apply_edit(self.version, edit)
        tables = {table.number: table for table in self.version.tables()}
        for number in set(self.readers) - set(tables):
            del self.readers[number]
        for number in set(tables) - set(self.readers):
            file = self._directory.open(table_name(number), "read")
            self.readers[number] = TableReader(file, tables[number].identity, self._cache)

    def get(self, key: bytes) -> bytes | None:
        """Look a key up: level 0 newest first, then down; tables are skipped by their bounds only."""
        for level in range(LEVEL_COUNT):
            for table in self.version.overlapping(level, key, key + b"\0"):
                found = self.readers[table.number].get(key, kernel().key_hashes([key])[0])
                if found is not MISSING:
                    return found
        return None

    def content(self) -> dict[bytes, bytes | None]:
        """Read everything by one merge."""
        sources = [
            Source(self.readers[table.number].runs(), self.readers[table.number].range_tombstones())
            for table in self.version.tables()
        ]
        return {key: value for keys, values in merge(sources) for key, value in zip(keys, values, strict=True)}

    def check(self, generator: random.Random) -> None:
        """Compare with the dict: everything by a merge, and some keys by look-up."""
        assert self.content() == self.model
        for key in generator.sample(KEYS, 15):
            assert self.get(key) == self.model.get(key)


PlanRule = Callable[[random.Random, Tree], Plan | None]


def run_history(seed: int, *, steps: int = 40, checked: bool = True) -> Tree:
    """Run one random history; raise `AssertionError` (or what the engine raises) as soon as something is wrong.

    checked: also ask `broken_rules` before each compaction, which finds a wrong plan before it does harm.
    """
    generator = random.Random(seed)
    tree = Tree(random_options(generator))
    for _ in range(steps):
        if generator.random() < 0.5:
            tree.flush(*random_memtable(generator))
        else:
            plan = generator.choice(PLAN_RULES)(generator, tree)
            if plan is not None:
                assert not (checked and broken_rules(tree.version, plan))
                tree.compact(plan)
        tree.check(generator)
    return tree


def random_options(generator: random.Random) -> Options:
    """Draw options under which a few tables fill a level."""
    return Options(
        block_bytes=generator.choice([64, 200]),
        table_bytes=generator.choice([1024, 1500, 3000]),
        level_base_bytes=generator.choice([1024, 6000]),
        level_ratio=generator.choice([2, 4]),
        level0_compact_tables=generator.choice([1, 2, 3]),
        level_count=LEVEL_COUNT,
    )


def random_memtable(generator: random.Random) -> tuple[dict[bytes, Value], list[Range]]:
    """Draw puts, tombstones and range deletions; often of a small part of the keys."""
    low = generator.randrange(len(KEYS))
    keys = KEYS[low : low + generator.choice([3, 8, len(KEYS)])]
    entries: dict[bytes, Value] = {
        key: None if generator.random() < 0.25 else generator.randbytes(generator.randrange(40))
        for key in generator.sample(keys, generator.randint(1, min(len(keys), 14)))
    }
    ranges = [random_range(generator) for _ in range(generator.choice([0, 0, 0, 1, 1, 2]))]
    if ranges and generator.random() < 0.3:
        entries = {}
    return entries, ranges


def random_range(generator: random.Random) -> Range:
    """Draw a range, sometimes without an end, sometimes ending right behind a key."""
    low, high = sorted(generator.sample(range(len(KEYS)), 2))
    stop = generator.choice([KEYS[high], KEYS[high], KEYS[high] + b"\0", None if generator.random() < 0.3 else b"ez"])
    return (KEYS[low], stop if stop is None or stop > KEYS[low] else KEYS[high])


def picked(generator: random.Random, tree: Tree) -> Plan | None:
    """Ask the leveled picker."""
    plan = pick(tree.version, tree.options, tree.cursors)
    if plan is not None:
        tree.cursors = next_cursors(tree.cursors, plan)
    return plan


def asked_for(generator: random.Random, tree: Tree) -> Plan | None:
    """Ask for a step of a manual compaction of some range."""
    start, stop = random_range(generator)
    step = plan_range(tree.version, tree.options, RangeWork(start=start, stop=stop, level0=generator.random() < 0.5))
    return None if step is None else step.plan


def arbitrary(generator: random.Random, tree: Tree) -> Plan | None:
    """Choose any tables of any level and any deeper level for them; only `gather` makes a plan of it."""
    filled = [level for level in range(LEVEL_COUNT - 1) if tree.version.levels[level]]
    if not filled:
        return None
    level = generator.choice(filled)
    tables = tree.version.levels[level]
    if level == 0:
        chosen = tuple(generator.sample(tables, generator.randint(1, len(tables))))
    else:
        first = generator.randrange(len(tables))
        chosen = tables[first : first + generator.randint(1, 3)]
    below = range(level + 1, LEVEL_COUNT)
    if level == 0:
        deepest = next((lower for lower in below if tree.version.levels[lower]), LEVEL_COUNT - 1)
        below = range(1, deepest + 1)
    output_level = generator.choice(below)
    inputs: list[LevelTables] = gather(tree.version, level, chosen, output_level)
    return make_plan(tree.version, inputs, output_level, reason="manual", table_bytes=tree.options.table_bytes)


PLAN_RULES: list[PlanRule] = [picked, picked, asked_for, arbitrary, arbitrary]
