"""`import` and `query`: files become tables, and tables answer, without a class that declares them."""

import json
from pathlib import Path

import pytest

from docs_layer import Col, Key, Table, col, open_db
from tests.docs_layer.command_line.conftest import Run

CSV = """name,age,height,member,note
Ann,41,1.7,true,first
Bob,,1.82,false,
Eve,29,,true,"two
lines"
"""
JSON_LINES = """{"id": "a", "size": 1, "tags": ["x"], "big number": 5}
{"id": "b", "size": 2.5, "tags": [], "big number": null}
"""


class Declared(Table):
    """A table that a program declared before the import."""

    id: Key[int]
    name: Col[str]
    score: Col[float]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """The directory of a database that does not exist yet."""
    return tmp_path / "database"


@pytest.fixture
def people(run: Run, database: Path, tmp_path: Path) -> Path:
    """Import a small CSV file; returns the directory of the database."""
    file = tmp_path / "people.csv"
    file.write_text(CSV)
    printed = run("import", database, "person", file)
    assert (printed.status, printed.errors) == (0, "")
    assert printed.output == "3 rows stored in person (id, name, age, height, member, note)\n"
    return database


def _rows(run: Run, database: Path, *words: str) -> list[dict[str, object]]:
    printed = run("query", database, *words, "--json")
    assert (printed.status, printed.errors) == (0, "")
    return [json.loads(line) for line in printed.lines]


def test_csv_becomes_a_table_with_types(run: Run, people: Path) -> None:
    """Cells have the types that the whole column allows; keys are automatic."""
    rows = _rows(run, people, "person")

    assert [row["id"] for row in rows] == sorted(int(str(row["id"])) for row in rows)
    assert [{name: row[name] for name in row if name != "id"} for row in rows] == [
        {"name": "Ann", "age": 41, "height": 1.7, "member": True, "note": "first"},
        {"name": "Bob", "age": None, "height": 1.82, "member": False, "note": ""},
        {"name": "Eve", "age": 29, "height": None, "member": True, "note": "two\nlines"},
    ]


def test_json_lines_become_a_table_with_a_given_key(run: Run, database: Path, tmp_path: Path) -> None:
    """A field `id` is the key; headings become names of columns."""
    file = tmp_path / "things.jsonl"
    file.write_text(JSON_LINES)

    assert json.loads(run("import", database, "thing", file, "--json").output) == {
        "table": "thing",
        "rows": 2,
        "columns": ["id", "size", "tags", "big_number"],
    }
    assert _rows(run, database, "thing", "id=b") == [{"id": "b", "size": 2.5, "tags": [], "big_number": None}]


def test_import_into_a_declared_table(run: Run, database: Path, tmp_path: Path) -> None:
    """A table that exists keeps its columns, and cells are brought to their types."""
    with open_db(database, tables=[Declared]) as db:
        db.insert(Declared(id=1, name="one", score=0.5))
    file = tmp_path / "more.csv"
    file.write_text("id,name,score\n2,two,2\n3,007,1e3\n")

    assert run("import", database, "Declared", file).status == 0
    assert _rows(run, database, "Declared", "id>1") == [
        {"id": 2, "name": "two", "score": 2.0},
        {"id": 3, "name": "007", "score": 1000.0},
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,name,score\n5,x,high\n", "line 2: score='high'"),
        ("id,name,scores\n5,x,1\n", "did you mean score?"),
        ("id,name,score\n5,x,1\n1,y,1\n", "line 3"),
        ("id,name\n5,x\n", "line 2"),
    ],
)
def test_a_wrong_row_is_named_by_its_line(run: Run, database: Path, tmp_path: Path, text: str, message: str) -> None:
    """A value of another type, an unknown or a missing column, and a key that is taken: each names file and line."""
    with open_db(database, tables=[Declared]) as db:
        db.insert(Declared(id=1, name="one", score=0.5))
    file = tmp_path / "wrong.csv"
    file.write_text(text)

    printed = run("import", database, "Declared", file)

    assert printed.status == 1
    assert "wrong.csv" in printed.errors
    assert message in printed.errors
    assert printed.errors.count("\n") == 1


