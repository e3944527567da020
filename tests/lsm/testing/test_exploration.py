"""The explorer finds what careless programs lose, says where, and repeats it; careful programs pass.

The programs here are a few calls of the file system, so that each crash can be thought through.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

import pytest

from lsm.environment import Directory
from lsm.errors import InvalidArgumentError, MissingFileError, StorageError
from lsm.testing import (
    Call,
    Crash,
    CrashTestError,
    Exploration,
    Ledger,
    Plan,
    Recording,
    SimulatedFileSystem,
    explore,
)

Program = Callable[[Recording[bytes]], None]


def _replace(directory: Directory, content: bytes, *, sync_file: bool = True, sync_directory: bool = True) -> None:
    """Replace the file `value` in the usual way, or with a sync left out."""
    if "value.tmp" in directory.names():
        directory.unlink("value.tmp")
    file = directory.open("value.tmp", "create")
    file.write_at(0, content)
    if sync_file:
        file.sync()
    directory.rename("value.tmp", "value")
    if sync_directory:
        directory.sync()


def _program(*, sync_file: bool = True, sync_directory: bool = True) -> Program:
    def program(recording: Recording[bytes]) -> None:
        directory = recording.environment.filesystem.open_directory("/")
        for number in range(4):
            value = b"value %d " % number * 100
            with recording.promise(value):
                _replace(directory, value, sync_file=sync_file, sync_directory=sync_directory)

    return program


def _value(crash: Crash[bytes]) -> bytes:
    """Read the value that a crash has left; it must be the last promised or the one on its way.

    A kill may have left its name in the cache only, so that is made durable first.
    """
    directory = crash.environment.filesystem.open_directory("/")
    directory.sync()
    try:
        file = directory.open("value", "read")
    except MissingFileError:
        found = b""
    else:
        found = file.read_at(0, file.size())
    crash.check_state(found)
    return found


def _values() -> Ledger[bytes]:
    return Ledger([b""])


def test_a_careful_program_passes() -> None:
    """Write, sync, rename, sync the directory: every disk is right, and it is said how many there were."""
    counts = explore(_program(), _value, ledger=_values())

    assert counts["crash points"] > 20
    assert counts["disks"] > counts["different disks"] > 20
    assert counts["kills"] > 20


@pytest.mark.parametrize("missing", ["sync_file", "sync_directory"])
def test_a_missing_sync_is_found(missing: str) -> None:
    """Leaving out either sync loses a promised value after a power loss, never after a kill."""
    program = _program(**{missing: False})

    with pytest.raises(CrashTestError) as caught:
        explore(program, _value, ledger=_values())
    assert all("killed" not in failure.address for failure in caught.value.failures)


def test_a_failure_is_one_line_that_repeats_it() -> None:
    """The address in the message tries just that crash, and finds the same."""
    program = _program(sync_file=False)
    with pytest.raises(CrashTestError) as caught:
        explore(program, _value, Plan(seed=5, most_failures=1), ledger=_values())
    line = str(caught.value)
    found = re.search(r"Plan\(seed=(\d+), replay='(.*)'\)$", line)
    assert found is not None
    assert "\n" not in line

    again: Exploration[bytes] = Exploration(_value, Plan(seed=int(found[1]), replay=found[2]))
    again.run(program, _values())

    assert [str(failure) for failure in again.failures] == [line]
    assert again.counts["disks"] == 1
    with pytest.raises(InvalidArgumentError, match="no crash has the address"):
        explore(program, _value, Plan(replay="999:nothing"), ledger=_values())


def test_calls_and_parts_are_chosen() -> None:
    """A plan cuts off the calls that match, and parts share them without leaving one out."""
    at_syncs = explore(_program(), _value, Plan(at="sync*"), ledger=_values())
    parts: Counter[str] = Counter()
    for part in range(3):
        parts += explore(_program(), _value, Plan(part=part, parts=3), ledger=_values())
    everything = explore(_program(), _value, ledger=_values())

    assert at_syncs["crash points"] == 4 * 2 + 1, "each sync of four values, and the end"
    assert parts["crash points"] == everything["crash points"]


def test_each_recovery_is_crashed_in_turn() -> None:
    """A check that repairs by halves is found when it is cut off in the middle."""

    def program(recording: Recording[bytes]) -> None:
        directory = recording.environment.filesystem.open_directory("/")
        with recording.promise(b"whole"):
            file = directory.open("value", "create")
            file.write_at(0, b"whole")
            file.sync()
            directory.sync()

    def careless(crash: Crash[bytes]) -> None:
        directory = crash.environment.filesystem.open_directory("/")
        if "value" not in directory.names() or not crash.promised:
            return
        file = directory.open("value", "write")
        content = file.read_at(0, 99)
        crash.check_prefix([content])
        file.truncate(0)
        file.write_at(0, content)

    explore(program, careless)
    with pytest.raises(CrashTestError) as caught:
        explore(program, careless, Plan(recovery=Plan()))
    assert all(failure.address.count("/") == 1 for failure in caught.value.failures)


def _append(recording: Recording[bytes]) -> None:
    """Write a value and promise it without a sync: it survives a kill only."""
    directory = recording.environment.filesystem.open_directory("/")
    file = directory.open("value", "create")
    file.sync()
    directory.sync()
    with recording.promise(b"seen", durable=False):
        file.write_at(0, b"seen")


def test_what_a_check_has_shown_must_last() -> None:
    """After a kill a recovery reads bytes that were never durable; unless it syncs them, a power loss takes them."""

    def careless(crash: Crash[bytes]) -> bytes:
        directory = crash.environment.filesystem.open_directory("/")
        if "value" not in directory.names():
            return b""
        return directory.open("value", "read").read_at(0, 99)

    def careful(crash: Crash[bytes]) -> bytes:
        directory = crash.environment.filesystem.open_directory("/")
        directory.sync()
        if "value" in directory.names():
            directory.open("value", "write").sync()
        return careless(crash)

    with pytest.raises(CrashTestError, match="another recovery changes what the first has shown") as caught:
        explore(_append, careless)
    assert all(re.search(r"killed.*/end:nothing$", failure.address) for failure in caught.value.failures)
    explore(_append, careful, Plan(recovery=Plan()))


def test_a_kill_keeps_what_was_only_acknowledged() -> None:
    """After a kill everything promised must be there, after a power loss only what was durable."""

    def check(crash: Crash[bytes]) -> None:
        promises.add((crash.killed, crash.promised_count))

    promises: set[tuple[bool, int]] = set()
    explore(_append, check)

    assert promises == {(True, 0), (True, 1), (False, 0)}


def test_a_kill_leaves_part_of_a_write() -> None:
    """Each write is also cut off by kills after some of its bytes."""
    seen: set[bytes] = set()

    def check(crash: Crash[bytes]) -> None:
        directory = crash.environment.filesystem.open_directory("/")
        if crash.killed and "value" in directory.names():
            seen.add(directory.open("value", "read").read_at(0, 99))

    explore(_append, check)

    assert seen == {b"", b"s", b"se", b"see", b"seen"}


def test_every_kind_of_exception_is_a_finding() -> None:
    """Also what pytest raises for `pytest.fail`, which is no `Exception`; Ctrl-C is not one."""

    def fail(_: Crash[bytes]) -> None:
        pytest.fail("wrong")

    def interrupt(_: Crash[bytes]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(CrashTestError, match="Failed: wrong"):
        explore(_append, fail)
    with pytest.raises(KeyboardInterrupt):
        explore(_append, interrupt)


def test_several_processes_on_one_disk_are_watched() -> None:
    """A crash takes all of them, whoever makes the call."""
    ledger: Ledger[bytes] = Ledger()
    calls: list[str] = []

    def check(crash: Crash[bytes]) -> None:
        calls.append(crash.address)

    exploration = Exploration(check, Plan(canonical=False))
    first = SimulatedFileSystem()
    second = SimulatedFileSystem(first.disk)
    for name, process in {"first ": first, "second ": second}.items():
        exploration.watch(process, ledger, name)
    first.open_directory("/").open("a", "create").sync()
    second.open_directory("/").open("b", "create").sync()

    assert exploration.counts["crash points"] == 6
    assert {address.partition(":")[0] for address in calls} == {"first 0", "first 2", "second 0", "second 2"}


def test_the_program_may_meet_faults() -> None:
    """Faults in the recording are met by the program, not by the check."""
    from lsm.testing import Fault  # noqa: PLC0415

    def program(recording: Recording[bytes]) -> None:
        recording.filesystem.fail(Fault(operation="write"))
        with pytest.raises(StorageError):
            _append(recording)

    def check(crash: Crash[bytes]) -> None:
        crash.environment.filesystem.open_directory("/").open("new", "create").write_at(0, b"x")

    explore(program, check)


def test_calls_print_as_a_line() -> None:
    """A report names the call."""
    assert str(Call(7, "sync", "/a")) == "7 (sync /a)"
