"""Documents as a program has them: plain dicts, or instances of a msgspec struct, a dataclass or a pydantic model.

Owns the way from such an object to a dict and back. A model is validated when it is written and when it is read;
pydantic is used only if the model is one of its classes, and is never imported here. Pure functions over immutable
values; any thread may use them.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from types import NoneType, UnionType
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from docs_layer.errors import SchemaError, ValidationError

_KEPT_TYPES: Final = (bytes, bytearray, datetime, date, time, timedelta, Decimal, UUID)
"""Types that documents keep as they are."""


class DocumentForm(NamedTuple):
    """How documents of one collection look to the program.

    Attributes:
        key_type: Type of the primary key, or None if the form does not tell.
        is_automatic: Whether the key may be left to the database.
        to_dict: From what the program gives to a new dict; raises `ValidationError`.
        from_dict: From a dict, which it may keep, to what the program gets; raises `ValidationError`.
    """

    key_type: type | None
    is_automatic: bool
    to_dict: Callable[[Any], dict[str, Any]]
    from_dict: Callable[[dict[str, Any]], Any]


def document_form(collection: str, model: type[Any] | None, key: str) -> DocumentForm:
    """Return the form of a collection's documents.

    Args:
        collection: Its name, for errors.
        model: The class of its documents, None for dicts.
        key: Name of the primary key.

    Raises:
        SchemaError: The model is no class of a known sort, or has no field for the key.
    """
    if model is None or model is dict:
        return DocumentForm(None, True, lambda given: _checked_dict(collection, given), _same)
    if hasattr(model, "model_validate") and hasattr(model, "model_fields"):
        annotations = {name: field.annotation for name, field in model.model_fields.items()}
        to_dict, from_dict = _pydantic_dict, model.model_validate
    elif isinstance(model, type) and (issubclass(model, msgspec.Struct) or dataclasses.is_dataclass(model)):
        annotations = typing.get_type_hints(model)
        to_dict, from_dict = _plain_dict, lambda document: msgspec.convert(document, model)
    else:
        raise SchemaError(
            f"the model of a collection is a msgspec struct, a dataclass or a pydantic model, not {model!r}",
            table=collection,
        )
    key_type, is_automatic = _key_type(collection, model, key, annotations)
    return DocumentForm(
        key_type, is_automatic, _validated(collection, model, to_dict), _converted(collection, model, from_dict)
    )


def _key_type(collection: str, model: type[Any], key: str, annotations: Mapping[str, Any]) -> tuple[type, bool]:
    if key not in annotations:
        raise SchemaError(f"{model.__name__} has no field {key!r} for the primary key", table=collection)
    annotation = annotations[key]
    is_optional = typing.get_origin(annotation) in {typing.Union, UnionType}
    parts = [part for part in typing.get_args(annotation) if part is not NoneType] if is_optional else [annotation]
    if len(parts) != 1 or not isinstance(parts[0], type):
        raise SchemaError(f"a primary key has one type, not {annotation!r}", table=collection, field=key)
    return parts[0], is_optional and parts[0] is int


def _same(document: dict[str, Any]) -> dict[str, Any]:
    return document


def _checked_dict(collection: str, given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise ValidationError(collection, None, given, "a document is a dict")
    for name in given:
        if not isinstance(name, str):
            raise ValidationError(collection, None, given, f"names in a document are text, not {name!r}")
    return dict(given)


def _plain_dict(given: Any) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(given, builtin_types=_KEPT_TYPES)
    return document


def _pydantic_dict(given: Any) -> dict[str, Any]:
    document: dict[str, Any] = given.model_dump()
    return document


def _validated(
    collection: str, model: type[Any], to_dict: Callable[[Any], dict[str, Any]]
) -> Callable[[Any], dict[str, Any]]:
    def convert(given: Any) -> dict[str, Any]:
        if not isinstance(given, model):
            raise ValidationError(collection, None, given, f"a document is a {model.__name__}")
        try:
            return to_dict(given)
        except (TypeError, ValueError) as error:
            raise ValidationError(collection, None, given, f"it cannot be stored: {error}") from error

    return convert


def _converted(
    collection: str, model: type[Any], from_dict: Callable[[dict[str, Any]], Any]
) -> Callable[[dict[str, Any]], Any]:
    def convert(document: dict[str, Any]) -> Any:
        try:
            return from_dict(document)
        except ValueError as error:  # what msgspec and pydantic raise for values that do not fit
            raise ValidationError(
                collection, None, document, f"it does not fit {model.__name__}: {error}".replace("\n", " ")
            ) from error

    return convert
