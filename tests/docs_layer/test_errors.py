"""The tree of errors: attributes, texts, families."""

import pickle

import pytest

from docs_layer import (
    ConflictError,
    CorruptionError,
    DatabaseError,
    ForeignKeyViolation,
    IndexRequiredError,
    IntegrityError,
    NoSuchField,
    NoSuchTable,
    NotFoundError,
    QueryError,
    SchemaError,
    TransactionError,
    UniqueViolation,
    ValidationError,
)
from docs_layer.errors import nearest_name


@pytest.mark.parametrize(
    ("kind", "families"),
    [
        (ConflictError, (TransactionError, DatabaseError)),
        (NoSuchField, (SchemaError, AttributeError)),
        (NoSuchTable, (SchemaError, DatabaseError)),
        (UniqueViolation, (IntegrityError, DatabaseError)),
        (ForeignKeyViolation, (IntegrityError, DatabaseError)),
        (ValidationError, (DatabaseError, ValueError)),
        (NotFoundError, (DatabaseError, LookupError)),
        (IndexRequiredError, (QueryError, DatabaseError)),
    ],
)
def test_errors_belong_to_their_families(kind: type[Exception], families: tuple[type[Exception], ...]) -> None:
    """Each error can be caught by the families its docstring promises."""
    assert all(issubclass(kind, family) for family in families)


def test_only_a_conflict_may_simply_be_repeated() -> None:
    """`retryable` is true for conflicts and for nothing else."""
    assert ConflictError.retryable
    assert not any(kind.retryable for kind in (TransactionError, IntegrityError, QueryError, DatabaseError))


def test_unique_violation_names_values_and_existing_row() -> None:
    """The text says what clashes where, and with which row."""
    error = UniqueViolation("Author", "Author_name", {"name": "Ann"}, 7)
    assert (error.table, error.index, error.key, error.existing) == ("Author", "Author_name", {"name": "Ann"}, 7)
    assert str(error) == "Author: name='Ann' is already there in Author_name (row 7)"


def test_foreign_key_violation_tells_both_directions() -> None:
    """With referrers a delete was refused, without them a missing parent."""
    missing = ForeignKeyViolation("Book", "author_id", "Author", 9)
    assert "Book.author_id=9 refers to a row of Author that is not there" in str(missing)
    held = ForeignKeyViolation("Book", "author_id", "Author", 1, [4, 5])
    assert held.referrers == (4, 5)
    assert "still referred to by Book.author_id of 4, 5" in str(held)


def test_long_values_are_cut_in_messages() -> None:
    """A large value does not flood the message, and stays whole as an attribute."""
    error = ValidationError("Book", "title", "x" * 5000, "too long")
    assert len(str(error)) < 200
    assert error.value == "x" * 5000


def test_corruption_names_place_offset_and_key() -> None:
    """What is known of the place is in the text and in attributes."""
    error = CorruptionError("a.log", "bad frame", offset=12, key=b"\x01\xff")
    assert str(error) == "a.log at offset 12: bad frame (key 01ff)"
    assert (error.place, error.offset, error.key) == ("a.log", 12, b"\x01\xff")


@pytest.mark.parametrize(
    "error",
    [
        UniqueViolation("Author", "Author_name", {"name": "Ann"}, 7),
        ForeignKeyViolation("Book", "author_id", "Author", 1, [4, 5]),
        NoSuchField("Book", "titel", ["title"]),
        ConflictError([b"key"]),
        CorruptionError("a.log", "bad frame", offset=12),
    ],
)
def test_errors_cross_processes_whole(error: DatabaseError) -> None:
    """A pickled error comes back with its text and attributes."""
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))


def test_nearest_name_is_offered_only_if_similar() -> None:
    """A name without resemblance gives no hint."""
    assert nearest_name("titel", ["title", "year"]) == "title"
    assert nearest_name("zzz", ["title", "year"]) is None
    assert NoSuchField("Book", "titel", ["title"]).nearest == "title"
    assert "did you mean" not in str(NoSuchTable("zzz", ["Book"]))
