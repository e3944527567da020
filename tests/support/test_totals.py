"""The totals add up, survive a file, and name what was skipped."""

from pathlib import Path

import pytest

from tests.support.totals import Lane, append, lanes_of, main, merged, read, table


def test_lanes_of_one_name_add_up() -> None:
    """Counts, wrong ones and seconds are summed; a lane that was tried once is not skipped."""
    lanes = [
        Lane("cut", {"cuts": 2}, 0, 1.0),
        Lane("cut", {"cuts": 3, "kills": 1}, 1, 0.5),
        Lane("cut", {}, skipped="needs root"),
        Lane("box", {}, skipped="needs root"),
    ]

    assert merged(lanes) == [
        Lane("box", {}, skipped="needs root"),
        Lane("cut", {"cuts": 5, "kills": 1}, 1, 1.5),
    ]


def test_lanes_of_a_run_are_named_after_the_functions() -> None:
    """Cases of one function are one lane, a failed one is wrong, and texts are no numbers."""
    reports = [
        pytest.TestReport("a.py::test_some_thing[0]", ("", 0, ""), {}, "passed", None, "call", [], 2.0),
        pytest.TestReport("a.py::test_some_thing[1]", ("", 0, ""), {}, "failed", None, "call", [], 2.0),
    ]
    for report in reports:
        report.user_properties += [("disks", 7), ("note", "x")]

    assert lanes_of(reports) == [Lane("some thing", {"disks": 14}, 1, 4.0)]


def test_files_become_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is appended is read back, and the program prints the sum."""
    path = tmp_path / "totals"
    lane = Lane("cut", {"cuts": 1200}, 0, 2.4)
    append(path, [lane])
    append(path, [lane])

    assert read(path) == [lane, lane]
    main([str(path)])
    assert capsys.readouterr().out.splitlines()[2] == "| cut | 2,400 cuts | 0 | 5 s |"
    assert table([Lane("box", {}, skipped="needs root")])[2] == "| box | skipped: needs root | 0 | 0 s |"
