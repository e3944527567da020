"""Names of files: exactly ours or not ours at all, and numbers that never run out."""

import pytest

from lsm.errors import CorruptionError
from lsm.filenames import log_name, manifest_name, next_number, parse_name, table_name


@pytest.mark.parametrize("number", [0, 1, 999_999, 1_000_000, 1 << 62])
def test_names_are_read_back(number: int) -> None:
    """Each kind has its spelling, for small and large numbers."""
    assert parse_name(log_name(number)) == ("log", number)
    assert parse_name(table_name(number)) == ("table", number)
    assert parse_name(manifest_name(number)) == ("manifest", number)


@pytest.mark.parametrize(
    "name",
    [
        "1.wal",
        "0000001.wal",
        "000001.WAL",
        "000001.wal~",
        " 000001.wal",
        "MANIFEST-0000001",
        "\u0660\u0660\u0660\u0660\u0660\u0661.wal",
        "",
    ],
)
def test_other_names_are_not_ours(name: str) -> None:
    """A number with needless zeros, other cases and other digits would be a second name for one number."""
    assert parse_name(name) is None


def test_the_next_number_is_above_all() -> None:
    """Foreign names do not count; a number that nobody can have come to is refused by name."""
    assert next_number("/data", []) == 1
    assert next_number("/data", ["000007.sst", "MANIFEST-000009", "notes.txt", "99.wal"]) == 10
    with pytest.raises(CorruptionError, match=r"/data/9223372036854775808\.wal: .* as large as this one"):
        next_number("/data", ["9223372036854775808.wal"])
