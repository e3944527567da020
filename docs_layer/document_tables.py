"""Collections as tables: a key column, and a column that holds the rest of the document.

Owns the shape of that table and the way between documents and its rows. Everything else - writing, indexes, queries,
verification - is that of tables, so a program that does not know the collection sees a table of two columns.
"""

from __future__ import annotations

from collections.abc import Callable
from keyword import iskeyword
from types import new_class
from typing import Annotated, Any, Final

from msgspec import UNSET

from docs_layer.columns import ColumnMarker
from docs_layer.definitions import DocumentColumn, TableDefinition, read_definition
from docs_layer.document_models import DocumentForm
from docs_layer.errors import SchemaError
from docs_layer.fields import auto
from docs_layer.tables import Table

DOCUMENT: Final = "document"
"""Name of the column that holds documents."""


def document_definition(name: str, key: str, key_type: type, form: DocumentForm, *, automatic: bool) -> TableDefinition:
    """Return the definition of a collection's table, with a class of its own.

    Args:
        name: Of the collection.
        key: Name of the primary key in documents.
        key_type: Its type.
        form: How documents look to the program.
        automatic: Whether the database gives keys.

    Raises:
        SchemaError: A key that cannot be.
    """
    if not key.isidentifier() or iskeyword(key) or key.startswith("_") or key == DOCUMENT:
        raise SchemaError(f"the key of a collection cannot be named {key!r}", table=name)

    def fill(namespace: dict[str, Any]) -> None:
        namespace["__annotations__"] = {
            key: Annotated[key_type, ColumnMarker("key")],
            DOCUMENT: Annotated[Any, ColumnMarker(DOCUMENT)],
        }
        namespace["__table_name__"] = name
        if automatic:
            namespace[key] = auto()

    row_type = new_class("Document", (Table,), exec_body=fill)
    definition = read_definition(row_type, {})
    return definition.with_document(
        DocumentColumn(DOCUMENT, _row_maker(row_type, key, form), _document_maker(key, form))
    )


def _row_maker(row_type: Any, key: str, form: DocumentForm) -> Callable[[Any], Any]:
    """Return what makes a row of what a program gives."""

    def to_row(given: Any) -> Any:
        document = form.to_dict(given)
        value = document.pop(key, None)
        return row_type(**{key: UNSET if value is None else value, DOCUMENT: document})

    return to_row


def _document_maker(key: str, form: DocumentForm) -> Callable[[Any], Any]:
    """Return what makes of a row what a program gets."""

    def show(row: Any) -> Any:
        return form.from_dict({key: getattr(row, key), **row.document})

    return show
