"""The command `crashtest`: it passes and tidies up; a failure keeps the evidence and says how to look again."""

import json
from pathlib import Path

import pytest

from lsm.testing.crashtest import BrokenPromiseError
from tests.docs_layer.command_line.conftest import Run


def test_a_short_run_passes_and_leaves_nothing(run: Run, tmp_path: Path) -> None:
    """The report counts what was done, and the directory that was made is gone."""
    printed = run("crashtest", tmp_path / "new", "--minutes", "0.03", "--seed", "5", "--json")

    assert printed.status == 0, printed
    facts = json.loads(printed.output)
    assert (facts["seed"], facts["lost"], facts["failure"]) == (5, 0, "")
    assert facts["rounds"] == facts["kills"] + facts["closes"] > 0
    assert not (tmp_path / "new").exists()


def test_a_failure_keeps_the_evidence(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status 1, what was wrong, and the two commands; the replay finds that the files are right."""

    def refuse(*arguments: object) -> None:
        raise BrokenPromiseError("planted")

    monkeypatch.setattr("lsm.testing.crashtest.trial.inspect", refuse)
    printed = run("crashtest", tmp_path, "--minutes", "1", "--seed", "5")
    assert printed.status == 1
    assert "BrokenPromiseError: planted" in printed.lines
    assert f"look again:     layerdb crashtest {tmp_path} --replay" in printed.lines
    assert "same plan anew: layerdb crashtest NEWDIR --seed 5 --minutes 1" in printed.lines

    printed = run("crashtest", tmp_path, "--replay")
    assert printed.status == 0
    assert printed.lines == ["seed 5, round 0, then: BrokenPromiseError: planted", "now: nothing is wrong"]
    assert json.loads(run("crashtest", tmp_path, "--replay", "--json").output)["then"].endswith("planted")


def test_a_directory_with_other_files_is_refused(run: Run, tmp_path: Path) -> None:
    """Nothing of anybody else is touched, and there is nothing to look at again."""
    (tmp_path / "letter.txt").write_text("mine")

    assert "is not empty" in run("crashtest", tmp_path).errors
    assert "no crash test has failed here" in run("crashtest", tmp_path, "--replay").errors
    assert (tmp_path / "letter.txt").read_text() == "mine"
