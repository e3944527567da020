"""Typed tables over an ordered key-value store: rows, indexes, references, queries, transactions.

    class Author(Table):
        id: Key[int] = auto()
        name: Col[str] = col(unique=True)

    with open_db("library", tables=[Author]) as db:
        ann = db.insert(Author(name="Ann"))
        db.query(Author).where(Author.name.starts_with("A")).order_by(-Author.id).limit(10).all()

Start at `tables` (how a class becomes a table), `database` (what a program calls) and `ARCHITECTURE.md` (the map). Only
the names below, and those of `docs_layer.testing`, are public; everything else may change.
"""

from docs_layer.assignments import increment, push, remove, set_, unset
from docs_layer.collection import Collection
from docs_layer.columns import Col, Key, Many, One, Ref
from docs_layer.database import Database, table_from_catalog
from docs_layer.errors import (
    ClosedError,
    CommitUnknownError,
    ConflictError,
    CorruptionError,
    DatabaseError,
    ForeignKeyViolation,
    IndexRequiredError,
    IntegrityError,
    InvalidTokenError,
    MultipleRowsError,
    NoSuchField,
    NoSuchIndex,
    NoSuchTable,
    NotFoundError,
    NotUniqueError,
    QueryError,
    SchemaError,
    SnapshotTooOldError,
    TransactionError,
    TransactionTooLargeError,
    UniqueViolation,
    ValidationError,
)
from docs_layer.explanations import Explanation
from docs_layer.expressions import Assignment, Column, Expression, Order, Path, RefColumn, Relation, Value, f
from docs_layer.fields import auto, col, follow, index, inverse, ref
from docs_layer.index_changes import IndexInfo
from docs_layer.index_repair import RepairReport
from docs_layer.memory_store import MemoryStore
from docs_layer.opening import open_db
from docs_layer.operations import (
    all_,
    any_,
    at,
    between,
    contains,
    ends_with,
    exists,
    has,
    in_,
    is_null,
    length,
    like,
    lower,
    matches,
    starts_with,
    upper,
)
from docs_layer.paging import Page
from docs_layer.query import Query
from docs_layer.row_stream import RowStream
from docs_layer.tables import Table, asdict, from_dict, replace
from docs_layer.transaction import Snapshot, Transaction
from docs_layer.verification import VerificationReport

__all__ = [
    "Assignment",
    "ClosedError",
    "Col",
    "Collection",
    "Column",
    "CommitUnknownError",
    "ConflictError",
    "CorruptionError",
    "Database",
    "DatabaseError",
    "Explanation",
    "Expression",
    "ForeignKeyViolation",
    "IndexInfo",
    "IndexRequiredError",
    "IntegrityError",
    "InvalidTokenError",
    "Key",
    "Many",
    "MemoryStore",
    "MultipleRowsError",
    "NoSuchField",
    "NoSuchIndex",
    "NoSuchTable",
    "NotFoundError",
    "NotUniqueError",
    "One",
    "Order",
    "Page",
    "Path",
    "Query",
    "QueryError",
    "Ref",
    "RefColumn",
    "Relation",
    "RepairReport",
    "RowStream",
    "SchemaError",
    "Snapshot",
    "SnapshotTooOldError",
    "Table",
    "Transaction",
    "TransactionError",
    "TransactionTooLargeError",
    "UniqueViolation",
    "ValidationError",
    "Value",
    "VerificationReport",
    "all_",
    "any_",
    "asdict",
    "at",
    "auto",
    "between",
    "col",
    "contains",
    "ends_with",
    "exists",
    "f",
    "follow",
    "from_dict",
    "has",
    "in_",
    "increment",
    "index",
    "inverse",
    "is_null",
    "length",
    "like",
    "lower",
    "matches",
    "open_db",
    "push",
    "ref",
    "remove",
    "replace",
    "set_",
    "starts_with",
    "table_from_catalog",
    "unset",
    "upper",
]