def test_rows_before_a_wrong_one_are_stored(run: Run, database: Path, tmp_path: Path) -> None:
    """The message says how many rows were stored, and they are there."""
    file = tmp_path / "twice.csv"
    file.write_text("id\n1\n2\n2\n3\n")

    printed = run("import", database, "number", file)

    assert "line 4" in printed.errors
    assert "2 rows before it stored" in printed.errors
    assert [row["id"] for row in _rows(run, database, "number")] == [1, 2]


@pytest.mark.parametrize(
    ("conditions", "names"),
    [
        (["name=Ann"], ["Ann"]),
        (["age>=29", "member=true"], ["Ann", "Eve"]),
        (["age=null"], ["Bob"]),
        (["name!=Bob"], ["Ann", "Eve"]),
        (["height<1.8"], ["Ann"]),
        (["name^=E"], ["Eve"]),
        (["note=two\nlines"], ["Eve"]),
    ],
)
def test_query_by_conditions(run: Run, people: Path, conditions: list[str], names: list[str]) -> None:
    """All conditions must hold; values are read as the type of the column."""
    assert [row["name"] for row in _rows(run, people, "person", *conditions)] == names


def test_query_order_limit_and_columns(run: Run, people: Path) -> None:
    """Order may be descending; the limit counts after the order; columns come as asked for."""
    rows = _rows(run, people, "person", "--order-by", "-name", "--limit", "2", "--select", "age", "--select", "name")

    assert rows == [{"age": 29, "name": "Eve"}, {"age": None, "name": "Bob"}]


def test_query_as_a_grid(run: Run, people: Path) -> None:
    """A person sees headings, one row a line, null as null, and the number of rows."""
    lines = run("query", people, "person", "name=Bob", "--select", "name", "--select", "age").lines

    assert next(line.split() for line in lines if line.strip()) == ["name", "age"]
    assert ["Bob", "null"] in [line.split() for line in lines]
    assert lines[-1] == "1 row"


def test_query_explains_its_way(run: Run, people: Path) -> None:
    """`--explain` names the path instead of printing rows."""
    assert "primary key" in run("query", people, "person", "id=1", "--explain").output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["persons"], "did you mean person?"),
        (["person", "nam=Ann"], "did you mean name?"),
        (["person", "Ann"], "is no condition"),
        (["person", "age=old"], "age='old'"),
        (["person", "--order-by", "agee"], "did you mean age?"),
        (["person", "--select", "nose"], "did you mean note?"),
    ],
)
def test_a_wrong_query_is_one_line(run: Run, people: Path, words: list[str], message: str) -> None:
    """The error names what is unknown, and the nearest that is known."""
    printed = run("query", people, *words)

    assert printed.status == 1
    assert message in printed.errors
    assert printed.errors.count("\n") == 1


def test_a_file_that_is_not_there(run: Run, database: Path, tmp_path: Path) -> None:
    """The error names the file, and no database is left behind."""
    printed = run("import", database, "person", tmp_path / "absent.csv")

    assert printed.status == 1
    assert "absent.csv" in printed.errors
    assert not database.exists()


def test_verify_of_tables(run: Run, people: Path) -> None:
    """`--tables` also compares rows with index entries, and says how many it saw."""
    assert "1 tables, 3 rows" in run("verify", people, "--tables").output
    assert json.loads(run("verify", people, "--tables", "--json").output)["content"]["rows"] == 3


def test_verify_finds_a_row_without_its_entry(run: Run, database: Path) -> None:
    """An index entry that somebody deleted by hand is damage of the tables, though every byte is as it was written."""

    class Tagged(Table):
        id: Key[int]
        tag: Col[str] = col(unique=True)

    with open_db(database, tables=[Tagged]) as db:
        db.insert(Tagged(id=1, tag="here"))
    entry = next(line for line in run("scan", database, "--keys-only").lines if "here" in line)
    assert run("delete", database, entry).status == 0

    assert run("verify", database).status == 0
    assert run("verify", database, "--tables").status == 1
