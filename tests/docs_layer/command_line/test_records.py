"""Files of records: what is read, and how a broken line is named."""

from pathlib import Path

import pytest

from docs_layer.command_line.failures import CommandError
from docs_layer.command_line.records import Record, is_csv, read_records


def _read(path: Path, text: str | bytes, *, as_csv: bool) -> list[Record]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(read_records(path, as_csv=as_csv, progress=lambda _: None))


def test_json_lines(tmp_path: Path) -> None:
    """Each line is one object; empty lines are passed over but counted."""
    records = _read(tmp_path / "a.jsonl", '{"a": 1}\n\n{"b": [null, "ü"]}', as_csv=False)

    assert records == [Record(1, {"a": 1}), Record(3, {"b": [None, "ü"]})]


def test_csv(tmp_path: Path) -> None:
    """Cells may be quoted and span lines; a record's line is the one where it ends; a byte order mark is dropped."""
    records = _read(tmp_path / "a.csv", '\ufeffname,note\nAnn,"two\nlines, one cell"\nBob,\n', as_csv=True)

    assert records == [
        Record(3, {"name": "Ann", "note": "two\nlines, one cell"}),
        Record(4, {"name": "Bob", "note": ""}),
    ]


def test_tab_separated(tmp_path: Path) -> None:
    """The ending `.tsv` stands for tabs between the cells."""
    assert _read(tmp_path / "a.tsv", "a\tb\n1,5\t2\n", as_csv=True) == [Record(2, {"a": "1,5", "b": "2"})]


@pytest.mark.parametrize("text", ["", "a,b\n"])
def test_a_file_without_records(tmp_path: Path, text: str) -> None:
    """An empty file and one with headings only hold no records."""
    assert _read(tmp_path / "a.csv", text, as_csv=True) == []


@pytest.mark.parametrize(
    ("text", "as_csv", "message"),
    [
        ('{"a": 1}\n[1]\n', False, "line 2: not one JSON object"),
        ('{"a": 1}\n{"a":\n', False, "line 2: not one JSON object"),
        (b'{"a": "\xff"}', False, "line 1: not one JSON object"),
        ("a,b\n1\n", True, "line 2: 1 cells below 2 headings"),
        ("a,a\n", True, "two columns have the same name"),
        ('a\n"x" y\n', True, "line 2"),
        (b"a\n1\n\xff\n", True, "line 3: not UTF-8"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, text: str | bytes, as_csv: bool, message: str) -> None:
    """The error names the file and the line."""
    with pytest.raises(CommandError, match=message) as caught:
        _read(tmp_path / "broken", text, as_csv=as_csv)

    assert "broken" in str(caught.value)


def test_progress_reaches_the_size_of_the_file(tmp_path: Path) -> None:
    """Progress counts bytes, and ends at the size of the file."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n{"a": 2}\n')
    seen: list[int] = []

    list(read_records(path, as_csv=False, progress=seen.append))

    assert seen == [9, 18]


@pytest.mark.parametrize(
    ("name", "chosen", "expected"),
    [
        ("a.csv", None, True),
        ("a.TSV", None, True),
        ("a.jsonl", None, False),
        ("a.csv", "jsonl", False),
        ("a", "csv", True),
    ],
)
def test_the_format_is_chosen_or_read_from_the_name(name: str, chosen: str | None, expected: bool) -> None:
    """What was asked for wins over the ending of the name."""
    assert is_csv(Path(name), chosen) is expected


def test_an_unknown_format_is_refused() -> None:
    """The error tells how to say the format."""
    with pytest.raises(CommandError, match="--format"):
        is_csv(Path("a.xls"), None)
